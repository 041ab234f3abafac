"""The fold: from a journal to a state, entry by entry. Pure; the first run and every resume use it alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from farm.errors import SagaError
from farm.saga.journal import ENDINGS, ENTRY_VERSION, Entry, EntryKind
from farm.saga.state import Noted, SagaPhase, SagaState, StepState, StepStatus

_K, _P, _S = EntryKind, SagaPhase, StepStatus
type _Changes = dict[str, Any]
"""Fields of a state that an entry sets."""

PHASES: Mapping[tuple[SagaPhase, EntryKind], SagaPhase] = {
    (_P.NEW, _K.CREATED): _P.FORWARD,
    (_P.FORWARD, _K.STEP_STARTED): _P.FORWARD,
    (_P.FORWARD, _K.STEP_FINISHED): _P.FORWARD,
    (_P.FORWARD, _K.STEP_FAILED): _P.FORWARD,
    (_P.FORWARD, _K.NOTED): _P.FORWARD,
    (_P.FORWARD, _K.COMPENSATING): _P.COMPENSATING,
    (_P.FORWARD, _K.COMPLETED): _P.COMPLETED,
    (_P.COMPENSATING, _K.NOTED): _P.COMPENSATING,
    (_P.COMPENSATING, _K.COMPENSATION_STARTED): _P.COMPENSATING,
    (_P.COMPENSATING, _K.COMPENSATION_FINISHED): _P.COMPENSATING,
    (_P.COMPENSATING, _K.COMPENSATION_FAILED): _P.COMPENSATING,
    (_P.COMPENSATING, _K.FAILED): _P.FAILED,
    (_P.COMPENSATING, _K.CANCELLED): _P.CANCELLED,
    (_P.FAILED, _K.COMPENSATING): _P.COMPENSATING,
}
"""What may follow in a saga; the last row only while its compensation is pending."""

STEPS: Mapping[tuple[StepStatus | None, EntryKind], StepStatus] = {
    (None, _K.STEP_STARTED): _S.RUNNING,
    (_S.RUNNING, _K.STEP_STARTED): _S.RUNNING,
    (_S.WAITING, _K.STEP_STARTED): _S.RUNNING,
    (_S.RUNNING, _K.STEP_FINISHED): _S.FINISHED,
    (_S.RUNNING, _K.STEP_FAILED): _S.WAITING,
    (_S.RUNNING, _K.COMPENSATION_STARTED): _S.UNDOING,
    (_S.WAITING, _K.COMPENSATION_STARTED): _S.UNDOING,
    (_S.EXHAUSTED, _K.COMPENSATION_STARTED): _S.UNDOING,
    (_S.FINISHED, _K.COMPENSATION_STARTED): _S.UNDOING,
    (_S.UNDOING, _K.COMPENSATION_STARTED): _S.UNDOING,
    (_S.UNDO_WAITING, _K.COMPENSATION_STARTED): _S.UNDOING,
    (_S.UNDOING, _K.COMPENSATION_FINISHED): _S.UNDONE,
    (_S.UNDOING, _K.COMPENSATION_FAILED): _S.UNDO_WAITING,
}
"""What may follow in a step. A failure marked ``final`` leads to `EXHAUSTED` or `STUCK` instead of waiting."""

_FINAL = {_S.WAITING: _S.EXHAUSTED, _S.UNDO_WAITING: _S.STUCK}


def fold(entries: Iterable[Entry], state: SagaState | None = None) -> SagaState:
    """The state after ``entries``, beginning from ``state`` (or from nothing).

    Raises:
        SagaError: when an entry may not stand where it stands, or a newer version of the farm wrote it.
    """
    state = state or SagaState()
    for entry in entries:
        state = _advance(state, entry)
    return state


def _advance(state: SagaState, entry: Entry) -> SagaState:
    if entry.version > ENTRY_VERSION:
        raise SagaError(reason=f"entry {entry.seq} was written by a newer version of the farm")
    if state.seq == 0 and entry.kind in ENDINGS:
        # All that is left of a compacted journal.
        phase, created_at_s = _P(entry.kind.value), entry.at_s
        return replace(state, phase=phase, seq=entry.seq, created_at_s=created_at_s, **_ended(state, entry))
    following = PHASES.get((state.phase, entry.kind))
    if following is None or entry.seq != state.seq + 1 or (state.phase is _P.FAILED and not state.compensation_pending):
        raise SagaError(reason=f"entry {entry.seq} ({entry.kind}) may not follow {state.seq} ({state.phase})")
    changes = _EFFECTS[entry.kind](state, entry)
    return replace(state, phase=following, seq=entry.seq, updated_at_s=entry.at_s, **changes)


def _created(_state: SagaState, entry: Entry) -> _Changes:
    return {"input": entry.data, "created_at_s": entry.at_s}


def _compensating(state: SagaState, entry: Entry) -> _Changes:
    steps = {
        # A compensation that is taken up again begins with all its attempts.
        name: replace(step, status=_S.UNDO_WAITING, retry_at_s=0.0, undo_failures=0, undo_started_at_s=None)
        if step.status is _S.STUCK
        else step
        for name, step in state.steps.items()
    }
    return {
        "reason": entry.data["reason"],
        "error": entry.data.get("error"),
        "steps": steps,
        "resumed": state.compensation_pending,
        "compensation_pending": False,
        "steps_left": (),
        "ended_at_s": None,
    }


def _ended(state: SagaState, entry: Entry) -> _Changes:
    return {
        "ended_at_s": entry.at_s,
        "error": entry.data.get("error", state.error),
        "compensation_pending": bool(entry.data.get("compensation_pending", False)),
        "steps_left": tuple(entry.data.get("steps_left", ())),
    }


def _step(state: SagaState, entry: Entry) -> _Changes:
    if entry.step is None:
        raise SagaError(reason=f"entry {entry.seq} ({entry.kind}) names no step")
    return {"steps": {**state.steps, entry.step: _advance_step(state.steps.get(entry.step), entry.step, entry)}}


def _advance_step(before: StepState | None, name: str, entry: Entry) -> StepState:
    if entry.kind is _K.NOTED:
        if before is None:
            raise SagaError(reason=f"entry {entry.seq} is a note of {name}, which has not started")
        note = Noted(sub=entry.data.get("sub"), attempt=entry.attempt, at_s=entry.at_s, data=entry.data["note"])
        return replace(before, notes=(*before.notes, note))
    status = STEPS.get((before.status if before else None, entry.kind))
    if status is None:
        raise SagaError(reason=f"entry {entry.seq} ({entry.kind}) may not follow {before.status if before else None}")
    if entry.data.get("final") and entry.kind in _FAILURES:
        status = _FINAL[status]
    if before is None:
        return StepState(name=name, status=status, started_at_s=entry.at_s)
    return replace(before, status=status, **_STEP_EFFECTS[entry.kind](before, entry))


_FAILURES = frozenset({_K.STEP_FAILED, _K.COMPENSATION_FAILED})

_STEP_EFFECTS: Mapping[EntryKind, Callable[[StepState, Entry], _Changes]] = {
    _K.STEP_STARTED: lambda step, entry: {"attempts": step.attempts + 1},
    _K.STEP_FINISHED: lambda step, entry: {"output": entry.data, "finished_at_s": entry.at_s, "error": None},
    _K.STEP_FAILED: lambda step, entry: {
        "failures": step.failures + 1,
        "error": entry.data["error"],
        "retry_at_s": float(entry.data.get("retry_at_s", 0.0)),
    },
    _K.COMPENSATION_STARTED: lambda step, entry: {
        "undo_attempts": step.undo_attempts + 1,
        "undo_started_at_s": step.undo_started_at_s or entry.at_s,
    },
    _K.COMPENSATION_FINISHED: lambda step, entry: {},
    _K.COMPENSATION_FAILED: lambda step, entry: {
        "undo_failures": step.undo_failures + 1,
        "error": entry.data["error"],
        "retry_at_s": float(entry.data.get("retry_at_s", 0.0)),
    },
}

_EFFECTS: Mapping[EntryKind, Callable[[SagaState, Entry], _Changes]] = {
    _K.CREATED: _created,
    _K.COMPENSATING: _compensating,
    _K.COMPLETED: _ended,
    _K.FAILED: _ended,
    _K.CANCELLED: _ended,
    **dict.fromkeys((*_STEP_EFFECTS, _K.NOTED), _step),
}
