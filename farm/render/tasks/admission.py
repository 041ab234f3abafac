"""Who goes next when there is more work than room: priority first, then tenants in turn, then first in, first out."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class _Waiter:
    tenant: str
    priority: int
    number: int
    admitted: asyncio.Future[None] = field(repr=False)


class Admission:
    """A door with so many places behind it; one event loop.

    A pending Ray task costs its owner memory and its place in Ray's queue cannot be changed any more, so only about
    twice what can run is let through; the rest waits here, where a late urgent job still overtakes.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._numbers = itertools.count()
        self._waiting: dict[int, list[_Waiter]] = {}
        self._inside: Counter[str] = Counter()

    @property
    def places(self) -> int:
        return self._places

    @property
    def inside(self) -> int:
        """How many are through the door."""
        return self._inside.total()

    @property
    def waiting(self) -> int:
        """How many stand before it."""
        return sum(len(queue) for queue in self._waiting.values())

    def resize(self, places: int) -> None:
        """The cluster grew or shrank; nobody inside is thrown out."""
        self._places = places
        self._admit()

    @asynccontextmanager
    async def admitted(self, tenant: str, priority: int) -> AsyncIterator[None]:
        """Wait for a place, hold it for the body of the ``async with``."""
        waiter = _Waiter(tenant, priority, next(self._numbers), asyncio.get_running_loop().create_future())
        self._waiting.setdefault(priority, []).append(waiter)
        self._admit()
        try:
            await waiter.admitted
        except BaseException:
            self._give_up(waiter)
            raise
        try:
            yield
        finally:
            self._leave(tenant)

    def _admit(self) -> None:
        while self._waiting and self.inside < self._places:
            priority = max(self._waiting)
            queue = self._waiting[priority]
            # Of those equally urgent, the tenant with the least inside; of one tenant's, the first that came.
            waiter = min(queue, key=lambda one: (self._inside[one.tenant], one.number))
            self._remove(waiter)
            if waiter.admitted.done():
                continue  # It was cancelled in this very turn and does not know yet: the place is the next one's.
            self._inside[waiter.tenant] += 1
            waiter.admitted.set_result(None)

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter.admitted.done() and not waiter.admitted.cancelled():
            self._leave(waiter.tenant)  # it was let in at the very moment it gave up
        elif waiter in self._waiting.get(waiter.priority, ()):
            self._remove(waiter)

    def _leave(self, tenant: str) -> None:
        self._inside[tenant] -= 1
        if not self._inside[tenant]:
            del self._inside[tenant]
        self._admit()

    def _remove(self, waiter: _Waiter) -> None:
        queue = self._waiting[waiter.priority]
        queue.remove(waiter)
        if not queue:
            del self._waiting[waiter.priority]
