"""Bulkheads: calls that wait for others run in threads, and those that wait for strangers in threads of their own.

A server that a customer names may be as slow as it likes; it holds up neither the farm's own store nor other customers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from farm.concurrency import to_the_end

THREADS = 64
"""Calls at once in a process, of each of the two kinds. They wait for networks and disks; asyncio's own pool is made
for cores (six threads on two), so that a few slow requests would hold up every saga."""
SHARE = 16
"""Calls to strangers' servers at once on behalf of one tenant."""
_OWN = ThreadPoolExecutor(THREADS, thread_name_prefix="farm-store")
_STRANGERS = ThreadPoolExecutor(THREADS, thread_name_prefix="farm-strangers")


async def blocking[**P, T](call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread of a pool of its own, so that one slow store holds up one saga, not hundreds.

    The loop's default pool has a handful of threads and belongs to those who watch over the workers.

    A thread cannot be interrupted: when the awaiting task is cancelled, the call is waited for and the cancellation
    goes on afterwards. Else a slow write could arrive after the compensation that removes it.
    """
    return await _in(_OWN, partial(call, *args, **kwargs))


async def from_strangers[**P, T](tenant: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `blocking`, for a call that asks a server which ``tenant`` named; it waits while that tenant has its share."""
    async with _place(tenant):
        return await _in(_STRANGERS, partial(call, *args, **kwargs))


async def _in[T](pool: Executor, call: Callable[[], T]) -> T:
    return await to_the_end(asyncio.get_running_loop().run_in_executor(pool, call))


@dataclass
class _Gate:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SHARE))
    users: int = 0


_gates: dict[tuple[int, str], _Gate] = {}
"""By event loop and tenant, as long as somebody is within or waits."""


@asynccontextmanager
async def _place(tenant: str) -> AsyncIterator[None]:
    key = (id(asyncio.get_running_loop()), tenant)
    gate = _gates.setdefault(key, _Gate())
    gate.users += 1
    try:
        async with gate.places:
            yield
    finally:
        gate.users -= 1
        if not gate.users:
            del _gates[key]
