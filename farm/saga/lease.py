"""The lease: the right to drive a saga, for a while, proved by a number that only rises.

All times are the store's, so coordinators' clocks need not agree. The epoch rises with every grant, over all sagas, and
never starts again, also not after a saga was deleted: a holder that was overtaken can always be told from the newest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One grant.

    Attributes:
        owner: unique to an incarnation of a coordinator, never used again by the next.
        epoch: the fencing number.
        granted_at_s: the store's time when this was granted or last renewed.
        expires_at_s: the store's time from which others may claim the saga.
    """

    saga_id: str
    owner: str
    epoch: int
    granted_at_s: float
    expires_at_s: float

    @property
    def ttl_s(self) -> float:
        return self.expires_at_s - self.granted_at_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The answer to `Leases.renew`.

    Attributes:
        held: the leases as they stand now.
        lost: those another coordinator has taken, or whose saga has ended or is gone.
        called: ids among ``held`` with messages in their inbox.
    """

    held: tuple[Lease, ...] = ()
    lost: tuple[Lease, ...] = ()
    called: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Live sagas of one priority that nobody ever leased, or whose holder gave them back.

    Attributes:
        oldest_s: how long ago the one that is next was created, in seconds.
    """

    priority: int
    count: int
    oldest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much there is to do.

    Attributes:
        held: sagas under a valid lease.
        lapsed: sagas whose holder has gone silent, and that nobody took over yet.
        waiting: by priority, the most urgent first.
    """

    held: int = 0
    lapsed: int = 0
    waiting: tuple[Waiting, ...] = ()


class Leases(Protocol):
    """Every method may raise `StoreUnavailable`."""

    async def claim(
        self, owner: str, *, ttl_s: float, concurrency: int | None = None, limit: int = 16
    ) -> tuple[Lease, ...]:
        """Take up to ``limit`` live sagas that nobody holds.

        In this order: sagas with a message in their inbox, whatever the concurrency (a cancel must not queue); sagas
        whose lease lapsed (their work is half done); waiting ones. Within each, priority first; then tenants in turn,
        one saga of each, however many wait; of one tenant's, first in, first out. Whoever had nothing waiting comes
        into the turn that is being claimed: nobody saves turns up, and nobody pays for what was claimed before.
        Lapsed leases of the claimant itself are left to its renewals for another ``ttl_s``: after an outage of the
        store all have lapsed, and work that goes on should not be fenced by its own coordinator.

        Args:
            owner: the coordinator's incarnation.
            ttl_s: how long the leases hold unless renewed.
            concurrency: how many sagas may be leased at once by all coordinators together; ``None`` is no bound.
            limit: the most to take now.
        """
        ...

    async def acquire(self, saga_id: str, owner: str, ttl_s: float) -> Lease | None:
        """Take this very saga, live or ended, whatever the concurrency; ``None`` while another holds it.

        Raises:
            NotFound: when there is no such saga.
        """
        ...

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        """Prolong, each for its own ttl. A lapsed lease that nobody took over meanwhile is renewed like any other."""
        ...

    async def held(self) -> Sequence[Lease]:
        """All leases that are valid now, for those who look on."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give back; a live saga returns to its place in the queue. An overtaken lease changes nothing."""
        ...

    async def backlog(self) -> Backlog:
        """What waits and what runs, for those who look on; takes no longer when much waits."""
        ...
