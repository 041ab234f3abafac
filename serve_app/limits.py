"""Limits per key, counted in the farm's store so that all replicas share them."""

import time
from dataclasses import dataclass
from typing import Self

import redis.asyncio
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from farm.adapters.redis_link import translated
from farm.errors import TooManyRequests
from farm.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a key has left: the values of the ``RateLimit-*`` headers."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """As they are sent."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class Limiter:
    """Counts requests per key in a sliding window of a minute."""

    def __init__(self, storage: Storage, per_minute: int) -> None:
        self._item: RateLimitItem = RateLimitItemPerMinute(per_minute)
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    @classmethod
    def of(cls, settings: Settings, client: redis.asyncio.Redis) -> Self:
        """The limiter that counts in the store ``client`` speaks to, over its connections."""
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            connection_pool=client.connection_pool,  # type: ignore[arg-type]  # it is handed on to redis-py
            key_prefix="farm:rate",
        )
        return cls(storage, settings.requests_per_minute)

    async def take(self, key_id: str) -> Allowance:
        """Count one request.

        Raises:
            TooManyRequests: when the key has used up its minute.
            StoreUnavailable: when nobody counts.
        """
        with translated():
            allowed = await self._limiter.hit(self._item, key_id)
            window = await self._limiter.get_window_stats(self._item, key_id)
        reset_s = max(1, round(window.reset_time - time.time()))
        if not allowed:
            limit = self._item.amount
            raise TooManyRequests(limit=limit, what="requests", window="a minute", retry_after_s=reset_s)
        return Allowance(limit=self._item.amount, remaining=max(0, window.remaining), reset_s=reset_s)
