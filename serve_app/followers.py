"""Who follows a job's events: one task for each job and replica, however many watch; and what it has heard so far.

A page with twenty tabs, or twenty people at one job, costs the store one connection and one look at the progress.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from operator import itemgetter
from typing import Any

from farm.errors import FarmError
from farm.render.service import FarmService

log = logging.getLogger(__name__)

PROGRESS_S = 0.5
"""How often the progress of running views is looked at."""


class FollowedJob:
    """What is known of a job's stream. One event loop; it follows from `Followers` alone.

    Attributes:
        viewers: how many look on; without any it stops.
        progress: of the moment, counted by ``moves``; ``None`` while nothing has moved.
        over: whether nothing more will come: the job has ended, or the store cannot be heard.
    """

    def __init__(self, service: FarmService, job_id: str) -> None:
        self._service = service
        self._job_id = job_id
        self._events: list[Mapping[str, Any]] = []
        self._changed = asyncio.Event()
        self.viewers = 0
        self.progress: Mapping[str, Any] | None = None
        self.moves = 0
        self.over = False
        self.task = asyncio.create_task(self._follow(), name=f"follow {job_id}")

    def after(self, number: int) -> Sequence[Mapping[str, Any]]:
        """The events heard so far behind that number, in order."""
        return self._events[bisect_right(self._events, number, key=itemgetter("sequence")) :]

    @property
    def changed(self) -> asyncio.Event:
        """Is set when anything of this is no longer as it is now; take it before looking, then wait for it."""
        return self._changed

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _follow(self) -> None:
        moving = asyncio.create_task(self._move(), name=f"progress of {self._job_id}")
        try:
            async with aclosing(self._service.follow(self._job_id)) as events:
                async for event in events:
                    self._events.append(event)
                    self._tell()
        except FarmError as error:
            # The answer has begun long ago: all that can be told is its end, upon which a browser asks anew.
            log.warning("the events of job %s cannot be followed: %s", self._job_id, error)
        except Exception:
            log.exception("the events of job %s cannot be followed", self._job_id)
        finally:
            self.over = True
            self._tell()
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)

    async def _move(self) -> None:
        last: Mapping[str, float] = {}
        while True:
            await asyncio.sleep(PROGRESS_S)
            with suppress(FarmError):  # progress is a courtesy; whether the job can be heard, its events tell
                live = await self._service.progress(self._job_id)
                if live and live != last:
                    record = await self._service.get(self._job_id)
                    last, self.moves = live, self.moves + 1
                    self.progress = {
                        "progress": record["progress"],
                        "eta_s": record["eta_s"],
                        "views": {view["view"]: view["progress"] for view in record["views"]},
                        **({"model": record["model"]["progress"]} if record["model"] else {}),
                    }
                    self._tell()


class Followers:
    """The jobs that are followed in this replica."""

    def __init__(self, service: FarmService) -> None:
        self._service = service
        self._jobs: dict[str, FollowedJob] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @contextmanager
    def watching(self, job_id: str) -> Iterator[FollowedJob]:
        """Look at a job's stream; whoever comes first begins to follow it, whoever goes last ends that."""
        job = self._jobs.get(job_id)
        if job is None or job.over:
            job = self._jobs[job_id] = FollowedJob(self._service, job_id)
        job.viewers += 1
        try:
            yield job
        finally:
            job.viewers -= 1
            if not job.viewers:
                job.task.cancel()
                if self._jobs.get(job_id) is job:
                    del self._jobs[job_id]
