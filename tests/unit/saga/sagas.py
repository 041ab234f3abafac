"""A saga of scripted steps with an engine over the store in memory, on a clock that only moves when told."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from farm.adapters.memory_journal import open_memory
from farm.saga.clock import FakeClock
from farm.saga.engine import Engine
from farm.saga.failpoint import Failpoints, parse_failpoints
from farm.saga.fold import fold
from farm.saga.journal import Draft, Entry, EntryKind, Projection
from farm.saga.lease import Lease
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaState
from farm.saga.step import SagaDefinition, Step, StepContext

Act = Callable[[StepContext], Awaitable[Mapping[str, Any] | None]]
TTL_S = 30.0
THRICE = RetryPolicy(max_attempts=3, base_s=1.0)


@dataclass
class Scripted:
    """Runs its acts one after the other, one per attempt; the last one again and again.

    Attributes:
        trace: shared; what ran, in order.
    """

    name: str
    trace: list[str]
    acts: Sequence[Act] = ()
    undos: Sequence[Act] = ()
    retry: RetryPolicy = THRICE
    timeout_s: float = 60.0
    contexts: list[StepContext] = field(default_factory=list)

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        self.trace.append(self.name)
        self.contexts.append(ctx)
        count = sum(not context.compensating for context in self.contexts)
        result = await self.acts[min(count, len(self.acts)) - 1](ctx) if self.acts else None
        return {"by": self.name} if result is None else result

    async def compensate(self, ctx: StepContext) -> None:
        self.trace.append(f"-{self.name}")
        self.contexts.append(ctx)
        count = sum(context.compensating for context in self.contexts)
        if self.undos:
            await self.undos[min(count, len(self.undos)) - 1](ctx)


def failing(error: BaseException) -> Act:
    """An act that raises."""

    async def act(_ctx: StepContext) -> None:
        raise error

    return act


async def fine(_ctx: StepContext) -> None:
    """An act that succeeds."""


async def hanging(_ctx: StepContext) -> None:
    """An act that never ends by itself."""
    await asyncio.Event().wait()


def project(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
    return Projection(
        record={"id": saga_id, "phase": state.phase, "error": state.error},
        index={"phase": state.phase},
        created_at_s=state.created_at_s,
        live=state.live,
        events=[{"kind": entry.kind} for entry in new],
    )


class Stage:
    """A store, a clock and an engine; sagas are born and driven here."""

    def __init__(self, *steps: Step, failpoints: str = "", deadline_s: float = float("inf")) -> None:
        self.clock = FakeClock()
        self.store = open_memory(self.clock)
        self.killed = 0
        self.saga = SagaDefinition(name="scripted", steps=steps, deadline_s=deadline_s, undo_retry=THRICE)
        self.engine = self.another_engine(failpoints)

    def another_engine(self, failpoints: str = "") -> Engine:
        points = Failpoints(parse_failpoints(failpoints), self.store.counters, kill=self._kill)
        return Engine(self.store, projector=project, clock=self.clock, failpoints=points, rng=Random(1))

    def _kill(self) -> None:
        self.killed += 1
        raise asyncio.CancelledError  # as near to a killed process as one may come within one

    async def born(self, saga_id: str = "s", data: Mapping[str, Any] | None = None) -> None:
        data = data or {}
        draft = Draft(kind=EntryKind.CREATED, data=data)
        entry = Entry(seq=1, kind=draft.kind, data=data, at_s=self.clock.wall_s())
        await self.store.journal.create(saga_id, (draft,), project(saga_id, fold((entry,)), (entry,)))

    async def lease(self, saga_id: str = "s", owner: str = "me") -> Lease:
        lease = await self.store.leases.acquire(saga_id, owner, TTL_S)
        assert lease is not None
        return lease

    async def run(self, data: Mapping[str, Any] | None = None) -> SagaState:
        """A saga from its birth to its end."""
        await self.born(data=data)
        return await self.clock.run(self.engine.drive(await self.lease(), self.saga))

    async def start(self) -> "asyncio.Task[SagaState]":
        """A saga under way."""
        await self.born()
        task = asyncio.ensure_future(self.engine.drive(await self.lease(), self.saga))
        await self.clock.advance(0)
        return task

    async def kinds(self, saga_id: str = "s") -> list[str]:
        """The journal in short: ``kind`` or ``kind:step``."""
        entries = await self.store.journal.load(saga_id)
        return [entry.kind + (f":{entry.step}" if entry.step else "") for entry in entries]
