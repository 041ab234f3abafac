"""The world around a saga in the property test: gates where steps wait for their fate, and wires that can be cut."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from farm.errors import InfrastructureError, InvalidRequest, StoreUnavailable
from farm.saga.fold import fold
from farm.saga.journal import Entry, Projection
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaState
from farm.saga.step import StepContext
from farm.saga.store import Store

THRICE = RetryPolicy(max_attempts=3, base_s=1.0)


class Fate(StrEnum):
    """How an attempt goes on from its gate."""

    FINISH = "finish"
    NOTE = "note"
    FAIL = "fail"
    GIVE_UP = "give up"


@dataclass
class World:
    """What the steps change, and where they wait.

    Attributes:
        effects: names of steps whose effect is there.
        gates: attempts that wait to be told how they end, oldest first.
    """

    effects: set[str] = field(default_factory=set)
    gates: list[tuple[str, asyncio.Future[Fate]]] = field(default_factory=list)

    async def fate(self, name: str) -> Fate:
        gate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        item = (name, gate)
        self.gates.append(item)
        try:
            return await gate
        finally:
            self.gates.remove(item)


@dataclass(frozen=True)
class GatedStep:
    """Has its effect at once, then waits: an attempt that fails or is cut short leaves its effect behind."""

    name: str
    world: World
    retry: RetryPolicy = THRICE
    timeout_s: float = 60.0

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        self.world.effects.add(self.name)
        while (fate := await self.world.fate(self.name)) is Fate.NOTE:
            await ctx.note({"n": len(ctx.notes)})
        if fate is Fate.FAIL:
            raise InfrastructureError(reason="the weather")
        if fate is Fate.GIVE_UP:
            raise InvalidRequest(reason="hopeless")
        return {"made": self.name, "notes": len(ctx.notes)}

    async def compensate(self, ctx: StepContext) -> None:
        while (fate := await self.world.fate(f"undo {self.name}")) is Fate.NOTE:
            await ctx.note({"undone": len(ctx.notes)})
        if fate in (Fate.FAIL, Fate.GIVE_UP):
            raise InfrastructureError(reason="still raining")
        self.world.effects.discard(self.name)


@dataclass
class Wire:
    """The way from one coordinator to the store."""

    dead: bool = False
    cut: bool = False
    loses_next_answer: bool = False


class _Wired:
    def __init__(self, port: object, wire: Wire) -> None:
        self._port, self._wire = port, wire

    def __getattr__(self, name: str) -> object:
        method = getattr(self._port, name)

        async def call(*args: object, **kwargs: object) -> object:
            if self._wire.dead:
                await asyncio.Event().wait()
            if self._wire.cut:
                raise StoreUnavailable(reason="cut")
            answer = await method(*args, **kwargs)
            await asyncio.sleep(0)  # an answer takes its way, and much can happen meanwhile
            if name == "append" and self._wire.loses_next_answer:
                self._wire.loses_next_answer = False
                raise StoreUnavailable(reason="the answer was lost")
            return answer

        return call


def wired(store: Store, wire: Wire) -> Store:
    """The store as seen through ``wire``."""
    return Store(
        journal=cast(Any, _Wired(store.journal, wire)),
        leases=cast(Any, _Wired(store.leases, wire)),
        inbox=cast(Any, _Wired(store.inbox, wire)),
        counters=cast(Any, _Wired(store.counters, wire)),
        doorbell=store.doorbell,
        records=store.records,
        events=store.events,
        due=store.due,
        close=store.close,
        ping=store.ping,
    )


def project(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
    """A record that says where the saga stands, and one event per entry."""
    return Projection(
        record={"id": saga_id, "phase": state.phase, "pending": state.compensation_pending},
        index={"phase": state.phase},
        created_at_s=state.created_at_s,
        live=state.live,
        events=[{"kind": entry.kind, "step": entry.step} for entry in new],
    )


def born(entry: Entry) -> SagaState:
    """The state of a saga that was just created."""
    return fold((entry,))
