"""The keeper: renews the leases of all sagas an engine drives, in one request each round."""

import asyncio
import logging
from collections.abc import Callable

from farm.errors import InfrastructureError
from farm.saga.clock import Clock, sleep
from farm.saga.lease import Lease, Leases

log = logging.getLogger(__name__)

ROUNDS_PER_TTL = 3
"""A lease outlives two rounds that fail."""
RETRY_S = 0.25


class Holding:
    """A lease that is being kept, and the store's time as known through it.

    The engine takes the store's time from its leases, carried on by the monotonic clock: neither a coordinator's wrong
    system clock nor a jump of it moves a deadline.
    """

    def __init__(
        self, lease: Lease, clock: Clock, *, on_lost: Callable[[], None], on_called: Callable[[], None]
    ) -> None:
        self._clock = clock
        self.lease = lease
        self._anchor_s = clock.monotonic_s()
        self.on_lost = on_lost
        self.on_called = on_called

    def renewed(self, lease: Lease) -> None:
        self.lease = lease
        self._anchor_s = self._clock.monotonic_s()

    def now_s(self) -> float:
        """The store's time."""
        return self.lease.granted_at_s + self._clock.monotonic_s() - self._anchor_s


class Keeper:
    """Keeps holdings until they are dropped. Its task runs only while there are any."""

    def __init__(self, leases: Leases, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock
        self._holdings: dict[str, Holding] = {}
        self._task: asyncio.Task[None] | None = None

    def keep(self, holding: Holding) -> None:
        """Renew from now on."""
        self._holdings[holding.lease.saga_id] = holding
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="lease-keeper")

    def drop(self, holding: Holding) -> None:
        """Renew no more; a newer holding of the same saga is not touched."""
        saga_id = holding.lease.saga_id
        if self._holdings.get(saga_id) is holding:
            del self._holdings[saga_id]
        if not self._holdings and self._task is not None:
            self._task.cancel()
            self._task = None

    def ring(self, saga_id: str) -> None:
        """A message came for this saga."""
        if (holding := self._holdings.get(saga_id)) is not None:
            holding.on_called()

    async def renew(self, holding: Holding) -> bool:
        """Renew one at once; returns whether it is still held. Raises `StoreUnavailable`."""
        renewal = await self._leases.renew([holding.lease])
        for lease in renewal.held:
            holding.renewed(lease)
        return bool(renewal.held)

    async def _run(self) -> None:
        while True:
            await sleep(self._clock, min(h.lease.ttl_s for h in self._holdings.values()) / ROUNDS_PER_TTL)
            while not await self._round_survived():
                await sleep(self._clock, RETRY_S)

    async def _round_survived(self) -> bool:
        try:
            return await self._round()
        except Exception:  # a defect; without renewals every saga would be lost for it
            log.exception("renewing leases failed")
            return False

    async def _round(self) -> bool:
        try:
            await self.renew_all()
        except InfrastructureError as error:
            log.warning("cannot renew %d leases: %s", len(self._holdings), error)
            return False
        return True

    async def renew_all(self) -> None:
        """Renew every holding, and tell those that lost theirs or have a message. Raises `StoreUnavailable`."""
        asked = {holding.lease.epoch: holding for holding in self._holdings.values()}
        renewal = await self._leases.renew([holding.lease for holding in asked.values()])
        for lease in renewal.held:
            asked[lease.epoch].renewed(lease)
            if lease.saga_id in renewal.called:
                asked[lease.epoch].on_called()
        for lease in renewal.lost:
            holding = asked[lease.epoch]
            # A saga that ended while the request was under way has been dropped meanwhile: not lost.
            if self._holdings.get(lease.saga_id) is holding:
                log.warning("saga %s: the lease is lost", lease.saga_id)
                holding.on_lost()
