"""Records, events and the doorbell of sagas in memory: what readers use."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from farm.adapters.memory_world import MemorySaga, MemoryWorld, dumps
from farm.errors import InvalidRequest
from farm.saga.event import Event, Events
from farm.saga.inbox import Doorbell
from farm.saga.records import Page, Records


class MemoryDoorbell:
    """See `farm.saga.inbox.Doorbell`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    async def listen(self) -> AsyncGenerator[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._world.listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._world.listeners.discard(queue)


class MemoryRecords:
    """See `farm.saga.records.Records`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    async def get(self, saga_id: str) -> Mapping[str, Any] | None:
        saga = self._world.sagas.get(saga_id)
        return None if saga is None else _record(saga)

    async def list(
        self,
        filters: Mapping[str, str] | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
        created_after_s: float | None = None,
    ) -> Page:
        before = _parse_cursor(cursor)
        found = sorted(((saga.created_at_s, saga_id) for saga_id, saga in self._matching(filters)), reverse=True)
        found = [key for key in found if before is None or key < before]
        found = [key for key in found if created_after_s is None or key[0] > created_after_s]
        page = found[:limit]
        more = f"{page[-1][0]!r}:{page[-1][1]}" if len(found) > limit else None
        return Page(records=tuple(_record(self._world.sagas[saga_id]) for _, saga_id in page), cursor=more)

    async def count(self, filters: Mapping[str, str] | None = None) -> int:
        return sum(1 for _ in self._matching(filters))

    async def count_each(self, filters: Sequence[Mapping[str, str]]) -> Sequence[int]:
        return [await self.count(one) for one in filters]

    async def annotate(self, saga_id: str, fields: Mapping[str, Any], *, due_at_s: float | None = None) -> bool:
        saga = self._world.sagas.get(saga_id)
        if saga is None:
            return False
        saga.notes.update({name: dumps(value) for name, value in fields.items()})
        if due_at_s is not None:
            self._world.due[saga_id] = due_at_s
        return True

    def _matching(self, filters: Mapping[str, str] | None) -> Iterator[tuple[str, MemorySaga]]:
        for saga_id, saga in self._world.sagas.items():
            if all(saga.index.get(name) == value for name, value in (filters or {}).items()):
                yield saga_id, saga


class MemoryEvents:
    """See `farm.saga.event.Events`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    async def read(self, saga_id: str, after_number: int = 0, *, limit: int = 1000) -> Sequence[Event]:
        saga = self._world.sagas.get(saga_id)
        return [event for event in saga.events if event.number > after_number][:limit] if saga else []

    async def follow(
        self, saga_id: str, after_number: int = 0, *, idle_s: float = 15.0
    ) -> AsyncGenerator[Event | None]:
        with _Watch(self._world) as watch:
            while True:
                new = await self.read(saga_id, after_number)
                for event in new:
                    after_number = event.number
                    yield event
                if not new and not await watch.wait(idle_s):
                    yield None

    async def tail(self, position: str | None = None, *, idle_s: float = 15.0) -> AsyncGenerator[Event | None]:
        after = int(position) if position is not None else self._last_position()
        with _Watch(self._world) as watch:
            while True:
                new = [event for event in self._world.events if int(event.position) > after]
                for event in new:
                    after = int(event.position)
                    yield event
                if not new and not await watch.wait(idle_s):
                    yield None

    async def newest(self) -> str:
        return str(self._last_position())

    async def whole_after(self, position: str) -> bool:
        return not self._world.events or int(self._world.events[0].position) <= int(position) + 1

    def time_of(self, position: str) -> float:
        before = [event.at_s for event in self._world.events if int(event.position) <= int(position)]
        return before[-1] if before else 0.0

    def _last_position(self) -> int:
        return int(self._world.events[-1].position) if self._world.events else 0


class _Watch:
    """Wakes when any event was written."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world
        self._event = asyncio.Event()

    def __enter__(self) -> "_Watch":
        self._world.watchers.add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        self._world.watchers.discard(self._event)

    async def wait(self, idle_s: float) -> bool:
        timer = self._world.clock.call_later(idle_s, self._event.set)
        woken_at_s = self._world.clock.monotonic_s()
        try:
            await self._event.wait()
        finally:
            timer.cancel()
            self._event.clear()
        return self._world.clock.monotonic_s() - woken_at_s < idle_s


def _record(saga: MemorySaga) -> dict[str, Any]:
    return {**json.loads(saga.record), **{name: json.loads(value) for name, value in saga.notes.items()}}


def _parse_cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    score, found, saga_id = cursor.partition(":")
    try:
        if not found:
            raise ValueError(cursor)
        return float(score), saga_id
    except ValueError:
        raise InvalidRequest(reason="the cursor is none of this list's") from None


if TYPE_CHECKING:
    _doorbell: type[Doorbell] = MemoryDoorbell
    _records: type[Records] = MemoryRecords
    _events: type[Events] = MemoryEvents
