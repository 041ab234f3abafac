"""The fan: many works side by side, and the first failure ends them all."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from farm.errors import FarmError


async def bounded(works: Iterable[Any], most: int) -> None:
    """Run all, so many at a time."""
    gate = asyncio.Semaphore(most)

    async def one(work: Any) -> None:
        async with gate:
            await work()

    await all_of(one(work) for work in works)


async def all_of(works: Iterable[Any]) -> None:
    """Run all; the first failure cancels the others and waits until they have really stopped."""
    async with side_by_side() as group:
        for work in works:
            group.create_task(work)


@asynccontextmanager
async def side_by_side() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that fails as its works do, one by one, and never with a group: nobody outside asks for those."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise _told(failures) from None


def _told(failures: BaseExceptionGroup) -> BaseException:
    """The failure that is told: that the lease is gone before all else, then the farm's own, then a defect."""
    return min(_leaves(failures), key=lambda error: (isinstance(error, Exception), not isinstance(error, FarmError)))


def _leaves(failures: BaseExceptionGroup) -> Iterator[BaseException]:
    for error in failures.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
