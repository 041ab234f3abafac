"""Concurrency: what is waited for has ended, whoever cancels and when; a fan ends whole, and fails as one work does."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.concurrency import all_of, bounded, side_by_side, stop_all, to_the_end, wait_out
from farm.errors import BlenderCrashed, Fenced


async def fail(error: BaseException) -> None:
    raise error


async def test_what_fails_side_by_side_fails_as_itself_and_never_as_a_group() -> None:
    defect, crash, gone = RuntimeError("a defect"), BlenderCrashed(view="front_0deg", reason="x"), Fenced("gone")
    for errors, told in (((defect,), defect), ((defect, crash), crash), ((crash, gone, defect), gone)):
        with pytest.raises(type(told)) as caught:
            await all_of(fail(error) for error in errors)
        assert caught.value is told


async def test_the_first_failure_ends_the_others_also_in_fans_within_fans() -> None:
    ended: list[str] = []

    async def works_on() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("it has really stopped")

    async def within() -> None:
        async with side_by_side() as group:
            group.create_task(works_on())
            group.create_task(fail(ValueError("deep")))

    with pytest.raises(ValueError, match="deep"):
        await bounded([within, works_on], 2)
    assert ended == ["it has really stopped"] * 2


async def test_a_cancellation_amid_a_failure_is_heard_before_and_not_while_cleaning_up() -> None:
    cleaned: list[str] = []

    async def slow_to_stop() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await pass_by(20)

    async def waiter() -> None:
        try:
            await all_of([slow_to_stop(), fail(ValueError("a write"))])
        except BaseException:
            await asyncio.sleep(0)
            cleaned.append("all of it")
            raise

    waiting = asyncio.create_task(waiter())
    await pass_by(10)  # the write has failed, the other is stopping
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cleaned == ["all of it"]


async def test_a_failure_keeps_its_cause() -> None:
    async def fails() -> None:
        try:
            raise OSError("the socket")
        except OSError as error:
            raise ValueError("the store") from error

    with pytest.raises(ValueError, match="the store") as caught:
        await all_of([fails()])
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_fan_returns_what_its_works_return_in_their_order() -> None:
    async def after(ticks: int) -> int:
        await pass_by(ticks)
        return ticks

    assert await all_of(after(ticks) for ticks in (3, 0, 2)) == [3, 0, 2]
    assert await bounded([partial(after, ticks) for ticks in (3, 0, 2)], 1) == [3, 0, 2]


async def pass_by(ticks: int) -> None:
    for _ in range(ticks):
        await asyncio.sleep(0)


class Work:
    """Takes so many turns of the loop, and where it is cancelled so many more for its cleaning up, cancelled or not."""

    def __init__(self, ticks: int, cleaning: int, error: Exception | None) -> None:
        self._ticks, self._cleaning, self._error = ticks, cleaning, error
        self.cancels = 0
        self.over = False

    async def run(self) -> str:
        try:
            await pass_by(self._ticks)
            if self._error is not None:
                raise self._error
            return "done"
        except asyncio.CancelledError:
            self.cancels += 1
            await to_the_end(pass_by(self._cleaning))
            raise
        finally:
            self.over = True


works = st.builds(Work, st.integers(0, 5), st.integers(0, 3), st.sampled_from([None, ValueError("a defect")]))
cancels = st.sets(st.integers(0, 9))
"""The turns of the loop in which the waiter is cancelled."""


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a loop of its own; no error may be left for asyncio to report when nobody holds the works any more."""
    reported: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        await scene()
        gc.collect(1)

    asyncio.run(watched())
    assert not reported


async def cancelled_at(waiting: Coroutine[Any, Any, Any], ticks: set[int]) -> tuple["asyncio.Task[Any]", bool]:
    """The waiter when it has ended, and whether anybody cancelled it before."""
    waiter = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)  # it is within; a task that never began waits for nothing
    asked = False
    for tick in range(60):
        if waiter.done():
            break
        if tick in ticks:
            asked |= waiter.cancel()
        await asyncio.sleep(0)
    assert waiter.done(), "it waits for ever"
    return waiter, asked


@pytest.mark.parametrize("pass_on", [False, True])
@given(several=st.lists(works, min_size=1, max_size=3), ticks=cancels)
def test_what_is_waited_out_has_ended_wherever_the_waiter_is_cancelled(
    several: list[Work], ticks: set[int], *, pass_on: bool
) -> None:
    async def scene() -> None:
        tasks = [asyncio.ensure_future(work.run()) for work in several]
        waiter, asked = await cancelled_at(wait_out(*tasks, pass_on=pass_on), ticks)
        assert all(task.done() for task in tasks)
        assert waiter.cancelled() == asked, "a cancellation goes on afterwards, and there is none that nobody asked for"
        assert pass_on or not any(work.cancels for work in several)
        if not asked:  # else their errors count as looked at
            assert {type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)} <= {str, ValueError}

    played(scene)


@given(work=works, ticks=cancels)
def test_what_is_done_to_the_end_returns_or_raises_as_it_does_unless_somebody_cancelled(
    work: Work, ticks: set[int]
) -> None:
    async def scene() -> None:
        waiter, asked = await cancelled_at(to_the_end(work.run()), ticks)
        assert work.over
        assert not work.cancels
        if asked:
            assert waiter.cancelled()
        elif isinstance(waiter.exception(), ValueError):
            assert str(waiter.exception()) == "a defect"
        else:
            assert waiter.result() == "done"

    played(scene)


@given(several=st.lists(works, max_size=3), ticks=cancels, head_start=st.integers(1, 4))
def test_what_is_stopped_has_stopped_and_its_errors_are_dropped(
    several: list[Work], ticks: set[int], head_start: int
) -> None:
    async def scene() -> None:
        tasks = [asyncio.ensure_future(work.run()) for work in several]
        await pass_by(head_start)
        waiter, asked = await cancelled_at(stop_all(*tasks), ticks)
        assert all(task.done() and work.over for task, work in zip(tasks, several, strict=True))
        assert waiter.cancelled() == asked
        assert asked or waiter.exception() is None

    played(scene)


@given(several=st.lists(works, max_size=3), ticks=cancels)
def test_nothing_of_a_fan_outlives_it(several: list[Work], ticks: set[int]) -> None:
    async def scene() -> None:
        began: list[Work] = []

        async def one(work: Work) -> str:
            began.append(work)
            return await work.run()

        waiter, asked = await cancelled_at(all_of(one(work) for work in several), ticks)
        assert all(work.over for work in began)
        if waiter.cancelled():
            assert asked
        elif waiter.exception() is None:
            assert waiter.result() == ["done"] * len(several)
        else:
            assert isinstance(waiter.exception(), ValueError), "never a group"

    played(scene)
