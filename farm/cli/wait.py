"""Wait for a job's end: look at its record, mend the link when the host dies, and hear Ctrl-C."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

from farm.cli.link import FarmLink
from farm.cli.progress import Progress
from farm.errors import JobEnded, StoreUnavailable

LOOK_S = 0.1
STORE_PATIENCE = 100
"""Looks in a row that may find no store before the command gives up; the farm itself is more patient."""


class OnInterrupt(StrEnum):
    """What Ctrl-C means to a waiting command."""

    CANCEL = "cancel"
    LEAVE = "leave"


class Left(Exception):
    """The person went away; the farm goes on."""


class Interrupts:
    """Counts Ctrl-C; a hang-up or SIGTERM means to leave at once."""

    def __init__(self) -> None:
        self.count = 0
        self.gone = False
        self._event = asyncio.Event()

    def hear(self) -> None:
        self.count += 1
        self._event.set()

    def leave(self) -> None:
        self.gone = True
        self._event.set()

    async def pause(self, for_s: float) -> None:
        """Sleep, but for an interrupt."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), for_s)
        self._event.clear()


@asynccontextmanager
async def hearing_interrupts() -> AsyncIterator[Interrupts]:
    """Take SIGINT, SIGTERM and SIGHUP for the time of the block."""
    interrupts = Interrupts()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupts.hear)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupts.leave)
    try:
        yield interrupts
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _no_look(record: Mapping[str, Any]) -> None:
    pass


async def until_ended(
    link: FarmLink,
    job_id: str,
    progress: Progress,
    interrupts: Interrupts,
    *,
    on_interrupt: OnInterrupt,
    look: Callable[[Mapping[str, Any]], Awaitable[None]] = _no_look,
) -> dict[str, Any]:
    """The record of the ended job; each record on the way is handed to ``look``.

    With `OnInterrupt.CANCEL` the first Ctrl-C cancels the job, and the wait goes on until all is undone.

    Raises:
        Left: on the second Ctrl-C, the first one with `OnInterrupt.LEAVE`, SIGTERM or SIGHUP.
        StoreUnavailable: when the store does not come back.
        NotFound: when the job was deleted meanwhile.
    """
    asked, misses = 0, 0
    while True:
        try:
            if link.broken:
                progress.say("the farm died; starting it again, the job goes on where it was …")
                await link.mend()
                progress.say("")
            record = await link.farm.service.get(job_id)
            misses = 0
            progress.job(record)
            if record["phase"] == "ended":
                return record
            await look(record)
            if interrupts.gone or (interrupts.count and on_interrupt is OnInterrupt.LEAVE) or interrupts.count > 1:
                raise Left
            if interrupts.count > asked:
                with contextlib.suppress(JobEnded):
                    await link.farm.service.cancel(job_id)
                asked = interrupts.count  # only now: a cancel that met a silent store is sent again
                progress.say(
                    "cancelled: undoing what was done; press Ctrl-C again to leave, the farm finishes by itself"
                )
        except StoreUnavailable:
            misses += 1
            if misses > STORE_PATIENCE or interrupts.count > 1 or interrupts.gone:
                raise
        await interrupts.pause(LOOK_S)
