"""What the ports of the saga store in memory share: the sagas, and how one is written.

Everything is kept as JSON text, so that what comes out is never the object that went in. No method awaits between
reading and writing, which makes each as atomic as a script in Redis.
"""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from farm.errors import NotFound
from farm.saga.clock import Clock
from farm.saga.event import Event
from farm.saga.journal import Draft, Entry, Projection
from farm.saga.lease import Lease

GLOBAL_EVENTS = 100_000


@dataclass(slots=True)
class MemorySaga:
    """Everything kept of one saga."""

    order: tuple[int, int, str]
    """Priority, highest first; turn, see `farm.adapters.redis_scripts`; id."""
    entries: list[Entry] = field(default_factory=list)
    record: str = "{}"
    notes: dict[str, str] = field(default_factory=dict)
    index: Mapping[str, str] = field(default_factory=dict)
    created_at_s: float = 0.0
    live: bool = True
    epoch: int = 0
    owner: str = ""
    leased: bool = False
    expires_at_s: float = 0.0
    last_append: tuple[int, int, int] = (0, 0, 0)
    """Epoch, expected number and length of the last append: a repetition is known by it."""
    inbox: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    event_count: int = 0


class MemoryWorld:
    """What all the ports share."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sagas: dict[str, MemorySaga] = {}
        self.turn: dict[int, int] = {}
        """By priority: the turn that is being claimed."""
        self.next_turns: dict[tuple[int, str], int] = {}
        self.due: dict[str, float] = {}
        self.epochs = itertools.count(1)
        self.events: deque[Event] = deque(maxlen=GLOBAL_EVENTS)
        self.event_positions = itertools.count(1)
        self.listeners: set[asyncio.Queue[str]] = set()
        self.watchers: set[asyncio.Event] = set()

    def saga(self, saga_id: str) -> MemorySaga:
        try:
            return self.sagas[saga_id]
        except KeyError:
            raise NotFound(kind="saga", id=saga_id) from None

    def held(self, saga: MemorySaga) -> bool:
        return saga.leased and saga.expires_at_s > self.clock.wall_s()

    def grant(self, saga_id: str, saga: MemorySaga, owner: str, ttl_s: float) -> Lease:
        now_s = self.clock.wall_s()
        saga.epoch, saga.owner, saga.leased, saga.expires_at_s = next(self.epochs), owner, True, now_s + ttl_s
        return Lease(saga_id=saga_id, owner=owner, epoch=saga.epoch, granted_at_s=now_s, expires_at_s=saga.expires_at_s)

    def place(self, saga_id: str, projection: Projection) -> tuple[int, int, str]:
        """Where a new saga stands in the queue."""
        queue = (projection.priority, projection.tenant)
        turn = max(self.turn.get(projection.priority, 0), self.next_turns.get(queue, 0))
        self.next_turns[queue] = turn + 1
        return (-projection.priority, turn, saga_id)

    def pass_turn(self, saga: MemorySaga) -> None:
        """A waiting saga is claimed: whoever comes from now on comes into its turn, not into an earlier one."""
        priority, turn = -saga.order[0], saga.order[1]
        self.turn[priority] = max(self.turn.get(priority, 0), turn)

    def ring(self, saga_id: str) -> None:
        for listener in self.listeners:
            listener.put_nowait(saga_id)

    def write(
        self, saga_id: str, saga: MemorySaga, drafts: Sequence[Draft], projection: Projection, now_s: float
    ) -> tuple[Entry, ...]:
        # Everything that can fail happens before anything changes.
        seq = saga.entries[-1].seq if saga.entries else 0
        new = tuple(
            Entry(seq=seq + n, kind=d.kind, step=d.step, attempt=d.attempt, data=copied(d.data), at_s=now_s)
            for n, d in enumerate(drafts, 1)
        )
        record, events = dumps(projection.record), [copied(event) for event in projection.events]
        saga.entries.extend(new)
        saga.record, saga.index = record, dict(projection.index)
        saga.created_at_s, saga.live = projection.created_at_s, projection.live
        if projection.due_at_s is not None:
            self.due[saga_id] = projection.due_at_s
        for data in events:
            saga.event_count += 1
            position = str(next(self.event_positions))
            event = Event(saga_id=saga_id, number=saga.event_count, at_s=now_s, data=data, position=position)
            saga.events.append(replace(event, position=""))
            self.events.append(event)
        if events:
            for watcher in self.watchers:
                watcher.set()
        if not projection.live:
            saga.leased = False
            saga.inbox.clear()
        return new


def dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def copied(value: Mapping[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(dumps(value))
    return copied
