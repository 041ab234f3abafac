"""What the steps work with, handed to each of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from farm.errors import FetchRefused
from farm.render.ports import ObjectStore, ProductCatalog, Workers
from farm.render.results import ResultCache
from farm.render.steps.flights import Flights
from farm.saga.retry import RetryPolicy
from farm.settings import Settings

OUTAGE_ATTEMPTS = 8


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
