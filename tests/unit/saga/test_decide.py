"""The fold and the decision, as tables read them."""

from typing import Any

import pytest

from farm.errors import SagaError
from farm.saga.decide import Compensate, Done, Finish, RunStep, UndoStep, WaitUntil, decide
from farm.saga.fold import PHASES, fold
from farm.saga.journal import ENDINGS, Entry, EntryKind
from farm.saga.state import SagaPhase, SagaState, StepStatus
from farm.saga.step import SagaDefinition
from tests.unit.saga.sagas import Scripted

K = EntryKind
SAGA = SagaDefinition(name="two", steps=(Scripted("one", []), Scripted("two", [])), deadline_s=1000.0)
ERROR = {"code": "x"}
type Part = tuple[EntryKind, str | None, dict[str, Any]]


def told(*parts: Part) -> SagaState:
    """The state after a journal that begins with CREATED at time 0, one entry a second."""
    entries = [Entry(seq=1, kind=K.CREATED, at_s=0.0)]
    for n, (kind, step, data) in enumerate(parts):
        entries.append(Entry(seq=n + 2, kind=kind, step=step, attempt=1, data=data, at_s=n + 1.0))
    return fold(entries)


STARTED: Part = (K.STEP_STARTED, "one", {})
FINISHED: Part = (K.STEP_FINISHED, "one", {"made": 1})
STARTED_TWO: Part = (K.STEP_STARTED, "two", {})
TURNED: Part = (K.COMPENSATING, None, {"reason": "failed", "error": ERROR})
CANCELLED: Part = (K.COMPENSATING, None, {"reason": "cancelled", "error": None})


def test_a_new_saga_runs_its_first_step() -> None:
    assert decide(told(), SAGA, 1.0) == RunStep(step=SAGA.steps[0], attempt=1)


def test_a_step_that_a_crash_cut_short_runs_again() -> None:
    assert decide(told(STARTED), SAGA, 1.0) == RunStep(step=SAGA.steps[0], attempt=2)


def test_a_finished_step_does_not() -> None:
    assert decide(told(STARTED, FINISHED), SAGA, 1.0) == RunStep(step=SAGA.steps[1], attempt=1)


def test_a_failed_step_waits_its_time() -> None:
    state = told(STARTED, (K.STEP_FAILED, "one", {"error": ERROR, "retry_at_s": 9.0}))
    assert decide(state, SAGA, 5.0) == WaitUntil(at_s=9.0)
    assert decide(state, SAGA, 9.0) == RunStep(step=SAGA.steps[0], attempt=2)


def test_no_wait_outlasts_the_deadline() -> None:
    state = told(STARTED, (K.STEP_FAILED, "one", {"error": ERROR, "retry_at_s": 5000.0}))
    assert decide(state, SAGA, 5.0) == WaitUntil(at_s=1000.0)
    turned = decide(state, SAGA, 1000.0)
    assert isinstance(turned, Compensate)
    assert turned.error is not None
    assert turned.error["code"] == "deadline_exceeded"


def test_a_step_given_up_turns_the_saga_back() -> None:
    state = told(STARTED, (K.STEP_FAILED, "one", {"error": ERROR, "final": True}))
    assert decide(state, SAGA, 5.0) == Compensate(reason="failed", error=ERROR)


def test_an_output_may_have_a_member_called_final() -> None:
    state = told(STARTED, (K.STEP_FINISHED, "one", {"final": True}))
    assert state.steps["one"].status is StepStatus.FINISHED


def test_a_cancel_turns_it_back_before_anything_else() -> None:
    assert decide(told(STARTED, FINISHED), SAGA, 5.0, cancelled=True) == Compensate(reason="cancelled")


def test_all_finished_is_the_pivot_even_past_the_deadline() -> None:
    state = told(STARTED, FINISHED, STARTED_TWO, (K.STEP_FINISHED, "two", {}))
    assert decide(state, SAGA, 5000.0) == Finish(kind=K.COMPLETED)
    assert decide(told(STARTED, FINISHED, (K.COMPLETED, None, {})), SAGA, 1.0) == Done()


def test_undoing_begins_with_the_step_in_doubt_and_goes_back() -> None:
    turned = told(STARTED, FINISHED, STARTED_TWO, TURNED)
    assert decide(turned, SAGA, 5.0, cancelled=True) == UndoStep(step=SAGA.steps[1], attempt=1)
    undone: tuple[Part, ...] = (K.COMPENSATION_STARTED, "two", {}), (K.COMPENSATION_FINISHED, "two", {})
    one_left = told(STARTED, FINISHED, STARTED_TWO, TURNED, *undone)
    assert decide(one_left, SAGA, 5.0) == UndoStep(step=SAGA.steps[0], attempt=1)


def test_with_nothing_to_undo_it_ends() -> None:
    failed = {"error": ERROR, "compensation_pending": False, "steps_left": []}
    assert decide(told(TURNED), SAGA, 5.0) == Finish(kind=K.FAILED, data=failed)
    assert decide(told(CANCELLED), SAGA, 5.0) == Finish(kind=K.CANCELLED)


def test_a_stuck_compensation_leaves_the_rest_as_it_is() -> None:
    stuck: tuple[Part, ...] = (
        (K.COMPENSATION_STARTED, "two", {}),
        (K.COMPENSATION_FAILED, "two", {"error": ERROR, "final": True}),
    )
    command = decide(told(STARTED, FINISHED, STARTED_TWO, CANCELLED, *stuck), SAGA, 5.0)
    assert isinstance(command, Finish)
    assert command.kind is K.FAILED
    assert command.data["compensation_pending"]
    assert command.data["steps_left"] == ["two", "one"]
    assert command.data["error"] == ERROR


def test_what_is_not_in_the_table_is_refused() -> None:
    for phase in SagaPhase:
        for kind in EntryKind:
            state = SagaState(phase=phase, seq=5)
            entry = Entry(seq=6, kind=kind, data={"reason": "failed"}, at_s=1.0)
            if (phase, kind) not in PHASES or phase is SagaPhase.FAILED:
                with pytest.raises(SagaError):
                    fold([entry], state)


def test_nothing_follows_an_end_but_a_pending_compensation() -> None:
    assert [(phase, kind) for phase, kind in PHASES if phase.ended] == [(SagaPhase.FAILED, K.COMPENSATING)]
    assert {kind for (_, kind), phase in PHASES.items() if phase.ended} == ENDINGS


@pytest.mark.parametrize(
    "entry",
    [
        Entry(seq=3, kind=K.STEP_STARTED, step="one", at_s=1.0),
        Entry(seq=2, kind=K.STEP_STARTED, at_s=1.0),
        Entry(seq=2, kind=K.STEP_FINISHED, step="one", at_s=1.0),
        Entry(seq=2, kind=K.NOTED, step="one", data={"note": {}}, at_s=1.0),
        Entry(seq=2, kind=K.STEP_STARTED, step="one", at_s=1.0, version=2),
    ],
)
def test_a_damaged_journal_is_refused(entry: Entry) -> None:
    with pytest.raises(SagaError):
        fold([entry], told())


def test_folding_in_parts_is_folding_at_once() -> None:
    parts = [STARTED, (K.NOTED, "one", {"note": {"a": 1}, "sub": "x"}), FINISHED, STARTED_TWO, TURNED]
    whole = told(*parts)
    head = told(*parts[:2])
    entries = [
        Entry(seq=n + 2, kind=kind, step=step, attempt=1, data=data, at_s=n + 1.0)
        for n, (kind, step, data) in enumerate(parts)
    ]
    assert fold(entries[2:], head) == whole
    assert whole.steps["one"].notes[0].sub == "x"
