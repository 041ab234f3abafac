"""Heartbeats and progress in memory: one process's farm, for tests and simulations."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from farm.render.tasks.heartbeat import FARTHEST, Beat, Beats, Board, Grant, Pulse, Shares


class MemoryHeartbeat:
    """Both sides of the heartbeat and the progress board, over dictionaries; safe to use from many threads."""

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._epochs = itertools.count(1)
        self._fences: dict[tuple[str, str], int] = {}
        self._beats: dict[tuple[str, str], tuple[int, Beat, float]] = {}
        self.progress: dict[str, dict[str, float]] = {}

    def beat(self, grant: Grant, beat: Beat, *, ttl_s: float) -> bool:
        key = grant.job_id, grant.name
        with self._lock:
            if self._fences.get(key) != grant.epoch:
                return False
            self._beats[key] = grant.epoch, beat, self._now_s() + ttl_s
            _note(self.progress.setdefault(grant.job_id, {}), grant.name, beat.fraction)
            return True

    async def grant(self, job_id: str, name: str) -> Grant:
        with self._lock:
            epoch = self._fences[job_id, name] = next(self._epochs)
            self._beats.pop((job_id, name), None)
            self.progress.get(job_id, {}).pop(name, None)
            return Grant(job_id=job_id, name=name, epoch=epoch)

    async def read(self, grants: Sequence[Grant]) -> Sequence[Beat | None]:
        with self._lock:
            return [self._live(grant) for grant in grants]

    async def revoke(self, grant: Grant) -> None:
        with self._lock:
            if self._fences.get((grant.job_id, grant.name)) == grant.epoch:
                del self._fences[grant.job_id, grant.name]
                self.progress.get(grant.job_id, {}).pop(grant.name, None)

    def _live(self, grant: Grant) -> Beat | None:
        epoch, beat, until_s = self._beats.get((grant.job_id, grant.name), (0, None, 0.0))
        return beat if epoch == grant.epoch and self._now_s() < until_s else None


def _note(shares: dict[str, float], name: str, fraction: float) -> None:
    shares[name] = fraction
    shares[FARTHEST + name] = max(fraction, shares.get(FARTHEST + name, 0.0))


class MemoryProgressBoard:
    """Each view's progress, in a dictionary: a `MemoryHeartbeat`'s, or its own."""

    def __init__(self, shares: dict[str, dict[str, float]] | None = None) -> None:
        self._shares = {} if shares is None else shares

    async def report(self, job_id: str, view: str, fraction: float) -> None:
        _note(self._shares.setdefault(job_id, {}), view, fraction)

    async def read(self, job_id: str) -> Mapping[str, float]:
        return (await self.shares(job_id)).now

    async def shares(self, job_id: str) -> Shares:
        return Shares.parted(self._shares.get(job_id, {}))

    async def shares_each(self, job_ids: Sequence[str]) -> Sequence[Shares]:
        return [await self.shares(job_id) for job_id in job_ids]

    async def clear(self, job_id: str) -> None:
        self._shares.pop(job_id, None)


if TYPE_CHECKING:
    _pulse: type[Pulse] = MemoryHeartbeat
    _beats: type[Beats] = MemoryHeartbeat
    _board: type[Board] = MemoryProgressBoard
