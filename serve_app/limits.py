"""Limits per key: whoever asks comes through the store's turnstile, which all replicas share."""

from dataclasses import dataclass
from typing import Self

from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_turnstile import Passage, RedisTurnstile, Tally
from farm.domain.access import Principal
from farm.errors import TooManyRequests


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
    """Lets callers in, each so many times in a sliding window of a minute."""

    def __init__(self, turnstile: RedisTurnstile, *, what: str = "requests") -> None:
        self._turnstile = turnstile
        self._what = what

    @classmethod
    def of(cls, link: RedisLink, per_minute: int, *, what: str = "requests") -> Self:
        """The limiter that counts in the store behind ``link``, together with what else is asked of it.

        Args:
            what: is counted, in words.
        """
        return cls(RedisTurnstile(link, per_minute), what=what)

    async def admit(self, token: str) -> tuple[Principal, Allowance] | None:
        """Whom a token lets in, counted; ``None`` where it opens nothing.

        Raises:
            TooManyRequests: when the key has used up its minute.
            StoreUnavailable: when nobody knows.
        """
        return self._allowed(await self._turnstile.by_token(token))

    async def admit_holder(self, key_id: str) -> tuple[Principal, Allowance] | None:
        """Whom a session's key stands for, counted; ``None`` where it was revoked.

        Raises:
            TooManyRequests, StoreUnavailable: as `admit`.
        """
        return self._allowed(await self._turnstile.by_key(key_id))

    async def take(self, name: str) -> Allowance:
        """Count one request of somebody who has no key yet.

        Raises:
            TooManyRequests, StoreUnavailable: as `admit`.
        """
        return self._allowance(await self._turnstile.count(name))

    def _allowed(self, passage: Passage | None) -> tuple[Principal, Allowance] | None:
        return None if passage is None else (passage.principal, self._allowance(passage.tally))

    def _allowance(self, tally: Tally) -> Allowance:
        limit = self._turnstile.limit
        reset_s = max(1, round(tally.reset_s(limit)))
        if not tally.allowed:
            raise TooManyRequests(limit=limit, what=self._what, window="a minute", retry_after_s=reset_s)
        return Allowance(limit=limit, remaining=tally.remaining(limit), reset_s=reset_s)
