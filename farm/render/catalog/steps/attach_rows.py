"""Attaching: the rows' pictures on their products."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from farm.concurrency import bounded
from farm.errors import FarmError, describe
from farm.render.catalog.outputs import artifacts_of
from farm.render.catalog.row import Row
from farm.render.catalog.steps.relight_rows import relit
from farm.render.catalog.steps.rows_step import ACCEPT, ATTACH, RELIGHT, RowsStep
from farm.render.steps.associate_media import association
from farm.render.steps.parts import OUTAGE_ATTEMPTS
from farm.saga.step import StepContext

SHOP_AT_ONCE = 8


class AttachRows(RowsStep):
    """Writes each product once: its entries and its thumbnail.

    Idempotency: entries have ids made of job and view; the catalogue keeps one record per job.
    Compensation: exactly these jobs' entries go, and what they replaced comes back; unless the jobs have ended.
    """

    name = ATTACH

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        done = {place: row for place, row in relit([ctx.outputs[RELIGHT]]).items() if "error" not in row}
        media: dict[str, Mapping[str, Any]] = {}
        failed: dict[str, Mapping[str, Any]] = {}
        troubled: dict[str, FarmError] = {}  # after many attempts: the shop may answer for all others

        async def attach(places: Sequence[int]) -> None:
            for place in places:
                request = self._reader.wanted(place, rows[place]).request
                job_id = self._job(ctx, rows[place])
                artifacts = artifacts_of(
                    ctx.input["tenant"], job_id, done[place]["token"], request["format"], done[place]["views"]
                )
                wanted = association(job_id, request, artifacts, self._parts.store.url)
                await self._kit.pace.write()
                try:
                    answer = await self._parts.catalog.associate(ctx.input["tenant"], request["product_id"], wanted)
                    media[str(place)] = {"media_ids": answer["media_ids"], "superseded": answer["superseded"]}
                except FarmError as error:
                    if error.retryable and ctx.attempt <= OUTAGE_ATTEMPTS:
                        raise
                    if error.retryable:
                        troubled[str(place)] = error
                    else:
                        failed[str(place)] = describe(error)

        await bounded((partial(attach, places) for places in _by_product(rows, done)), SHOP_AT_ONCE)
        if troubled and not media:  # the shop, and not these products
            raise next(iter(troubled.values()))
        failed |= {place: describe(error) for place, error in troubled.items()}
        await ctx.reach("inside")
        return {"media": media, "failed": failed}

    async def compensate(self, ctx: StepContext) -> None:
        rows = await self._rows(ctx)
        await ctx.reach("inside")
        if await self._has_ended(ctx, rows):
            return
        todo = ctx.outputs.get(ACCEPT, {}).get("todo", [])

        async def detach(places: Sequence[int]) -> None:
            for place in places:
                job_id = self._job(ctx, rows[place])
                await self._kit.pace.write()
                await self._parts.catalog.dissociate(ctx.input["tenant"], str(rows[place].product_id), job_id)

        await bounded((partial(detach, places) for places in _by_product(rows, todo)), SHOP_AT_ONCE)


def _by_product(rows: Mapping[int, Row], places: Iterable[int]) -> list[list[int]]:
    """Rows of one product in their order, one after the other; products beside each other."""
    found: dict[str, list[int]] = {}
    for place in sorted(places):
        product_id = rows[place].product_id
        if product_id is not None:
            found.setdefault(product_id, []).append(place)
    return list(found.values())
