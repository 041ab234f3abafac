"""Coordinators in processes of their own, started again whenever they die, as Ray does it."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from tests.crash.places import Place, open_shop

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.crash.coordinators"])
POLL_S = 0.01


def _coordinate(place: Place, settings: dict[str, Any], concurrency: int | None) -> None:
    async def run() -> None:
        async with open_shop(place, **settings) as shop:
            await shop.coordinator(concurrency=concurrency).run()

    asyncio.run(run())


def start_coordinator(place: Place, settings: dict[str, Any], *, concurrency: int | None = None) -> BaseProcess:
    """A coordinator that works until it is killed."""
    process = _FORKS.Process(target=_coordinate, args=(place, settings, concurrency), daemon=True)
    process.start()
    return process


class Incarnations:
    """What became of a coordinator so far."""

    def __init__(self) -> None:
        self.exit_codes: list[int | None] = []

    @property
    def killed(self) -> int:
        return self.exit_codes.count(-9)


@asynccontextmanager
async def coordinator_process(place: Place, **settings: Any) -> AsyncIterator[Incarnations]:
    """A coordinator that comes back after every crash, until the end of the block."""
    lives = Incarnations()
    task = asyncio.create_task(_keep_alive(place, settings, lives))
    try:
        yield lives
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_alive(place: Place, settings: dict[str, Any], lives: Incarnations) -> None:
    process: BaseProcess | None = None
    try:
        while True:
            process = start_coordinator(place, settings)
            while process.is_alive():
                await asyncio.sleep(POLL_S)
            lives.exit_codes.append(process.exitcode)
    finally:
        if process is not None:
            process.kill()
            process.join()
