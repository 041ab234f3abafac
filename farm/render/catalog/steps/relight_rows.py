"""Relighting: the rows' pictures, made piece by piece and noted as they come."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from farm.concurrency import all_of
from farm.domain import keys
from farm.domain.ids import new_token
from farm.domain.status import Status
from farm.errors import BadPicture, FarmError, InfrastructureError, SagaError, describe
from farm.render.bulkhead import blocking
from farm.render.catalog.lessons import of_rows
from farm.render.catalog.look import by_look, pieces_of
from farm.render.catalog.ports import KnownDesign, RowsTask
from farm.render.catalog.row import Row
from farm.render.catalog.steps.rows_step import ACCEPT, RELIGHT, RowsStep
from farm.render.catalog.weather import is_weather
from farm.saga.step import StepContext

PIECE_ROWS = 25
"""Rows of one piece of work: some seconds for a worker, so that little is done again after a crash and a single job
need not wait long."""
MOST_PIECES = 6


class RelightRows(RowsStep):
    """Has the rows relit, piece by piece, and journals each piece as it is finished.

    Idempotency: pieces noted as done are not done again; each attempt writes under a token of its own, and only the
    noted one counts.
    Compensation: everything under the jobs' prefixes goes, unless they have ended.
    """

    name = RELIGHT
    _rng = Random()

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        done = relit(ctx.notes)
        accepted = ctx.outputs[ACCEPT]
        self._kit.pieces.begin(ctx.saga_id, len(ctx.input["rows"]) - len(accepted["todo"]) + len(done))
        left = [place for place in accepted["todo"] if place not in done]
        if left:
            await self._write(ctx, rows, dict.fromkeys(left, Status.RENDERING))
        slots = max(1, await self._kit.workers.row_slots())
        size = max(1, min(PIECE_ROWS, -(-len(left) // slots)))
        gate = asyncio.Semaphore(min(slots, MOST_PIECES))
        looks = [self._reader.wanted(place, rows[place]).look for place in left]
        pieces = pieces_of(by_look(left, looks), size)

        async def work(piece: Sequence[int]) -> None:
            async with gate:
                await self._piece(ctx, rows, piece)

        await all_of(work(piece) for piece in pieces)
        await ctx.reach("inside")
        return {"rows": [dict(row) for row in relit(ctx.notes).values()], "retried": retried(ctx.notes)}

    async def compensate(self, ctx: StepContext) -> None:
        rows = await self._rows(ctx)
        await ctx.reach("inside")
        if not await self._has_ended(ctx, rows):
            for place in ctx.outputs.get(ACCEPT, {}).get("todo", []):
                prefix = keys.job(ctx.input["tenant"], self._job(ctx, rows[place]))
                await blocking(self._parts.store.delete_prefix, prefix)

    async def _piece(self, ctx: StepContext, rows: Mapping[int, Row], places: Sequence[int]) -> None:
        """Until each row of the piece is done or has failed for good.

        A piece that fails as a whole is tried again row by row: the row that killed its worker must not fail others.
        """
        attempts = self._parts.settings.view_attempts
        for attempt in range(1, attempts + 1):
            if attempt > 1:  # a server that stumbles is not helped by being asked again at once
                await asyncio.sleep(self._rng.uniform(0.0, self._parts.retry.bound_s(attempt - 1)))
            await self._kit.pace.stand_aside()
            try:
                places = await self._attempt(ctx, rows, places, last=attempt == attempts)
            except FarmError as error:
                if is_weather(error) or isinstance(error, InfrastructureError | SagaError):
                    raise  # the engine waits, and comes again with what was not noted as done
                if len(places) > 1:
                    for place in places:
                        await self._piece(ctx, rows, [place])
                    return
                if attempt == attempts or not error.retryable:
                    await ctx.note({"rows": [{"i": place, "error": describe(error)} for place in places]})
                    self._kit.pieces.settle(ctx.saga_id, len(places))
                    return
            if not places:
                return

    async def _attempt(
        self, ctx: StepContext, rows: Mapping[int, Row], places: Sequence[int], *, last: bool
    ) -> Sequence[int]:
        """One attempt; returns the rows that are worth another."""
        known = ctx.outputs[ACCEPT]["known"]
        token = new_token()
        task = RowsTask(
            tenant=ctx.input["tenant"],
            batch_id=ctx.saga_id,
            name=f"rows-{places[0]:04d}",
            token=token,
            rows=tuple(self._order(ctx, rows[place], place, known.get(str(place))) for place in places),
            deadline_s=self._parts.settings.view_timeout_s,
            force=bool(ctx.input["force"]),
        )
        # Noted first: what an attempt leaves that came to nothing is then cleared before the batch ends.
        await ctx.note({"attempt": token, "of": list(places)})
        with self._kit.pieces.out(ctx.saga_id, task.name, len(places)):
            answers = await self._kit.workers.relight_rows(task)
        again = [answer["i"] for answer in answers if not last and _may_do_better(answer.get("error"))]
        settled = [answer for answer in answers if answer["i"] not in again]
        if settled:
            await self._remember(ctx.input["tenant"], settled)
            worked_s = sum(answer.get("busy_s", 0.0) + answer.get("print_s", 0.0) for answer in settled)
            self._kit.pieces.worked(ctx.input["run"], worked_s)
            with contextlib.suppress(FarmError):  # for want of a lesson no row is held up
                await self._kit.paces.learn(of_rows(task.rows, settled))
            await ctx.note({"rows": [_kept(answer, token) for answer in settled]})
            self._kit.pieces.settle(ctx.saga_id, len(settled))
        return again

    def _order(self, ctx: StepContext, row: Row, place: int, known: Sequence[Any] | None) -> Mapping[str, Any]:
        wanted = self._reader.wanted(place, row)
        return {
            "i": place,
            "job": self._job(ctx, row),
            "design": row.design,
            "request": wanted.request,
            "template": wanted.template,
            "engine": wanted.engine,
            "known": known,
        }

    async def _remember(self, tenant: str, answers: Iterable[Mapping[str, Any]]) -> None:
        found = {
            answer["identity"]: KnownDesign(
                sha256=answer["sha256"], width_px=answer["design_px"][0], height_px=answer["design_px"][1]
            )
            for answer in answers
            if answer.get("identity")
        }
        await self._kit.book.remember(tenant, found)


def _may_do_better(error: Mapping[str, Any] | None) -> bool:
    """Relighting is arithmetic: a picture that failed its verdict would fail it again."""
    return error is not None and bool(error.get("retryable")) and error.get("code") != BadPicture.code


def _kept(answer: Mapping[str, Any], token: str) -> dict[str, Any]:
    """What the journal keeps of an answer: what the record will need."""
    if answer.get("error"):
        return {"i": answer["i"], "error": answer["error"]}
    names = ("i", "sha256", "seconds", "renderer", "device", "views", "warnings")
    return {"token": token, **{name: answer[name] for name in names if name in answer}}


def relit(notes: Iterable[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """What was noted of the rows, by their place."""
    return {int(row["i"]): row for note in notes for row in note.get("rows", ())}


def retried(notes: Iterable[Mapping[str, Any]]) -> list[int]:
    """Rows that were attempted more than once, by their place."""
    attempts = Counter(place for note in notes for place in note.get("of", ()))
    return sorted(place for place, count in attempts.items() if count > 1)
