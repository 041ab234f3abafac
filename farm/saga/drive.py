"""The drive: one coordinator taking one saga to its end. Carries out what `decide` says; decides nothing itself."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Any

from farm.errors import (
    CompensationFailed,
    DeadlineExceeded,
    FailpointReached,
    Fenced,
    InfrastructureError,
    StepExhausted,
    StepTimedOut,
    describe,
)
from farm.saga.attempt import Attempt, Stop, Stopped
from farm.saga.clock import Clock, sleep
from farm.saga.decide import Compensate, Done, Finish, RunStep, UndoStep, WaitUntil, decide
from farm.saga.failpoint import Failpoints
from farm.saga.inbox import CANCEL, Inbox
from farm.saga.journal import Draft, EntryKind
from farm.saga.keeper import Holding
from farm.saga.retry import is_retryable
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition, StepContext
from farm.saga.writer import Writer

log = logging.getLogger(__name__)


class Drive:
    """Holds a saga from its lease to its end."""

    def __init__(
        self,
        saga: SagaDefinition,
        *,
        holding: Holding,
        writer: Writer,
        inbox: Inbox,
        failpoints: Failpoints,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._saga = saga
        self._holding = holding
        self._writer = writer
        self._inbox = inbox
        self._failpoints = failpoints
        self._clock = clock
        self._rng = rng
        self._lost = False
        self._cancel_requested = asyncio.Event()
        self._read = 0
        self._look: asyncio.Task[None] | None = None
        self._attempt: Attempt[Any] | None = None

    # --- what others tell it -----------------------------------------------------------------------------------------

    def lose(self) -> None:
        """The lease is another's: stop at once, undo nothing."""
        self._lost = True
        if self._attempt is not None:
            self._attempt.stop(Stop.LOST)

    def call(self) -> None:
        """A message waits in the inbox."""
        if self._look is None and not self._cancel_requested.is_set():
            self._look = asyncio.create_task(self._look_once())

    async def _look_once(self) -> None:
        try:
            await self._look_into_inbox()
        except InfrastructureError as error:
            log.warning("saga %s: the inbox cannot be read, will look again: %s", self._writer.saga_id, error)
        finally:
            self._look = None

    async def _look_into_inbox(self) -> None:
        messages = await self._inbox.read(self._writer.saga_id)
        self._read = len(messages)
        # Once it compensates a cancel changes nothing, and the pivot cannot be undone.
        if self._writer.state.phase is SagaPhase.FORWARD and any(m.get("kind") == CANCEL for m in messages):
            self._cancel_requested.set()
            if self._attempt is not None:
                self._attempt.stop(Stop.CANCEL)

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def run(self, drafts: list[Draft] | None = None) -> SagaState:
        """Drive to the end; ``drafts`` are written first.

        Raises:
            Fenced: when the lease is lost.
            SagaError: when the journal does not fit the definition.
        """
        try:
            return await self._loop(drafts or [])
        finally:
            if self._look is not None:
                self._look.cancel()
            await self._writer.close()

    async def _loop(self, drafts: list[Draft]) -> SagaState:
        looked = False
        while True:
            self._check_lease()
            state, _ = self._writer.preview(drafts) if drafts else (self._writer.state, ())
            cancelled = self._cancel_requested.is_set()
            match decide(state, self._saga, self._holding.now_s(), cancelled=cancelled):
                case RunStep() as command:
                    drafts.append(_draft(EntryKind.STEP_STARTED, command))
                    await self._flush(drafts)
                    if not self._cancel_requested.is_set():
                        drafts.append(await self._run_step(command))
                case UndoStep() as command:
                    drafts.append(_draft(EntryKind.COMPENSATION_STARTED, command))
                    await self._flush(drafts)
                    drafts.append(await self._undo_step(command))
                case Compensate(reason=reason, error=error):
                    if not state.steps:
                        # What its creator did is part of the first step's effect: that much is always undone.
                        first = self._saga.steps[0].name
                        drafts.append(Draft(kind=EntryKind.STEP_STARTED, step=first, attempt=1))
                    drafts.append(Draft(kind=EntryKind.COMPENSATING, data={"reason": reason, "error": error}))
                case Finish(kind=kind, data=data):
                    drafts.append(Draft(kind=kind, data=data))
                    if not await self._flush(drafts, unless_called=kind is EntryKind.COMPLETED):
                        # Somebody spoke before the pivot: hear it first.
                        drafts.pop()
                        await self._writer.patiently(self._look_into_inbox)
                case WaitUntil(at_s=at_s):
                    await self._flush(drafts)
                    if not looked:
                        # No append may be due for long, and the append's answer is what else tells of messages.
                        looked = True
                        await self._writer.patiently(self._look_into_inbox)
                    if state.phase is not SagaPhase.FORWARD or not self._cancel_requested.is_set():
                        await self._pause(at_s - self._holding.now_s())
                case Done():
                    await self._flush(drafts)
                    if self._writer.state.phase is SagaPhase.COMPLETED:
                        await self._come_by_the_end()
                    return self._writer.state

    async def _flush(self, drafts: list[Draft], *, unless_called: bool = False) -> bool:
        """Write what was decided; returns ``False`` when refused because of a message."""
        if not drafts:
            return True
        appended = await self._writer.append(tuple(drafts), consume=self._read, unless_called=unless_called)
        if not appended.entries:
            return False
        drafts.clear()
        self._read = 0
        self._check_lease()
        if appended.called and not self._writer.state.phase.ended and not self._cancel_requested.is_set():
            await self._writer.patiently(self._look_into_inbox)
        return True

    def _check_lease(self) -> None:
        # The end of a saga ends its lease, and a renewal under way at that moment calls it lost.
        if self._lost and not self._writer.state.phase.ended:
            raise Fenced(f"the lease of saga {self._writer.saga_id} was taken over")

    # --- carrying out ------------------------------------------------------------------------------------------------

    async def _pause(self, wait_s: float) -> None:
        try:
            await self._attempted(sleep(self._clock, wait_s), float("inf"))
        except Stopped as stopped:
            if stopped.why is Stop.LOST:
                raise Fenced("the lease was taken over") from None

    async def _attempted[T](self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        attempt = Attempt(work, self._clock, timeout_s=timeout_s)
        self._attempt = attempt
        try:
            return await attempt.result()
        finally:
            self._attempt = None

    async def _run_step(self, command: RunStep) -> Draft:
        step, name = command.step, command.step.name
        at = self._writer.state.steps[name]
        left_s = self._writer.state.created_at_s + self._saga.deadline_s - self._holding.now_s()
        timeout_s = min(step.timeout_s, left_s)
        context = self._context(name, command.attempt)
        error: Exception
        try:
            output = await self._attempted(self._guarded(step.run, context), timeout_s)
            json.dumps(output, allow_nan=False)  # what cannot be journaled is the step's failure, not the journal's
            return Draft(kind=EntryKind.STEP_FINISHED, step=name, attempt=command.attempt, data=output)
        except Stopped as stopped:
            if stopped.why is Stop.LOST:
                raise Fenced("the lease was taken over") from None
            if stopped.why is Stop.CANCEL:
                # What the step did is in doubt; its compensation, which comes next, undoes it either way.
                return _failed(EntryKind.STEP_FAILED, command, {"code": "cancelled"}, None)
            if left_s <= step.timeout_s:
                error = DeadlineExceeded(limit_s=self._saga.deadline_s)
            else:
                error = StepTimedOut(step=name, limit_s=step.timeout_s)
        except Exception as raised:
            error = raised
        failures, elapsed_s = at.failures + 1, self._holding.now_s() - at.started_at_s
        wait_s = step.retry.wait_s(error, failures=failures, elapsed_s=elapsed_s, rng=self._rng)
        self._log_failure("step", name, command.attempt, wait_s, error)
        described = describe(error)
        if wait_s is None and is_retryable(error) and failures > 1:
            cause = described
            described = describe(StepExhausted(step=name, attempts=failures, reason=str(error))) | {"cause": cause}
        return _failed(EntryKind.STEP_FAILED, command, described | {"step": name}, self._at(wait_s))

    async def _undo_step(self, command: UndoStep) -> Draft:
        step, name = command.step, command.step.name
        at = self._writer.state.steps[name]
        timeout_s = self._saga.undo_timeout_s
        context = self._context(name, command.attempt, compensating=True)
        error: Exception
        try:
            await self._attempted(self._guarded(step.compensate, context), timeout_s)
            return Draft(kind=EntryKind.COMPENSATION_FINISHED, step=name, attempt=command.attempt)
        except Stopped as stopped:
            if stopped.why is Stop.LOST:
                raise Fenced("the lease was taken over") from None
            error = StepTimedOut(step=name, limit_s=timeout_s)
        except Exception as raised:
            error = raised
        # Here every error is tried again: giving up leaves orphans, which is worse than trying in vain.
        failure = CompensationFailed(step=name, reason=str(error) or type(error).__name__)
        failure.__cause__ = error
        elapsed_s = self._holding.now_s() - (at.undo_started_at_s or self._holding.now_s())
        wait_s = self._saga.undo_retry.wait_s(
            failure, failures=at.undo_failures + 1, elapsed_s=elapsed_s, rng=self._rng
        )
        self._log_failure("compensation of", name, command.attempt, wait_s, error)
        described = describe(failure) | {"step": name, "cause": describe(error)}
        return _failed(EntryKind.COMPENSATION_FAILED, command, described, self._at(wait_s))

    async def _guarded[T](self, work: Callable[[StepContext], Awaitable[T]], context: StepContext) -> T:
        if not self._failpoints.armed:
            return await work(context)
        await context.reach("before")
        result = await work(context)
        if context.step != self._saga.last or context.compensating:
            await context.reach("after")
        return result

    async def _come_by_the_end(self) -> None:
        """Behind the pivot a drill may kill the coordinator, but an error changes nothing any more."""
        if self._failpoints.armed and self._saga.last:
            try:
                await self._failpoints.reach(self._writer.saga_id, f"{self._saga.last}.after")
            except (FailpointReached, InfrastructureError) as error:
                log.warning("saga %s has completed: %s", self._writer.saga_id, error)

    def _context(self, name: str, attempt: int, *, compensating: bool = False) -> StepContext:
        writer, saga_id = self._writer, self._writer.saga_id

        async def note(child: str | None, data: Mapping[str, Any]) -> None:
            payload = {"note": data} if child is None else {"sub": child, "note": data}
            appended = await writer.note(Draft(kind=EntryKind.NOTED, step=name, attempt=attempt, data=payload))
            if appended.called:
                self.call()

        async def come_by(point: str) -> None:
            await self._failpoints.reach(saga_id, point)

        return StepContext(
            saga_id=saga_id,
            step=name,
            lease=self._holding.lease,
            attempt=attempt,
            input=writer.state.input,
            outputs=writer.state.outputs,
            noted=[(noted.sub, noted.data) for noted in writer.state.steps[name].notes],
            compensating=compensating,
            reason=writer.state.reason,
            cancel_requested=self._cancel_requested,
            clock=self._clock,
            journal_note=note,
            come_by=come_by,
        )

    def _at(self, wait_s: float | None) -> float | None:
        return None if wait_s is None else self._holding.now_s() + wait_s

    def _log_failure(self, what: str, name: str, attempt: int, wait_s: float | None, error: Exception) -> None:
        then = "giving up" if wait_s is None else f"again in {wait_s:.1f} s"
        log.warning("saga %s: %s %s, attempt %d: %r; %s", self._writer.saga_id, what, name, attempt, error, then)


def _draft(kind: EntryKind, command: RunStep | UndoStep) -> Draft:
    return Draft(kind=kind, step=command.step.name, attempt=command.attempt)


def _failed(kind: EntryKind, command: RunStep | UndoStep, error: Mapping[str, Any], retry_at_s: float | None) -> Draft:
    fate: dict[str, Any] = {"final": True} if retry_at_s is None else {"retry_at_s": retry_at_s}
    return Draft(kind=kind, step=command.step.name, attempt=command.attempt, data={"error": dict(error), **fate})
