"""The run: a manifest's rows from the first to the last, slice by slice. One step on the saga engine.

The engine gives it what a job has: a journal that is the truth, a lease with an epoch, an inbox for the cancel, and an
end. Each slice that is done is one note in the journal; whoever takes the run up again goes on with the others.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from farm.concurrency import stop_all
from farm.domain.event import rfc3339
from farm.errors import FarmError, RunStopped
from farm.render.catalog.movement import Movement, Pedometer
from farm.render.catalog.report import Tally
from farm.saga.journal import Entry, Projection
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition, StepContext

log = logging.getLogger(__name__)

STEP = "run_rows"
LOOK_S = 0.5
"""How often a run looks whether it shall pause."""
LONGEST_S = 365 * 86_400.0
STATUSES = {
    SagaPhase.COMPLETED: "completed",
    SagaPhase.FAILED: "failed",
    SagaPhase.CANCELLED: "cancelled",
    SagaPhase.COMPENSATING: "stopping",
}
"""Of a run that is neither ``running`` nor ``paused``. Rows may have failed in a completed one: its counts say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a run is to do, as it stands in its journal.

    Attributes:
        slices, rows, faults: how many there are.
        slice_rows: the most rows of a slice.
        window: rows under way at once; 0: as many as the cluster can use.
        max_failures: rows that may fail, else the run stops; ``None``: any number.
        force: render also what was rendered before.
        priority: of its jobs; below that of single ones.
        rows_token: of the start that wrote the rows, see `farm.render.catalog.slices`.
        notes: how the manifest was read, where that was not plain.
        failpoints, batch_failpoints: drills of the run itself and of its batches, see `farm.saga.failpoint`.
    """

    tenant: str
    name: str
    manifest: str
    slices: int
    rows: int
    faults: int
    slice_rows: int
    window: int = 0
    max_failures: int | None = None
    force: bool = False
    priority: int = -50
    retry_of: str | None = None
    rows_token: str = ""
    notes: Sequence[Mapping[str, Any]] = ()
    failpoints: str = ""
    batch_failpoints: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class SliceWorker(Protocol):
    """Does what a slice asks for; see `farm.render.catalog.slice`."""

    async def work(self, run_id: str, order: RunOrder, number: int) -> "SliceDone":
        """From wherever it stands to its end. Cancelled, it stops and leaves what it began to the next call."""
        ...

    async def settle(self, run_id: str, order: RunOrder, number: int) -> "SliceDone | None":
        """Cancel what was begun and wait for its end; ``None`` when nothing was."""
        ...

    async def forget(self, run_id: str, number: int) -> None:
        """The slice is in the run's journal now: what was kept to take it up again may go."""
        ...

    async def width(self) -> int:
        """Slices that the cluster can use at once."""
        ...

    async def learn(self, run_id: str, *, start_s: float, moving_s: float, rows: int) -> None:
        """A run went through without a stop: remember how fast such work goes here, see `farm.render.catalog.lessons`.

        Args:
            start_s: from its beginning to its first row; ``moving_s`` from there to the end.
            rows: how many it had.
        """
        ...

    async def made(self, run_id: str, numbers: Iterable[int]) -> float:
        """How many rows of these slices, which are under way here, are made, with parts of rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceDone:
    """One slice, done: its part of the report is stored under that hash."""

    sha256: str
    tally: Tally


class RunRows:
    """Works the slices, a bounded number at a time, in order.

    Idempotency: slices noted as done are not touched again; one that was under way is taken up where it stands.
    Compensation: what is under way is cancelled and noted; what was done stays, what was not begun is never begun.
    """

    name = STEP
    retry = RetryPolicy(max_attempts=1_000_000, base_s=1.0, max_wait_s=30.0)
    """A service that is away for an hour must not end a run of a week."""
    timeout_s = LONGEST_S

    def __init__(
        self,
        worker: SliceWorker,
        paused: Callable[[str], Any],
        tell: Callable[[str, Movement], Awaitable[None]],
    ) -> None:
        self._worker = worker
        self._paused = paused
        self._tell = tell

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        order = RunOrder(**ctx.input)
        done, tally = progress_of(ctx.notes)
        todo = [number for number in range(order.slices) if number not in done]
        todo.reverse()
        await self._forget_last(ctx.saga_id, done)
        running: dict[asyncio.Task[SliceDone], int] = {}
        pedometer = Pedometer(order.rows)
        began_s, whole = ctx.clock.monotonic_s(), not done
        try:
            while todo or running:
                _check_failures(ctx.saga_id, order, tally)
                width = order.window // order.slice_rows or await self._worker.width()
                paused = bool(todo) and await self._paused(ctx.saga_id)
                while todo and not paused and len(running) < max(1, width):
                    number = todo.pop()
                    running[asyncio.create_task(self._worker.work(ctx.saga_id, order, number))] = number
                if not running:
                    pedometer.rest()
                    whole = False
                    await asyncio.sleep(LOOK_S)
                    continue
                ended, _ = await asyncio.wait(running, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    await self._note(ctx, running.pop(task), task.result(), tally)
                await self._show(ctx, pedometer, tally.rows, running.values())
                await ctx.reach("inside")
            _check_failures(ctx.saga_id, order, tally)
            if whole:
                await self._learn(ctx, began_s, pedometer.moves_since_s, tally)
        finally:
            await stop_all(*running)
        return {"counts": tally.to_dict()}

    async def compensate(self, ctx: StepContext) -> None:
        order = RunOrder(**ctx.input)
        done, tally = progress_of(ctx.notes)
        await self._forget_last(ctx.saga_id, done)
        untouched, enough = 0, await self._enough(order)
        for number in (number for number in range(order.slices) if number not in done):
            settled = await self._worker.settle(ctx.saga_id, order, number)
            if settled is not None:
                await self._note(ctx, number, settled, tally)
                untouched = 0
                continue
            # Slices begin in order, so behind as many untouched ones as can be under way at once all are.
            untouched += 1
            if untouched > enough:
                break

    async def _learn(self, ctx: StepContext, began_s: float, moved_s: float | None, tally: Tally) -> None:
        if moved_s is None or tally.cached * 10 > tally.rows or tally.failed * 10 > tally.rows:
            return
        with contextlib.suppress(FarmError):
            moving_s = ctx.clock.monotonic_s() - moved_s
            await self._worker.learn(ctx.saga_id, start_s=moved_s - began_s, moving_s=moving_s, rows=tally.rows)

    async def _show(self, ctx: StepContext, pedometer: Pedometer, done: int, running: Iterable[int]) -> None:
        with contextlib.suppress(FarmError):  # it is only looked at: the next one will come through
            made = done + await self._worker.made(ctx.saga_id, running)
            await self._tell(ctx.saga_id, pedometer.at(ctx.clock.monotonic_s(), made))

    async def _enough(self, order: RunOrder) -> int:
        return max(order.window // order.slice_rows or await self._worker.width(), 1) + 8

    async def _forget_last(self, run_id: str, done: Mapping[int, str]) -> None:
        """A crash may have come between a slice's note and its forgetting, which follow each other slice by slice."""
        for number in list(done)[-2:]:
            await self._worker.forget(run_id, number)

    async def _note(self, ctx: StepContext, number: int, done: SliceDone, tally: Tally) -> None:
        for name in ("completed", "failed", "cancelled", "cached", "bad", "seconds", "cost"):
            setattr(tally, name, getattr(tally, name) + getattr(done.tally, name))
        tally.codes.update(done.tally.codes)
        await ctx.note({"slice": number, "sha256": done.sha256, "counts": tally.to_dict()})
        await self._worker.forget(ctx.saga_id, number)


def _check_failures(run_id: str, order: RunOrder, tally: Tally) -> None:
    if order.max_failures is not None and tally.failed > order.max_failures:
        raise RunStopped(run=run_id, failed=tally.failed, limit=order.max_failures)


def progress_of(notes: Sequence[Mapping[str, Any]]) -> tuple[dict[int, str], Tally]:
    """Slices done, with the hash of their part of the report, and the sums so far."""
    done = {int(note["slice"]): str(note["sha256"]) for note in notes if "slice" in note}
    last = next((note["counts"] for note in reversed(notes) if "slice" in note), None)
    return done, Tally.of(last)


def run_definition(step: RunRows) -> SagaDefinition:
    """The saga of a run."""
    patient = RetryPolicy(max_attempts=1000, base_s=1.0, max_wait_s=30.0)
    return SagaDefinition(
        name="run", steps=(step,), last=STEP, deadline_s=LONGEST_S, undo_retry=patient, undo_timeout_s=LONGEST_S
    )


def run_projection(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
    """A `Projector`: the run as the world sees it."""
    record = run_record(saga_id, state)
    return Projection(
        record=record,
        index={"status": record["status"], "tenant": record["tenant"], "name": record["name"]},
        created_at_s=state.created_at_s,
        live=state.live,
        tenant=record["tenant"],
        events=(),
    )


def run_record(run_id: str, state: SagaState) -> dict[str, Any]:
    """The record of a run whose saga stands at ``state``."""
    data = state.input
    step = state.steps.get(STEP)
    # The whole list of notes would be read at every append; the last one has the sums.
    last = next((noted.data for noted in reversed(step.notes) if "slice" in noted.data), None) if step else None
    counts = Tally.of(last["counts"] if last else None).to_dict()
    rows = counts["completed"] + counts["failed"] + counts["cancelled"]
    ended = state.phase.ended
    return {
        "id": run_id,
        "name": data["name"],
        "tenant": data["tenant"],
        "status": STATUSES.get(state.phase, "running"),
        "manifest": data["manifest"],
        "rows": data["rows"],
        "rows_done": rows,
        "skipped": data["rows"] - rows if ended else 0,
        "counts": counts,
        "slices": data["slices"],
        "slices_done": len(step.notes) if step else 0,
        "max_failures": data["max_failures"],
        "retry_of": data.get("retry_of"),
        "rows_token": data.get("rows_token", ""),
        "notes": data.get("notes", ()),
        "created_at": rfc3339(state.created_at_s),
        "started_at": rfc3339(step.started_at_s) if step else None,
        "updated_at": rfc3339(state.updated_at_s or state.created_at_s),
        "finished_at": rfc3339(state.ended_at_s) if state.ended_at_s is not None else None,
        "error": state.error,
        "last_error": step.error if step else None,
    }
