"""The due book in memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from farm.adapters.memory_world import MemoryWorld
from farm.saga.due import DueBook, DueItem


class MemoryDueBook:
    """See `farm.saga.due.DueBook`."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world
        self._mark = ""
        self._left: list[str] = []
        self._holder = ("", 0.0)

    async def due(self, until_s: float, *, limit: int) -> Sequence[DueItem]:
        found = sorted((at_s, name) for name, at_s in self._world.due.items() if at_s <= until_s)
        return [DueItem(id=name, at_s=at_s) for at_s, name in found[:limit]]

    async def settle(self, looked_at: Sequence[tuple[DueItem, float | None]]) -> None:
        for item, next_s in looked_at:
            if self._world.due.get(item.id) != item.at_s:
                continue
            if next_s is None:
                del self._world.due[item.id]
            else:
                self._world.due[item.id] = next_s

    async def adopt(self, mark: str, now_s: float, *, extra: Sequence[str] = (), limit: int = 1000) -> int:
        if mark != self._mark:
            newest = sorted(self._world.sagas, key=lambda name: (self._world.sagas[name].created_at_s, name))
            self._mark, self._left = mark, newest
            self._enter(extra, now_s)
        taken = [self._left.pop() for _ in range(min(limit, len(self._left)))]
        self._enter([name for name in taken if name in self._world.sagas], now_s)
        return len(taken)

    def _enter(self, names: Sequence[str], now_s: float) -> None:
        for name in names:
            self._world.due[name] = min(now_s, self._world.due.get(name, now_s))

    async def hold(self, owner: str, ttl_s: float) -> bool:
        now_s = self._world.clock.wall_s()
        holder, until_s = self._holder
        if holder != owner and until_s > now_s:
            return False
        self._holder = (owner, now_s + ttl_s)
        return True


if TYPE_CHECKING:
    _conforms: type[DueBook] = MemoryDueBook
