"""Finishing: what failed is undone, the manifest written, and all jobs ended at once."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from farm.domain import keys
from farm.domain.status import Status
from farm.render.bulkhead import blocking
from farm.render.catalog.outputs import artifacts_of
from farm.render.catalog.row import Row
from farm.render.catalog.steps.relight_rows import relit
from farm.render.catalog.steps.rows_step import ATTACH, FINISH, RELIGHT, RowsStep
from farm.render.deletion import AT_ONCE
from farm.saga.step import StepContext


class FinishRows(RowsStep):
    """Undoes what failed, writes the manifest, then ends all jobs in one atomic write: their pivot.

    Idempotency: the same bytes at the same key; a job that has ended keeps its record.
    Compensation: none; behind the pivot there is nothing to undo, and the other steps see that it has passed.
    """

    name = FINISH

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        done = relit([ctx.outputs[RELIGHT]])
        refused = {int(place): error for place, error in ctx.outputs[ATTACH]["failed"].items()}
        media = {int(place): found for place, found in ctx.outputs[ATTACH]["media"].items()}
        errors = {place: row["error"] for place, row in done.items() if "error" in row} | refused
        good = {place: row for place, row in done.items() if place not in errors}
        await self._undo(ctx, rows, errors)
        for place in ctx.outputs[RELIGHT]["retried"]:
            if place in good:
                await blocking(self._clear, ctx.input["tenant"], self._job(ctx, rows[place]), good[place]["token"])
        await blocking(self._put_manifest, ctx, rows, good)
        await ctx.reach("inside")
        statuses = {place: Status.FAILED if place in errors else Status.COMPLETED for place in done}
        await self._write(ctx, rows, statuses, now_s=ctx.clock.wall_s(), done=good, media=media, error=errors)
        await self._tell_superseded(ctx, rows, media)
        return {}

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")
        rows = await self._rows(ctx)
        if not await self._has_ended(ctx, rows):
            key = keys.batch_manifest(ctx.input["tenant"], ctx.input["run"], ctx.input["slice"])
            await blocking(self._parts.store.delete, [key])

    async def _undo(self, ctx: StepContext, rows: Mapping[int, Row], places: Iterable[int]) -> None:
        for place in places:
            job_id = self._job(ctx, rows[place])
            if rows[place].product_id is not None:
                await self._parts.catalog.dissociate(ctx.input["tenant"], str(rows[place].product_id), job_id)
            await blocking(self._parts.store.delete_prefix, keys.job(ctx.input["tenant"], job_id))

    def _clear(self, tenant: str, job_id: str, token: str) -> None:
        """Remove what attempts left that do not count."""
        kept = keys.out(tenant, job_id, f"{token}/")
        strays = [
            item.key for item in self._parts.store.list(keys.job(tenant, job_id)) if not item.key.startswith(kept)
        ]
        self._parts.store.delete(strays)

    def _put_manifest(self, ctx: StepContext, rows: Mapping[int, Row], good: Mapping[int, Mapping[str, Any]]) -> None:
        """One manifest for all jobs of the batch: their requests, placements included, and their outputs."""
        tenant, jobs = ctx.input["tenant"], {}
        for place, row in good.items():
            job_id = self._job(ctx, rows[place])
            request = self._reader.wanted(place, rows[place]).request
            artifacts = artifacts_of(tenant, job_id, row["token"], request["format"], row["views"])
            jobs[job_id] = {
                "product_id": rows[place].product_id,
                "design": row["sha256"],
                "template": dict(self._template(place, rows[place])),
                "request": dict(request),
                "outputs": [artifact.to_dict() for artifact in artifacts],
            }
        manifest = {"schema": 1, "run_id": ctx.input["run"], "jobs": jobs}
        data = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        key = keys.batch_manifest(tenant, ctx.input["run"], ctx.input["slice"])
        self._parts.store.put(key, data, content_type="application/json")

    async def _tell_superseded(
        self, ctx: StepContext, rows: Mapping[int, Row], media: Mapping[int, Mapping[str, Any]]
    ) -> None:
        for place, found in media.items():
            for older in found["superseded"]:
                newer = self._job(ctx, rows[place])
                await self._kit.jobs.records.annotate(older, {"superseded_by": newer}, due_at_s=AT_ONCE)
