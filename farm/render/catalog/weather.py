"""The weather of a run: what its own services do, which says nothing about a row, and is waited out."""

from dataclasses import asdict, dataclass
from random import Random

from farm.errors import (
    ClusterUnavailable,
    DiskFull,
    FetchFailed,
    InfrastructureError,
    ObjectAltered,
    ObjectMissing,
    ShopRefused,
    ShopUnavailable,
    StorageUnavailable,
    StoreUnavailable,
)
from farm.saga.retry import RetryPolicy

_OUTAGES = (StoreUnavailable, StorageUnavailable, ClusterUnavailable, ShopUnavailable, DiskFull)
_OF_THE_ROW = (FetchFailed, ObjectMissing, ObjectAltered, ShopRefused)
"""Infrastructure, but of this one row: its design's server, its bake, its product."""


def is_weather(error: BaseException) -> bool:
    """Whether the row that met this is not to blame: it has to be raised, and may not become the row's answer."""
    return isinstance(error, InfrastructureError | DiskFull) and not isinstance(error, _OF_THE_ROW)


@dataclass(frozen=True, slots=True)
class Weatherproof(RetryPolicy):
    """As the policy it is made of, but an outage is waited out until the saga's own deadline."""

    def wait_s(self, error: BaseException, *, failures: int, elapsed_s: float, rng: Random) -> float | None:
        counted = min(failures, self.max_attempts - 1) if isinstance(error, _OUTAGES) else failures
        # By name: with slots a dataclass is made twice, and a bare super() means the first one.
        return RetryPolicy.wait_s(self, error, failures=max(1, counted), elapsed_s=elapsed_s, rng=rng)

    @classmethod
    def of(cls, policy: RetryPolicy) -> "Weatherproof":
        """The same attempts and waits."""
        return cls(**asdict(policy))
