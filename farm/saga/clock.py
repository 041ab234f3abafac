"""Time as the engine sees it: a port, the real one, and one that moves only when told.

Deadlines and waits use `Clock.monotonic_s`, which no adjustment of the system's clock can move.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen unless cancelled."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    def monotonic_s(self) -> float:
        """Seconds from an arbitrary origin; never goes back."""
        ...

    def wall_s(self) -> float:
        """Seconds since 1970, for people to read."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call from the event loop when ``delay_s`` have passed."""
        ...


async def sleep(clock: Clock, delay_s: float) -> None:
    """Let ``delay_s`` pass on that clock."""
    if delay_s <= 0:
        await asyncio.sleep(0)
        return
    passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_later(delay_s, lambda: None if passed.done() else passed.set_result(None))
    try:
        await passed
    finally:
        timer.cancel()


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s, callback)


class _FakeTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeClock:
    """A clock for simulations and tests: time stands still until somebody moves it."""

    def __init__(self, *, wall_s: float = 1_700_000_000.0) -> None:
        self._now_s = 0.0
        self._origin_s = wall_s
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _FakeTimer]] = []

    def monotonic_s(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return self._origin_s + self._now_s

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (self._now_s + max(0.0, delay_s), next(self._order), timer))
        return timer

    def next_s(self) -> float | None:
        """When the next timer is due, on `monotonic_s`; ``None`` when none is set."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def jump(self, by_s: float) -> None:
        """Move time on without letting anything happen, as for a process that was stopped and goes on."""
        self._now_s += by_s

    async def advance(self, by_s: float) -> None:
        """Move time on, firing what falls due in its order and letting the event loop settle after each."""
        await settle()
        end_s = self._now_s + by_s
        while (due_s := self.next_s()) is not None and due_s <= end_s:
            _, _, timer = heapq.heappop(self._timers)
            callback, timer.callback = timer.callback, None
            self._now_s = max(self._now_s, due_s)
            if callback is not None:
                callback()
            await settle()
        self._now_s = max(self._now_s, end_s)

    async def run[T](self, work: Awaitable[T]) -> T:
        """Await ``work``, jumping to the next timer whenever nothing else is left to do.

        Only for work that awaits this clock and nothing outside the process.

        Raises:
            RuntimeError: when the work waits for something that no timer will bring.
        """
        task = asyncio.ensure_future(work)
        await settle()
        while not task.done():
            due_s = self.next_s()
            if due_s is None:
                task.cancel()
                raise RuntimeError("the work waits, but no timer is set")
            await self.advance(due_s - self._now_s)
        return await task


async def settle(rounds: int = 32) -> None:
    """Give every ready task so many turns."""
    for _ in range(rounds):
        await asyncio.sleep(0)
