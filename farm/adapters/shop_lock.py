"""A lease per product: one writer of a product's pictures at a time, because the shop itself keeps no order.

farm:shop:epochs            counter of all grants ever given; it never starts again
farm:shop:lock:<product>    who holds it, as <epoch>:<token>; expires
farm:shop:mend:<product>    a writer had lost its lease when it wrote, and may have overwritten others
farm:shop:undone:<job>      the job was taken back: its pictures may not come any more; expires after a day

The shop cannot be told an epoch, so the fence stands right before the write: the lease is checked and prolonged to
outlive it. A write whose answer was lost may still be at work in the shop; its lease is then not given back but left to
lapse, so that the next holder reads what became of it. A holder that was suspended between check and write can not be
stopped; it learns at the end that its lease was lost, and then the next holder mends what it may have overwritten.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

from redis.asyncio import Redis

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.domain.ids import new_token
from farm.errors import FarmError, InfrastructureError, ShopUnavailable, StoreUnavailable

log = logging.getLogger(__name__)

DAY_MS = 24 * 3600 * 1000
"""How long is remembered what was taken back and what is to be mended. Later it is the audit's."""

# A repeated call whose first answer was lost finds its own token and gets the same grant.
_ACQUIRE = """
local held = redis.call('GET', KEYS[1])
if held then
  if string.sub(held, -#ARGV[1]) == ARGV[1] then return {held, 0} end
  return {'', redis.call('PTTL', KEYS[1])}
end
local grant = redis.call('INCR', KEYS[2]) .. ':' .. ARGV[1]
redis.call('SET', KEYS[1], grant, 'PX', ARGV[2])
return {grant, 0}
"""

_PROLONG = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""


class LockLost(InfrastructureError):
    """The lease on product {product_id} was lost to another writer."""

    code = "lock_lost"
    hint = "The farm reads the product again by itself; if it happens often, the machine is overloaded."


class HeldLock:
    """One grant of a product.

    Attributes:
        grant: ``<epoch>:<token>``; the epoch only rises.
        lost: after the block: whether somebody else may have written meanwhile.
    """

    def __init__(self, lock: "ShopLock", product_id: str, grant: str) -> None:
        self._lock = lock
        self.product_id = product_id
        self.grant = grant
        self.lost = False
        self.in_doubt = False
        self.wrote = False

    @property
    def epoch(self) -> int:
        return int(self.grant.partition(":")[0])

    async def before_write(self) -> None:
        """Check the lease and prolong it to outlive the write; from here on the write counts as under way.

        Raises:
            LockLost: nothing may be written.
        """
        if not await self._lock.prolong(self, self._lock.ttl_s):
            raise LockLost(product_id=self.product_id)
        self.in_doubt = self.wrote = True

    def settled(self) -> None:
        """The shop has answered: the write is no longer under way."""
        self.in_doubt = False


class ShopLock:
    """The leases of all products, in the farm's store.

    Args:
        client: of the farm's store.
        ttl_s: a holder that died is waited for so long; must be longer than one write may take.
        settle_s: how long a write may go on in the shop after its client has lost sight of it.
        wait_s: patience with other holders, and with a store that is away.
    """

    def __init__(
        self, client: Redis, *, ttl_s: float = 40.0, settle_s: float = 10.0, wait_s: float = 120.0, seed: Any = None
    ) -> None:
        self._client = client
        self.ttl_s = ttl_s
        self._settle_s = settle_s
        self._wait_s = wait_s
        self._rng = Random(seed)
        self._acquire = client.register_script(_ACQUIRE)
        self._prolong = client.register_script(_PROLONG)
        self._release = client.register_script(_RELEASE)

    @asynccontextmanager
    async def hold(self, product_id: str) -> AsyncIterator[HeldLock]:
        """Be the product's only writer for the length of the block.

        Raises:
            ShopUnavailable: when others held it for too long.
            StoreUnavailable: when the store does not answer.
        """
        held = await self._wait_for(product_id)
        try:
            yield held
        except BaseException:
            # The lease lapses by itself; the block's own error is the news.
            try:
                await self._leave(held)
            except FarmError as error:
                log.warning("the lease on product %s is left to lapse: %s", product_id, error)
            raise
        await self._leave(held)

    async def prolong(self, held: HeldLock, ttl_s: float) -> bool:
        """``False`` when the lease is another's, or lapsed."""
        with translated():
            args: list[str | int] = [held.grant, _ms(ttl_s)]
            kept = await cast("Awaitable[int]", self._prolong(keys=[_lock(held.product_id)], args=args))
        return kept == 1

    async def bury(self, job_id: str) -> None:
        """From now on `buried`: a coordinator that lost its job must not attach the job's pictures afterwards."""
        await self._patiently(lambda: self._client.set(_undone(job_id), 1, px=DAY_MS))

    async def buried(self, job_id: str) -> bool:
        with translated():
            return bool(await self._client.exists(_undone(job_id)))

    async def to_mend(self, product_id: str) -> bool:
        """Whether the product's images may be older than its records; asked while holding it."""
        with translated():
            return bool(await self._client.exists(_mend(product_id)))

    async def mended(self, product_id: str) -> None:
        with translated():
            await self._client.delete(_mend(product_id))

    async def _wait_for(self, product_id: str) -> HeldLock:
        keys = [_lock(product_id), KEYS.of("shop", "epochs")]
        args: list[str | int] = [new_token(), _ms(self.ttl_s)]
        ends_s = self._now_s() + self._wait_s
        while True:
            answer = await self._patiently(lambda: cast("Awaitable[list[Any]]", self._acquire(keys=keys, args=args)))
            grant = answer[0].decode() if isinstance(answer[0], bytes) else str(answer[0])
            if grant:
                return HeldLock(self, product_id, grant)
            if self._now_s() >= ends_s:
                raise ShopUnavailable(reason=f"other jobs kept changing product {product_id} for {self._wait_s:g} s")
            await asyncio.sleep(min(max(float(answer[1]), 1.0) / 1000.0, self._rng.uniform(0.02, 0.12)))

    async def _patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """A store that restarts must not cost a job its pictures. Only for what may be asked twice."""
        ends_s = self._now_s() + self._wait_s
        while True:
            try:
                with translated():
                    return await ask()
            except StoreUnavailable:
                if self._now_s() >= ends_s:
                    raise
            await asyncio.sleep(0.25)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    async def _leave(self, held: HeldLock) -> None:
        if held.in_doubt:
            held.lost = not await self.prolong(held, self._settle_s)
        else:
            with translated():
                keys = [_lock(held.product_id)]
                held.lost = await cast("Awaitable[int]", self._release(keys=keys, args=[held.grant])) != 1
        if held.lost and held.wrote:
            log.warning("the lease on product %s was lost during a write; it is mended next time", held.product_id)
            with translated():
                await self._client.set(_mend(held.product_id), held.grant, px=DAY_MS)


def _lock(product_id: str) -> str:
    return KEYS.of("shop", "lock", product_id)


def _mend(product_id: str) -> str:
    return KEYS.of("shop", "mend", product_id)


def _undone(job_id: str) -> str:
    return KEYS.of("shop", "undone", job_id)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
