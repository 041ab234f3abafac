"""A job's way through the seven steps, read the same from both sagas.

The granular saga journals the steps themselves; the simple one runs them inside one engine step and notes their starts
and ends. Whoever reads a `Trail` need not know which it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from farm.domain.event import rfc3339
from farm.domain.status import Status
from farm.saga.state import SagaPhase, SagaState, StepState, StepStatus

STEPS = (
    "create_job",
    "upload_design",
    "compose_design",
    "render_design",
    "store_outputs",
    "associate_media",
    "complete_job",
)
FILM = "film"
"""What the film is called among a job's extras; the model is `farm.domain.fingerprint.MODEL`."""
LEFT_OUT = "extra_left_out"
"""The note, and the warning, of an extra that could not be made; it is not begun again after a crash."""


@dataclass(slots=True, kw_only=True)
class Passage:
    """One of the seven steps as it went."""

    name: str
    started_at_s: float
    finished_at_s: float | None = None
    attempts: int = 1
    output: Mapping[str, Any] = field(default_factory=dict)
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    status: str = "running"
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    passages: Mapping[str, Passage]
    current: str | None
    last_error: Mapping[str, Any] | None

    @classmethod
    def of(cls, state: SagaState) -> Self:
        """The trail of a saga, whichever of the two it is."""
        passages: dict[str, Passage] = {}
        for step in state.steps.values():
            if step.name in STEPS:
                passages[step.name] = _granular(step)
            else:
                passages.update(_simple(step))
        errors = [step.error for step in state.steps.values() if step.error]
        errors += [note["error"] for passage in passages.values() for note in passage.notes if note.get("error")]
        return cls(passages=passages, current=_current(state, passages), last_error=errors[-1] if errors else None)

    def output(self, step: str) -> Mapping[str, Any]:
        passage = self.passages.get(step)
        return passage.output if passage else {}

    def notes(self, step: str) -> Sequence[Mapping[str, Any]]:
        passage = self.passages.get(step)
        return passage.notes if passage else ()

    def warnings(self) -> list[Mapping[str, Any]]:
        """What the steps found that the caller should know."""
        return [warning for passage in self.passages.values() for warning in passage.output.get("warnings", [])]

    @property
    def status(self) -> Status:
        """The job's status by the furthest step it entered."""
        if "render_design" in self.passages:
            return Status.RENDERING
        return Status.COMPOSITING if "compose_design" in self.passages else Status.PENDING

    @property
    def started_at(self) -> str | None:
        starts = [passage.started_at_s for passage in self.passages.values()]
        return rfc3339(min(starts)) if starts else None

    @property
    def rendering_since_s(self) -> float | None:
        passage = self.passages.get("render_design")
        return passage.started_at_s if passage else None

    def timeline(self) -> list[dict[str, Any]]:
        """Every step entered, in order, with its status, attempts and times."""
        return [
            {
                "step": passage.name,
                "status": passage.status,
                "attempts": passage.attempts,
                "started_at": rfc3339(passage.started_at_s),
                "finished_at": rfc3339(passage.finished_at_s) if passage.finished_at_s is not None else None,
                "error": passage.error,
            }
            for passage in self.passages.values()
        ]


def _current(state: SagaState, passages: Mapping[str, Passage]) -> str | None:
    if state.phase is SagaPhase.COMPENSATING:
        undoing = [passage.name for passage in passages.values() if passage.status.startswith("undo")]
        if undoing:
            return undoing[0]
    return next(reversed(list(passages)), None)


def _granular(step: StepState) -> Passage:
    return Passage(
        name=step.name,
        started_at_s=step.started_at_s,
        finished_at_s=step.finished_at_s,
        attempts=step.attempts,
        output=step.output or {},
        notes=[noted.data for noted in step.notes],
        status=str(step.status),
        error=step.error,
    )


def _simple(step: StepState) -> Mapping[str, Passage]:
    """The seven steps inside a composite, by the notes it keeps (see `farm.saga.composite`)."""
    passages: dict[str, Passage] = {}
    for noted in step.notes:
        note = noted.data
        name = noted.sub or note.get("started") or note.get("finished") or note.get("undone")
        if name is None:
            continue
        # The first step is undone also where it never began: what the saga's creator did is part of its effect.
        passage = passages.setdefault(name, Passage(name=name, started_at_s=noted.at_s))
        if noted.sub is not None:
            passage.notes.append(note)
        elif "finished" in note:
            passage.status, passage.finished_at_s, passage.output = "finished", noted.at_s, note["output"]
        elif "undone" in note:
            passage.status = "undone"
    _pass_on_trouble(step, [passage for passage in passages.values() if passage.status == "running"])
    return passages


def _pass_on_trouble(step: StepState, running: Sequence[Passage]) -> None:
    """A composite fails as a whole; it was the step that had not finished."""
    for passage in running[-1:]:
        passage.attempts = step.attempts
        passage.error = step.error
        if step.status is not StepStatus.RUNNING:
            passage.status = str(step.status)
