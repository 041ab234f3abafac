"""What can be done with catalogue runs: plan, start, watch, pause, resume, cancel, retry, report."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.domain import keys
from farm.domain.ids import DEFAULT_TENANT, RUN_ID, new_run_id
from farm.errors import Conflict, InvalidRequest, JobEnded, NotFound, ObjectMissing
from farm.render.catalog import report
from farm.render.catalog.report import ReportRow
from farm.render.catalog.row import Fault, Row
from farm.render.catalog.run import RunOrder, run_projection
from farm.render.catalog.slices import read_lines, read_slice, slices_of, write_slice
from farm.render.ports import ObjectStore
from farm.render.steps.parts import blocking
from farm.saga.clock import Clock
from farm.saga.fold import fold
from farm.saga.inbox import CANCEL
from farm.saga.journal import Draft, Entry, EntryKind
from farm.saga.store import Store
from farm.settings import Settings

WRITTEN_AT_ONCE = 8
LIVE = ("running", "paused", "stopping")
PAUSED = "paused"
UNDONE = (report.FAILED, report.SKIPPED, report.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogService:
    """The use cases of runs. The command line and the HTTP face call these; the run actor does the work."""

    settings: Settings
    runs: Store
    objects: ObjectStore
    clock: Clock

    # --- start ------------------------------------------------------------------------------------------------------

    async def start(
        self,
        items: Iterable[Row | Fault],
        *,
        name: str,
        manifest: str,
        tenant: str = DEFAULT_TENANT,
        window: int | None = None,
        max_failures: int | None = None,
        max_failure_share: float | None = None,
        force: bool = False,
        retry_of: str | None = None,
        run_id: str | None = None,
        failpoints: str = "",
        batch_failpoints: str = "",
    ) -> dict[str, Any]:
        """Accept a run; when this returns it is on disk with all its rows, and needs neither manifest nor caller.

        Args:
            window: rows under way at once; ``None``: of the settings.
            max_failures: rows that may fail, else the run stops.
            max_failure_share: the same as a share of all rows.
            run_id: the id that the run shall have; a run of that id which is there already is answered instead.

        Raises:
            InvalidRequest: when there are no rows.
            StoreUnavailable, StorageUnavailable: nothing was accepted.
        """
        window = self.settings.catalog_window if window is None else window
        size = min(self.settings.catalog_batch_rows, window or self.settings.catalog_batch_rows)
        if run_id is not None and await self.runs.records.get(run_id) is not None:
            return await self.get(run_id)
        run_id = run_id or new_run_id(int(self.clock.wall_s() * 1000))
        try:
            slices, rows, faults = await self._write(tenant, run_id, slices_of(iter(items), size))
            if not rows:
                raise InvalidRequest(reason="the manifest has no rows")
            if max_failure_share is not None:
                max_failures = int(rows * max_failure_share)
            order = RunOrder(
                tenant=tenant,
                name=name,
                manifest=manifest,
                slices=slices,
                rows=rows,
                faults=faults,
                slice_rows=size,
                window=window,
                max_failures=max_failures,
                force=force,
                retry_of=retry_of,
                failpoints=failpoints,
                batch_failpoints=batch_failpoints,
            )
            data = order.to_dict()
            entry = Entry(seq=1, kind=EntryKind.CREATED, data=data, at_s=self.clock.wall_s())
            projection = run_projection(run_id, fold([entry]), [entry])
            await self.runs.journal.create(run_id, [Draft(kind=EntryKind.CREATED, data=data)], projection)
        except BaseException:
            if await self.runs.records.get(run_id) is None:
                await blocking(self.objects.delete_prefix, keys.run(tenant, run_id))
            raise
        return await self.get(run_id)

    async def _write(self, tenant: str, run_id: str, slices: Iterator[Sequence[Row | Fault]]) -> tuple[int, int, int]:
        """Write the slices, some at once; reading the manifest and writing take turns with each other."""
        number, rows, faults = 0, 0, 0
        writing: set[asyncio.Task[None]] = set()
        try:
            while (piece := await blocking(lambda: next(slices, None))) is not None:
                if len(writing) >= WRITTEN_AT_ONCE:
                    done, writing = await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                write = blocking(write_slice, self.objects, tenant, run_id, number, piece)
                writing.add(asyncio.ensure_future(write))
                number += 1
                rows += len(piece)
                faults += sum(isinstance(item, Fault) for item in piece)
            await asyncio.gather(*writing)
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
        return number, rows, faults

    # --- read -------------------------------------------------------------------------------------------------------

    async def get(self, run: str) -> dict[str, Any]:
        """A run's record, by its id, or the newest of that name.

        Raises:
            NotFound: when there is none.
        """
        record: Mapping[str, Any] | None
        if RUN_ID.fullmatch(run):
            record = await self.runs.records.get(run)
        else:
            page = await self.runs.records.list({"name": run}, limit=1)
            record = page.records[0] if page.records else None
        if record is None:
            raise NotFound(kind="run", id=run[:64])
        return _shown(record)

    async def list(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """Runs, newest first."""
        return [_shown(record) for record in (await self.runs.records.list(limit=limit)).records]

    async def page(
        self, *, tenant: str, status: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """A tenant's runs, newest first, and the cursor for what follows. A paused run is one that is ``running``."""
        filters = {"tenant": tenant} | ({} if status is None else {"status": status})
        page = await self.runs.records.list(filters, cursor=cursor, limit=limit)
        return [_shown(record) for record in page.records], page.cursor

    async def live_count(self) -> int:
        """How many runs want the run actor: paused ones do not."""
        page = await self.runs.records.list({"status": "running"}, limit=100)
        stopping = await self.runs.records.count({"status": "stopping"})
        return sum(not record.get(PAUSED) for record in page.records) + stopping

    async def report(self, run: str) -> AsyncIterator[Sequence[ReportRow]]:
        """The report, slice by slice, in the manifest's order; of a live run as far as it is."""
        record = await self.get(run)
        ended = record["status"] not in LIVE
        status, code = (report.SKIPPED, "run_stopped") if ended else (report.PENDING, None)
        for number in range(record["slices"]):
            yield await blocking(self._part, record, number, status, code)

    def _part(self, record: Mapping[str, Any], number: int, status: str, code: str | None) -> Sequence[ReportRow]:
        tenant, run_id = record["tenant"], record["id"]
        try:
            return [
                ReportRow.from_line(line) for line in read_lines(self.objects, keys.run_part(tenant, run_id, number))
            ]
        except ObjectMissing:
            return [
                report.of_untouched(item, status, code) for item in read_slice(self.objects, tenant, run_id, number)
            ]

    # --- change -----------------------------------------------------------------------------------------------------

    async def pause(self, run: str) -> dict[str, Any]:
        """Begin no more rows; what is under way is finished.

        Raises:
            Conflict: when the run has ended.
        """
        return await self._set_paused(run, True)

    async def resume(self, run: str) -> dict[str, Any]:
        """Go on after a pause."""
        return await self._set_paused(run, False)

    async def _set_paused(self, run: str, paused: bool) -> dict[str, Any]:
        record = await self.get(run)
        if record["status"] not in LIVE:
            raise Conflict(reason=f"run {record['id']} is {record['status']}")
        await self.runs.records.annotate(record["id"], {PAUSED: paused})
        return await self.get(record["id"])

    async def is_paused(self, run_id: str) -> bool:
        record = await self.runs.records.get(run_id)
        return bool(record and record.get(PAUSED))

    async def cancel(self, run: str) -> dict[str, Any]:
        """End the run: what is under way is undone, what is done stays, the rest is never begun.

        Raises:
            JobEnded: when it has ended.
        """
        record = await self.get(run)
        if not await self.runs.inbox.send(record["id"], {"kind": CANCEL, "reason": "asked"}):
            raise JobEnded(job_id=record["id"], status=record["status"])
        if record["status"] == PAUSED:  # so that somebody comes to end it
            await self.runs.records.annotate(record["id"], {PAUSED: False})
        return {**await self.get(run), "cancel_requested": True}

    async def retry(self, run: str, *, only: Sequence[str] = UNDONE, **options: Any) -> dict[str, Any]:
        """A new run of an ended run's rows that came to one of those ends.

        Rows whose line of the manifest could not be read are left out: the manifest has to be mended for them.

        Raises:
            Conflict: while the run goes on. InvalidRequest: when no row is left.
        """
        record = await self.get(run)
        if record["status"] in LIVE:
            raise Conflict(reason=f"run {record['id']} is still {record['status']}; cancel it first, or wait")
        return await self.start(
            self._again(record, frozenset(only)),
            name=record["name"],
            manifest=record["manifest"],
            tenant=record["tenant"],
            retry_of=record["id"],
            **options,
        )

    def _again(self, record: Mapping[str, Any], only: frozenset[str]) -> Iterator[Row]:
        for number in range(record["slices"]):
            lines = self._part(record, number, report.SKIPPED, None)
            wanted = {(line.row, line.variant) for line in lines if line.status in only}
            if wanted:
                for item in read_slice(self.objects, record["tenant"], record["id"], number):
                    if isinstance(item, Row) and (item.number, item.variant) in wanted:
                        yield item


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    paused = bool(record.get(PAUSED)) and record["status"] == "running"
    return {**record, "status": PAUSED if paused else record["status"], PAUSED: paused}
