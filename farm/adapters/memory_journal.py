"""The saga store in memory: for tests, simulations and throw-away farms. Same semantics as the Redis one, no disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from farm.adapters.memory_due import MemoryDueBook
from farm.adapters.memory_records import MemoryDoorbell, MemoryEvents, MemoryRecords
from farm.adapters.memory_world import MemorySaga, MemoryWorld, copied, dumps
from farm.errors import AlreadyExists, Conflict, Fenced
from farm.saga.clock import Clock, SystemClock, sleep
from farm.saga.inbox import Inbox
from farm.saga.journal import Appended, Draft, Entry, Journal, Projection
from farm.saga.lease import Backlog, Lease, Leases, Renewal, Waiting
from farm.saga.store import Counters, Store


class MemoryJournal:
    """See `farm.saga.journal.Journal`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    async def create(self, saga_id: str, drafts: Sequence[Draft], projection: Projection) -> tuple[Entry, ...]:
        if saga_id in self._world.sagas:
            raise AlreadyExists(kind="saga", id=saga_id)
        saga = MemorySaga(order=self._world.place(saga_id, projection))
        entries = self._world.write(saga_id, saga, drafts, projection, self._world.clock.wall_s())
        self._world.sagas[saga_id] = saga
        self._world.ring(saga_id)
        return entries

    async def append(
        self,
        lease: Lease,
        expected_seq: int,
        drafts: Sequence[Draft],
        projection: Projection,
        *,
        consume: int = 0,
        unless_called: bool = False,
    ) -> Appended:
        saga = self._world.sagas.get(lease.saga_id)
        if saga is None:
            raise Fenced(f"saga {lease.saga_id} is gone")
        if saga.last_append == (lease.epoch, expected_seq, len(drafts)):
            return Appended(entries=tuple(saga.entries[-len(drafts) :]), called=bool(saga.inbox))
        if saga.epoch != lease.epoch or not self._world.held(saga):
            raise Fenced(f"the lease of saga {lease.saga_id} is not valid any more")
        if saga.entries[-1].seq != expected_seq:
            raise Fenced(f"the journal of saga {lease.saga_id} is not at {expected_seq}")
        if unless_called and len(saga.inbox) > consume:
            return Appended(entries=(), called=True)
        entries = self._world.write(lease.saga_id, saga, drafts, projection, self._world.clock.wall_s())
        saga.last_append = (lease.epoch, expected_seq, len(drafts))
        del saga.inbox[:consume]
        return Appended(entries=entries, called=bool(saga.inbox))

    async def load(self, saga_id: str) -> tuple[Entry, ...]:
        return tuple(replace(entry, data=copied(entry.data)) for entry in self._world.saga(saga_id).entries)

    async def compact(self, saga_id: str, *, keep_events: int = 32) -> bool:
        saga = self._world.sagas.get(saga_id)
        if saga is None or saga.live or saga.entries[-1].data.get("compensation_pending"):
            return False
        saga.entries = saga.entries[-1:]
        saga.events = saga.events[-keep_events:] if keep_events else []
        return True

    async def delete(self, saga_id: str) -> bool:
        saga = self._world.sagas.get(saga_id)
        if saga is None:
            return False
        if saga.live or self._world.held(saga):
            raise Conflict(reason=f"saga {saga_id} is being worked on")
        del self._world.sagas[saga_id]
        self._world.due.pop(saga_id, None)
        return True


class MemoryLeases:
    """See `farm.saga.lease.Leases`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    async def claim(
        self, owner: str, *, ttl_s: float, concurrency: int | None = None, limit: int = 16
    ) -> tuple[Lease, ...]:
        world = self._world
        free = sorted(
            (
                (saga_id, s)
                for saga_id, s in world.sagas.items()
                if not world.held(s) and (s.live or s.leased or s.inbox)
            ),
            key=lambda pair: pair[1].order,
        )
        held = sum(world.held(saga) for saga in world.sagas.values())
        started = sum(saga.leased for saga in world.sagas.values())
        granted: list[Lease] = []
        for saga_id, saga in (pair for pair in free if pair[1].inbox):
            if len(granted) < limit:
                held, started = held + 1, started + (not saga.leased)
                granted.append(world.grant(saga_id, saga, owner, ttl_s))
        for saga_id, saga in (pair for pair in free if pair[1].leased and not world.held(pair[1])):
            if not saga.live:
                saga.leased = False
                started -= 1
            elif saga.owner == owner and saga.expires_at_s + ttl_s > world.clock.wall_s():
                continue
            elif len(granted) < limit and (concurrency is None or held < concurrency):
                held += 1
                granted.append(world.grant(saga_id, saga, owner, ttl_s))
        for saga_id, saga in (pair for pair in free if pair[1].live and not pair[1].leased):
            if len(granted) < limit and (concurrency is None or started < concurrency):
                started += 1
                world.pass_turn(saga)
                granted.append(world.grant(saga_id, saga, owner, ttl_s))
        return tuple(granted)

    async def acquire(self, saga_id: str, owner: str, ttl_s: float) -> Lease | None:
        saga = self._world.saga(saga_id)
        return None if self._world.held(saga) else self._world.grant(saga_id, saga, owner, ttl_s)

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        now_s = self._world.clock.wall_s()
        held: list[Lease] = []
        lost: list[Lease] = []
        called: set[str] = set()
        for lease in leases:
            saga = self._world.sagas.get(lease.saga_id)
            if saga is None or saga.epoch != lease.epoch or not saga.leased:
                lost.append(lease)
                continue
            saga.expires_at_s = now_s + lease.ttl_s
            held.append(replace(lease, granted_at_s=now_s, expires_at_s=saga.expires_at_s))
            if saga.inbox:
                called.add(lease.saga_id)
        return Renewal(held=tuple(held), lost=tuple(lost), called=frozenset(called))

    async def release(self, lease: Lease) -> None:
        saga = self._world.sagas.get(lease.saga_id)
        if saga is not None and saga.epoch == lease.epoch:
            saga.leased = False

    async def held(self) -> tuple[Lease, ...]:
        now_s = self._world.clock.wall_s()
        return tuple(
            Lease(saga_id=name, owner=s.owner, epoch=s.epoch, granted_at_s=now_s, expires_at_s=s.expires_at_s)
            for name, s in self._world.sagas.items()
            if self._world.held(s)
        )

    async def backlog(self) -> Backlog:
        now_s = self._world.clock.wall_s()
        sagas = list(self._world.sagas.values())
        waiting: dict[int, list[MemorySaga]] = {}
        for saga in sorted((s for s in sagas if s.live and not s.leased), key=lambda s: s.order):
            waiting.setdefault(-saga.order[0], []).append(saga)
        return Backlog(
            held=sum(self._world.held(saga) for saga in sagas),
            lapsed=sum(saga.live and saga.leased and not self._world.held(saga) for saga in sagas),
            waiting=tuple(
                Waiting(priority=priority, count=len(found), oldest_s=max(0.0, now_s - found[0].created_at_s))
                for priority, found in waiting.items()
            ),
        )


class MemoryInbox:
    """See `farm.saga.inbox.Inbox`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    async def send(self, saga_id: str, message: Mapping[str, Any], *, to_pending: bool = False) -> bool:
        saga = self._world.saga(saga_id)
        pending = not saga.live and bool(saga.entries[-1].data.get("compensation_pending"))
        if pending != to_pending or not (saga.live or pending):
            return False
        if (text := dumps(message)) not in saga.inbox:
            saga.inbox.append(text)
        self._world.ring(saga_id)
        return True

    async def read(self, saga_id: str) -> Sequence[Mapping[str, Any]]:
        saga = self._world.sagas.get(saga_id)
        return [json.loads(message) for message in saga.inbox] if saga else []


class MemoryCounters:
    """See `farm.saga.store.Counters`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world
        self._taken: dict[tuple[str, str], int] = {}

    async def take(self, saga_id: str, point: str, times: int) -> bool:
        key = (saga_id, point)
        self._taken[key] = self._taken.get(key, 0) + 1
        return self._taken[key] <= times


def open_memory(clock: Clock | None = None) -> Store:
    """A new, empty store that lives as long as the object."""
    world = MemoryWorld(clock or SystemClock())

    async def nothing() -> None:
        await sleep(world.clock, 0)

    return Store(
        journal=MemoryJournal(world),
        leases=MemoryLeases(world),
        inbox=MemoryInbox(world),
        doorbell=MemoryDoorbell(world),
        records=MemoryRecords(world),
        events=MemoryEvents(world),
        counters=MemoryCounters(world),
        due=MemoryDueBook(world),
        close=nothing,
        ping=nothing,
    )


if TYPE_CHECKING:
    _journal: type[Journal] = MemoryJournal
    _leases: type[Leases] = MemoryLeases
    _inbox: type[Inbox] = MemoryInbox
    _counters: type[Counters] = MemoryCounters
