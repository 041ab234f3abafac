"""The pace of a run: single jobs go first, and the shop is not written to faster than it may be."""

import asyncio
from collections.abc import Awaitable, Callable

from farm.domain.status import Status
from farm.saga.clock import Clock
from farm.saga.store import Store

LOOK_S = 0.25
PATIENCE_S = 30.0
"""A run that has stood aside for so long does one piece of work all the same: single jobs without end must not starve
it."""


async def single_jobs(jobs: Store) -> int:
    """How many live jobs belong to no run."""
    live = [{"status": str(status)} for status in Status if not status.ended]
    counts = await jobs.records.count_each([*live, *({**one, "kind": "catalog"} for one in live)])
    return sum(counts[: len(live)]) - sum(counts[len(live) :])


class Pace:
    """One for all runs of a process.

    Args:
        writes_per_s: products changed in the shop per second; 0 is no bound.
        single_jobs: how many live jobs belong to no run.
    """

    def __init__(self, writes_per_s: float, single_jobs: Callable[[], Awaitable[int]], clock: Clock) -> None:
        self._interval_s = 1.0 / writes_per_s if writes_per_s > 0 else 0.0
        self._single_jobs = single_jobs
        self._clock = clock
        self._next_s = 0.0

    async def stand_aside(self) -> None:
        """Wait while single jobs are at work or waiting."""
        until_s = self._clock.monotonic_s() + PATIENCE_S
        while await self._single_jobs() and self._clock.monotonic_s() < until_s:
            await asyncio.sleep(LOOK_S)

    async def write(self) -> None:
        """Wait for the turn to change a product."""
        if not self._interval_s:
            return
        now_s = self._clock.monotonic_s()
        turn_s = max(self._next_s, now_s)
        self._next_s = turn_s + self._interval_s
        await asyncio.sleep(turn_s - now_s)
