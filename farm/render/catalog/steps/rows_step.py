"""The step: what the four of a batch share."""

from collections.abc import Mapping
from typing import Any

from farm.domain.ids import row_job_id
from farm.domain.status import Status
from farm.errors import FarmError
from farm.render.bulkhead import blocking
from farm.render.catalog.brief import brief
from farm.render.catalog.kit import Kit, Reader
from farm.render.catalog.ports import RowRecord
from farm.render.catalog.row import Row
from farm.render.catalog.slices import RunRowsPlace
from farm.render.catalog.weather import Weatherproof, is_weather
from farm.saga.retry import RetryPolicy
from farm.saga.step import StepContext

ACCEPT, RELIGHT, ATTACH, FINISH = "accept_rows", "relight_rows", "attach_rows", "finish_rows"
CATALOG = "catalog"
"""The value of the index ``kind`` for live jobs that belong to a run."""


class RowsStep:
    """Reading the batch's rows again, which costs little and keeps the journal small."""

    name = ""

    def __init__(self, kit: Kit, reader: Reader) -> None:
        self._kit = kit
        self._parts = kit.parts
        self._reader = reader
        self.retry: RetryPolicy = Weatherproof.of(kit.parts.patient)
        self.timeout_s = kit.parts.settings.render_timeout_s

    async def _rows(self, ctx: StepContext) -> dict[int, Row]:
        """The batch's rows by their place in the slice."""
        place = RunRowsPlace(tenant=ctx.input["tenant"], run_id=ctx.input["run"], token=ctx.input.get("rows_token", ""))
        items = await blocking(place.read, self._parts.store, ctx.input["slice"])
        wanted = set(ctx.input["rows"])
        return {place: item for place, item in enumerate(items) if place in wanted and isinstance(item, Row)}

    def _job(self, ctx: StepContext, row: Row) -> str:
        return row_job_id(ctx.input["run"], row.number, row.variant)

    async def _write(
        self,
        ctx: StepContext,
        rows: Mapping[int, Row],
        statuses: Mapping[int, Status],
        *,
        now_s: float | None = None,
        **more: Mapping[int, Any],
    ) -> None:
        """Write the records of the rows in ``statuses``."""
        created_at_s = float(ctx.input["at_s"])
        records = []
        for place, status in statuses.items():
            row = rows[place]
            record = brief(
                self._job(ctx, row),
                tenant=ctx.input["tenant"],
                status=status,
                run_id=ctx.input["run"],
                place=(ctx.input["slice"], row.number, row.variant),
                request=row.request,
                template=self._template(place, row),
                created_at_s=created_at_s,
                finished_at_s=now_s if status.ended else None,
                price_cpu_hour=self._kit.parts.settings.price_cpu_hour,
                **{name: of_place[place] for name, of_place in more.items() if place in of_place},
            )
            index = {"status": str(status), "tenant": ctx.input["tenant"]}
            if row.product_id is not None:
                index["product_id"] = row.product_id
            left = bool(more.get("steps_left", {}).get(place))
            if left:
                index["compensation"] = "pending"
            if not status.ended:
                index["kind"] = CATALOG
            job = RowRecord(
                job_id=record["id"],
                created_at_s=created_at_s,
                record=record,
                index=index,
                ended=status.ended and not left,
            )
            records.append(job)
        await self._kit.rows.write(ctx.lease, records)

    def _template(self, place: int, row: Row) -> Mapping[str, str]:
        try:
            return self._reader.wanted(place, row).template
        except FarmError as error:
            if is_weather(error):
                raise
            # It was removed meanwhile; the record is written all the same.
            return {"id": str(row.request.get("template", "")), "version": "", "hash": ""}

    async def _has_ended(self, ctx: StepContext, rows: Mapping[int, Row]) -> bool:
        """Whether the rows are behind their pivot: all their records were written at once, so one tells for all."""
        todo = ctx.outputs.get(ACCEPT, {}).get("todo", [])
        if not todo:
            return False
        record = await self._kit.jobs.records.get(self._job(ctx, rows[todo[0]]))
        return record is not None and Status(record["status"]).ended and not record["compensation_pending"]
