"""Concurrency: waiting to the very end, and fans whose first failure ends them all. Pure asyncio, no I/O.

Two rules of the farm stand here once:

* **What was begun is over before its waiter goes on.** A cancelled task must not leave work behind that writes after
  the compensation which cleans up. So `wait_out`, `to_the_end` and `stop_all` wait although they are cancelled
  meanwhile, as often as that may happen, and let the cancellation go on afterwards. It is never swallowed.
* **A fan fails as one of its works does.** `side_by_side`, `all_of` and `bounded` raise the failure that matters, never
  a group, and only when all the others have really stopped.

anyio's shielded scopes keep off its own cancellations alone, not `asyncio.Task.cancel`, by which the farm stops work.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from farm.errors import FarmError


async def wait_out(*works: "asyncio.Future[Any]", pass_on: bool = False) -> None:
    """Return when all have ended, however they did; whoever cancels meanwhile is obeyed afterwards.

    Args:
        works: tasks or futures; whoever wants their results or errors asks them.
        pass_on: whether a cancellation of the waiting task is passed on to the works, each time anew.

    Raises:
        asyncio.CancelledError: the waiting task was cancelled meanwhile. The works have ended all the same, and their
            errors count as looked at: asyncio does not report them as something that nobody asked for.
    """
    interrupted: asyncio.CancelledError | None = None
    while left := [work for work in works if not work.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as interrupt:
            interrupted = interrupt
            if pass_on:
                for work in left:
                    work.cancel()
    if interrupted is not None:
        for work in works:
            if not work.cancelled():
                work.exception()
        raise interrupted


async def to_the_end[T](work: "asyncio.Future[T] | Coroutine[Any, Any, T]") -> T:
    """What ``work`` returns or raises; it runs to its end, whoever cancels meanwhile.

    Raises:
        asyncio.CancelledError: the waiting task was cancelled meanwhile, or the work itself was.
    """
    running = asyncio.ensure_future(work)
    await wait_out(running)
    return running.result()


async def stop_all(*works: "asyncio.Future[Any]") -> None:
    """Cancel all and return when they have really ended; what they end with is dropped.

    Whoever is cancelled while waiting here passes it on: the works are cancelled once more.

    Raises:
        asyncio.CancelledError: the waiting task was cancelled meanwhile.
    """
    for work in works:
        work.cancel()
    try:
        await wait_out(*works, pass_on=True)
    finally:
        for work in works:
            if work.done() and not work.cancelled():
                work.exception()


@asynccontextmanager
async def side_by_side() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that fails as its works do, one by one, and never with a group: nobody outside asks for those.

    Raises:
        BaseException: the failure that matters most, with its own cause.
        asyncio.CancelledError: the waiting task was cancelled, before a work failed or while the others stopped.
    """
    told: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        told = _told(failures)
    if isinstance(told, Exception):
        # Who was cancelled meanwhile hears it here, else at their next await: in the midst of cleaning up.
        await asyncio.sleep(0)
    if told is not None:
        raise told


async def all_of[T](works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all and return what each returned, in their order.

    Raises:
        BaseException: the failure that matters most; the first one cancels the others, which have stopped by then.
    """
    async with side_by_side() as group:
        tasks = [group.create_task(work) for work in works]
    return [task.result() for task in tasks]


async def bounded[T](works: Iterable[Callable[[], Coroutine[Any, Any, T]]], most: int) -> list[T]:
    """As `all_of`, so many at a time."""
    gate = asyncio.Semaphore(most)

    async def one(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with gate:
            return await work()

    return await all_of(one(work) for work in works)


def leaves(failures: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors themselves, of groups within groups too."""
    for error in failures.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


def _told(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that is told: that the lease is gone before all else, then the farm's own, then a defect."""
    return min(leaves(failures), key=lambda error: (isinstance(error, Exception), not isinstance(error, FarmError)))
