"""Blocking calls beside the event loop: many at once, and none left behind by a cancel."""

import asyncio
import threading

import pytest

from farm.render.bulkhead import THREADS, blocking


async def test_many_slow_calls_wait_side_by_side() -> None:
    together = threading.Barrier(THREADS, timeout=10)
    await asyncio.gather(*(blocking(together.wait) for _ in range(THREADS)))


async def test_a_cancelled_call_is_waited_for() -> None:
    begun, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def write() -> None:
        begun.set()
        may_end.wait(10)
        ended.append(True)

    task = asyncio.create_task(blocking(write))
    await blocking(begun.wait)
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()  # asked twice it waits all the same
    await asyncio.sleep(0.02)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_an_error_of_a_cancelled_call_gives_way_to_the_cancel() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        may_end.wait(10)
        raise OSError("no space left")

    task = asyncio.create_task(blocking(write))
    await blocking(begun.wait)
    task.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_and_an_error_come_through() -> None:
    assert await blocking(int, "7") == 7
    with pytest.raises(ValueError):
        await blocking(int, "seven")
