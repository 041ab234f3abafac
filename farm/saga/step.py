"""The step: one effect of a saga with the way to undo it; and what it is given to work with."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from farm.saga.clock import Clock, SystemClock
from farm.saga.lease import Lease
from farm.saga.retry import PATIENT, RetryPolicy

RESERVED_NAMES = frozenset({"journal", "compensate"})
"""Not for steps: these begin the names of failpoints."""

Note = Callable[[str | None, Mapping[str, Any]], Awaitable[None]]
"""Journals a note: name of the child context or ``None``, and the data."""
Reach = Callable[[str], Awaitable[None]]
"""Comes by a failpoint, by its full name."""


async def _pass_by(_point: str) -> None:
    """A failpoint outside of an engine: nothing is set."""


@dataclass(slots=True, kw_only=True)
class StepContext:
    """What a step knows and may do while it runs or is undone.

    Attributes:
        saga_id: whose step this is.
        step: its name; in a child context the child's.
        lease: by which the engine drives the saga; the epoch fences what the step writes elsewhere.
        attempt: from 1, counts every start of this step (or of its compensation), also those a crash cut short.
        input: the ``data`` of the saga's `CREATED` entry.
        outputs: of the steps finished before this one (and, while undoing, of this one), by name.
        compensating: whether this is the undoing.
        reason: of the undoing: ``failed`` or ``cancelled``.
        cancel_requested: set when somebody wants the saga cancelled; the engine also cancels the step's task.
        clock: for waits and deadlines.
        child: in a child context its name.
        noted: all notes of the step with the child they came from; read `notes` instead.
        journal_note: the engine's; without it notes live as long as this object (a step run by hand).
        come_by: the engine's failpoints.
    """

    saga_id: str
    step: str
    lease: Lease
    attempt: int
    input: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    compensating: bool = False
    reason: str | None = None
    cancel_requested: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = field(default_factory=SystemClock)
    child: str | None = None
    noted: list[tuple[str | None, Mapping[str, Any]]] = field(default_factory=list)
    journal_note: Note | None = None
    come_by: Reach = _pass_by

    @property
    def output(self) -> Mapping[str, Any] | None:
        """This step's own output: while undoing, ``None`` when it never finished."""
        return self.outputs.get(self.step)

    @property
    def notes(self) -> Sequence[Mapping[str, Any]]:
        """What was noted here so far, oldest first, in this and in earlier attempts, forward and undoing."""
        return [data for child, data in self.noted if child == self.child]

    @property
    def token(self) -> str:
        """Names this attempt and no other, of this coordinator and no other."""
        return f"{self.step}-{self.attempt}-{self.lease.epoch}"

    async def note(self, data: Mapping[str, Any]) -> None:
        """Remember something across crashes: it is journaled when this returns. Safe to call from parallel tasks."""
        if self.journal_note is not None:
            await self.journal_note(self.child, data)
        self.noted.append((self.child, data))

    async def reach(self, point: str = "inside") -> None:
        """Come by the failpoint ``<step>.<point>`` (``compensate.<step>.<point>`` while undoing).

        Raises:
            FailpointReached: when it is set to ``raise``.
        """
        await self.come_by(f"compensate.{self.step}.{point}" if self.compensating else f"{self.step}.{point}")

    def sub(self, name: str) -> "StepContext":
        """A child context: own failpoints, notes and output, within this attempt; see `farm.saga.composite`."""
        return replace(self, step=name, child=name, outputs=dict(self.outputs))


class Step(Protocol):
    """One effect and its undoing.

    Both must be idempotent: they run again after a crash in the middle. Both must end soon after their task was
    cancelled, and leave nothing running behind; a step that swallows its cancellation blocks its saga.
    """

    @property
    def name(self) -> str: ...

    @property
    def retry(self) -> RetryPolicy: ...

    @property
    def timeout_s(self) -> float:
        """How long one attempt may take."""
        ...

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        """Do it; returns the output, JSON, kept in the journal: keys and hashes, never bytes."""
        ...

    async def compensate(self, ctx: StepContext) -> None:
        """Undo it, whether it finished, failed or was cut short; undoing what never happened is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaDefinition:
    """The steps of a saga, in order.

    Attributes:
        deadline_s: after this long since its creation a saga that has not ended is compensated.
        last: the step whose ``after`` failpoint lies behind the pivot, where nothing can fail the saga any more.
        undo_retry: how patiently each compensation is tried before the saga is left with its compensation pending.
        undo_timeout_s: how long one attempt of a compensation may take.
    """

    name: str
    steps: tuple[Step, ...]
    last: str = ""
    deadline_s: float = float("inf")
    undo_retry: RetryPolicy = PATIENT
    undo_timeout_s: float = 120.0

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(set(names)) != len(names) or not RESERVED_NAMES.isdisjoint(names):
            raise ValueError(f"steps need names of their own, none of {sorted(RESERVED_NAMES)}: {names}")

    def step(self, name: str) -> Step:
        """The step of that name.

        Raises:
            KeyError: when there is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)
