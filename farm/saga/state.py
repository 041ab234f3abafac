"""The state of a saga: a fold over its journal, with tables saying what may follow what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class SagaPhase(StrEnum):
    NEW = "new"
    FORWARD = "forward"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (SagaPhase.COMPLETED, SagaPhase.FAILED, SagaPhase.CANCELLED)


class StepStatus(StrEnum):
    RUNNING = "running"
    """Started; perhaps by a coordinator that is no more."""
    WAITING = "waiting"
    """Failed, will be tried again."""
    EXHAUSTED = "exhausted"
    """Failed for good."""
    FINISHED = "finished"
    UNDOING = "undoing"
    UNDO_WAITING = "undo_waiting"
    STUCK = "stuck"
    """Its compensation failed for good; a person has to look, then `Engine.resume_compensation`."""
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One note of a step; ``sub`` names the child context it came from."""

    sub: str | None
    attempt: int
    at_s: float
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """Where one started step stands.

    Attributes:
        attempts: starts, including those a crash cut short.
        failures: of the run.
        undo_attempts: starts of the compensation.
        undo_failures: of the compensation, since it was last taken up.
        retry_at_s: the store's time of the next attempt, while waiting.
    """

    name: str
    status: StepStatus
    attempts: int = 1
    failures: int = 0
    undo_attempts: int = 0
    undo_failures: int = 0
    output: Mapping[str, Any] | None = None
    notes: tuple[Noted, ...] = ()
    error: Mapping[str, Any] | None = None
    started_at_s: float
    """Of the first attempt."""
    finished_at_s: float | None = None
    retry_at_s: float = 0.0
    undo_started_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaState:
    """All a coordinator knows of a saga.

    Attributes:
        seq: of the last entry.
        steps: the started ones by name, in the order of their start.
        reason: ``failed`` or ``cancelled`` once it compensates.
        error: why it failed, as `farm.errors.describe` puts it.
        compensation_pending: it ended as failed with ``steps_left`` not undone.
        resumed: it had ended so, and its compensation was taken up again.
    """

    phase: SagaPhase = SagaPhase.NEW
    seq: int = 0
    input: Mapping[str, Any] = field(default_factory=dict)
    created_at_s: float = 0.0
    updated_at_s: float = 0.0
    ended_at_s: float | None = None
    steps: Mapping[str, StepState] = field(default_factory=dict)
    reason: str | None = None
    error: Mapping[str, Any] | None = None
    compensation_pending: bool = False
    resumed: bool = False
    steps_left: Sequence[str] = ()

    @property
    def live(self) -> bool:
        """Whether somebody has to drive it."""
        return not self.phase.ended

    @property
    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """Outputs of the finished steps, by name."""
        return {name: step.output for name, step in self.steps.items() if step.output is not None}
