"""What the steps work with, handed to each of them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from farm.errors import FetchRefused
from farm.render.ports import ObjectStore, ProductCatalog, Workers
from farm.render.results import ResultCache
from farm.render.steps.flights import Flights
from farm.saga.retry import RetryPolicy
from farm.settings import Settings

OUTAGE_ATTEMPTS = 8
THREADS = 64
"""Blocking calls at once in a process. They wait for networks and disks; asyncio's own pool is made for cores (six
threads on two), so that a few slow requests would hold up every saga."""
_POOL = ThreadPoolExecutor(THREADS, thread_name_prefix="farm-store")


def _no_web(url: str) -> bytes:
    raise FetchRefused(address=url[:200], reason="this process fetches nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The outside of a render saga, as ports.

    Attributes:
        fetch: a design by its https address, guarded and bounded; blocking. Raises `DesignNotFound`, `FetchRefused`,
            `DesignTooLarge` and `FetchFailed`.
        flights: what is being made here at this moment.
    """

    store: ObjectStore
    catalog: ProductCatalog
    workers: Workers
    settings: Settings
    fetch: Callable[[str], bytes] = _no_web
    flights: Flights = field(default_factory=Flights)

    @property
    def results(self) -> ResultCache:
        """Finished pictures kept for equal work."""
        return ResultCache(self.store, days=self.settings.cache_days)

    @property
    def retry(self) -> RetryPolicy:
        """How often and how patiently a step is tried."""
        return RetryPolicy(
            max_attempts=self.settings.step_attempts,
            base_s=self.settings.backoff_base_s,
            max_wait_s=self.settings.backoff_max_s,
        )

    @property
    def patient(self) -> RetryPolicy:
        """As `retry`, for steps that only store and attach: finished pictures must outlast a service's restart."""
        return replace(self.retry, max_attempts=max(self.retry.max_attempts, OUTAGE_ATTEMPTS))


async def blocking[**P, T](call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread of a pool of its own, so that one slow store holds up one saga, not hundreds.

    The loop's default pool has a handful of threads and belongs to those who watch over the workers.

    A thread cannot be interrupted: when the awaiting task is cancelled, the call is waited for and the cancellation
    goes on afterwards. Else a slow write could arrive after the compensation that removes it.
    """
    running = asyncio.get_running_loop().run_in_executor(_POOL, partial(call, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError as interrupt:
            cancelled = interrupt
    if cancelled is not None:
        running.exception()  # looked at, so that asyncio does not report an error nobody asked for
        raise cancelled
    return running.result()
