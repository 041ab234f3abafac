"""Accepting: which rows are done already, and jobs for the others."""

import asyncio
from collections.abc import Mapping
from typing import Any

from farm.domain.status import Status
from farm.errors import FarmError, describe
from farm.render.catalog.identities import identities
from farm.render.catalog.kit import Wanted
from farm.render.catalog.ports import KnownDesign
from farm.render.catalog.row import Row
from farm.render.catalog.standing import standing_job
from farm.render.catalog.steps.rows_step import ACCEPT, RowsStep
from farm.render.catalog.weather import is_weather
from farm.saga.step import StepContext


def _not_finished(run_id: str) -> dict[str, Any]:
    return {
        "code": "batch_failed",
        "message": "The row's batch could not be finished.",
        "retryable": True,
        "hint": f"`farm catalog show {run_id}` has the run's last error; `farm catalog retry {run_id}` tries it again.",
    }


class AcceptRows(RowsStep):
    """Looks which rows are done already, and makes the jobs of the others.

    Idempotency: the jobs' ids are made of run and row; a record that is there is written again as it is.
    Compensation: the jobs end as failed or cancelled, unless they have ended.
    """

    name = ACCEPT

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        wanted, failed = self._wanted(rows)
        found = await self._identities(ctx.input["tenant"], wanted, failed)
        known = await self._look_up(ctx.input["tenant"], found)
        unchanged = {} if ctx.input["force"] else await self._unchanged(ctx, wanted, known)
        todo = [place for place in wanted if place not in unchanged and place not in failed]
        await self._write(ctx, rows, dict.fromkeys(todo, Status.PENDING))
        await ctx.reach("inside")
        return {
            "todo": todo,
            "unchanged": {str(place): job_id for place, job_id in unchanged.items()},
            "failed": {str(place): error for place, error in failed.items()},
            "known": {
                str(place): [known[place].sha256, known[place].width_px, known[place].height_px]
                for place in todo
                if place in known
            },
        }

    async def compensate(self, ctx: StepContext) -> None:
        rows = await self._rows(ctx)
        await ctx.reach("inside")
        if await self._has_ended(ctx, rows):
            return
        # Where accepting was cut short it is not known which jobs were made: all that might be are looked at.
        todo = ctx.outputs[ACCEPT]["todo"] if ACCEPT in ctx.outputs else await self._made(ctx, rows)
        status = Status.CANCELLED if ctx.reason == "cancelled" else Status.FAILED
        errors = dict.fromkeys(todo, _not_finished(ctx.saga_id.partition(".")[0])) if status is Status.FAILED else {}
        now_s = ctx.clock.wall_s()
        await self._write(ctx, rows, dict.fromkeys(todo, status), now_s=now_s, error=errors)

    async def _made(self, ctx: StepContext, rows: Mapping[int, Row]) -> list[int]:
        records = await asyncio.gather(*(self._kit.jobs.records.get(self._job(ctx, row)) for row in rows.values()))
        return [place for place, record in zip(rows, records, strict=True) if record is not None]

    def _wanted(self, rows: Mapping[int, Row]) -> tuple[dict[int, Wanted], dict[int, dict[str, Any]]]:
        wanted: dict[int, Wanted] = {}
        failed: dict[int, dict[str, Any]] = {}
        for place, row in rows.items():
            try:
                wanted[place] = self._reader.wanted(place, row)
            except FarmError as error:
                if is_weather(error):
                    raise
                failed[place] = describe(error)
        return wanted, failed

    async def _identities(
        self, tenant: str, wanted: Mapping[int, Wanted], failed: dict[int, dict[str, Any]]
    ) -> dict[int, str]:
        found: dict[int, str] = {}
        told = await identities(self._kit.designs, tenant, [one.row.design for one in wanted.values()])
        for place, one in wanted.items():
            identity = told[one.row.design]
            if isinstance(identity, FarmError):
                failed[place] = describe(identity)
            elif identity is not None:
                found[place] = identity
        return found

    async def _look_up(self, tenant: str, identities: Mapping[int, str]) -> dict[int, KnownDesign]:
        found = await self._kit.book.look_up(tenant, list(identities.values()))
        return {place: known for place, known in zip(identities, found, strict=True) if known is not None}

    async def _unchanged(
        self, ctx: StepContext, wanted: Mapping[int, Wanted], known: Mapping[int, KnownDesign]
    ) -> dict[int, str]:
        """Rows whose product shows these very pictures already, with the job that made them."""
        places = [place for place in known if wanted[place].row.product_id is not None]
        tenant = ctx.input["tenant"]
        jobs = await asyncio.gather(*(standing_job(self._kit, wanted[one], known[one], tenant) for one in places))
        return {place: job for place, job in zip(places, jobs, strict=True) if job is not None}
