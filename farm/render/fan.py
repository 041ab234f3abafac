"""The fan: many works side by side, and the first failure ends them all."""

import asyncio
from collections.abc import Iterable
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
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except* FarmError as failures:
        raise failures.exceptions[0] from None
