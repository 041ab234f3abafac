"""The decision: from a state to the next command. Pure; all the engine does is carry commands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.errors import DeadlineExceeded, SagaError, describe
from farm.saga.journal import EntryKind
from farm.saga.state import SagaPhase, SagaState, StepState, StepStatus
from farm.saga.step import SagaDefinition, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Start this attempt of this step."""

    step: Step
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoStep:
    """Start this attempt of this step's compensation."""

    step: Step
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Nothing to do before ``at_s``, the store's time."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensate:
    """Turn back: write `COMPENSATING`."""

    reason: str
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Write the ending."""

    kind: EntryKind
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It has ended; nothing is left to do."""


Command = RunStep | UndoStep | WaitUntil | Compensate | Finish | Done

FAILED, CANCELLED = "failed", "cancelled"
"""Reasons to compensate."""


def decide(state: SagaState, saga: SagaDefinition, now_s: float, *, cancelled: bool = False) -> Command:
    """What to do next.

    Args:
        state: where the saga stands.
        saga: what it is made of.
        now_s: the store's time.
        cancelled: whether a cancel waits in the inbox.

    Raises:
        SagaError: when the journal names a step that the definition lacks.
    """
    if state.phase is SagaPhase.NEW:
        raise SagaError(reason="the journal is empty")
    if state.phase.ended:
        return Done()
    return _undo(state, saga, now_s) if state.phase is SagaPhase.COMPENSATING else _go_on(state, saga, now_s, cancelled)


def _go_on(state: SagaState, saga: SagaDefinition, now_s: float, cancelled: bool) -> Command:
    if cancelled:
        return Compensate(reason=CANCELLED)
    for step in saga.steps:
        at = state.steps.get(step.name)
        if at is not None and at.status is StepStatus.FINISHED:
            continue
        if at is not None and at.status is StepStatus.EXHAUSTED:
            return Compensate(reason=FAILED, error=at.error)
        deadline_s = state.created_at_s + saga.deadline_s
        if now_s >= deadline_s:
            return Compensate(reason=FAILED, error=describe(DeadlineExceeded(limit_s=saga.deadline_s)))
        if at is not None and at.status is StepStatus.WAITING and at.retry_at_s > now_s:
            return WaitUntil(at_s=min(at.retry_at_s, deadline_s))
        return RunStep(step=step, attempt=at.attempts + 1 if at else 1)
    return Finish(kind=EntryKind.COMPLETED)


def _undo(state: SagaState, saga: SagaDefinition, now_s: float) -> Command:
    left = [at for at in state.steps.values() if at.status is not StepStatus.UNDONE]
    if not left:
        return _ending(state)
    last = left[-1]
    if last.status is StepStatus.STUCK:
        # The steps before it stay as they are: their undoing may lean on this one's having been undone.
        names = [at.name for at in reversed(left)]
        data = {"error": state.error or last.error, "compensation_pending": True, "steps_left": names}
        return Finish(kind=EntryKind.FAILED, data={**data, "compensation_error": last.error})
    if last.status is StepStatus.UNDO_WAITING and last.retry_at_s > now_s:
        return WaitUntil(at_s=last.retry_at_s)
    return UndoStep(step=_step(saga, last), attempt=last.undo_attempts + 1)


def _ending(state: SagaState) -> Finish:
    # A saga that was left as failed with its compensation pending stays failed, also if it began with a cancel.
    if state.reason == CANCELLED and not state.resumed:
        return Finish(kind=EntryKind.CANCELLED)
    return Finish(kind=EntryKind.FAILED, data={"error": state.error, "compensation_pending": False, "steps_left": []})


def _step(saga: SagaDefinition, at: StepState) -> Step:
    try:
        return saga.step(at.name)
    except KeyError:
        raise SagaError(reason=f"the journal names step {at.name!r}, which saga {saga.name!r} lacks") from None


__all__ = [
    "CANCELLED", "FAILED", "Command", "Compensate", "Done", "Finish", "RunStep", "UndoStep", "WaitUntil", "decide",
]  # fmt: skip
