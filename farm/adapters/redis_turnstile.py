"""Who may come in, and how often in a minute: key and count in one question to Redis."""

import json
from dataclasses import dataclass
from math import floor
from typing import Any

from farm.adapters.redis_keys import API_KEYS
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_scripts import script
from farm.adapters.store_keys import KEYS
from farm.domain.access import ApiKey, Principal, digest_of, split_token

WINDOW_S = 60.0

# A key that is unknown, or whose secret is another, is not counted: else anybody could use up somebody's minute.
# The rest of its arguments: the keys of all keys and of this count, key's id, digest, limit, window in ms.
_PASS = script("""
local keys, counted, id, digest, limit, window =
  ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local text = ''
if id ~= '' then
  text = redis.call('HGET', keys, id)
  if not text or (digest ~= '' and cjson.decode(text).digest ~= digest) then return {} end
end
local kept = redis.call('HMGET', counted, 'since', 'count', 'before')
local since, count, before = tonumber(kept[1]) or now, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
if now < since or now >= since + 2 * window then
  since, count, before = now, 0, 0
elseif now >= since + window then
  since, count, before = since + window, 0, count
end
local age = now - since
local allowed = 0
if math.floor(before * (window - age) / window) + count + 1 <= limit then
  allowed, count = 1, count + 1
  redis.call('HSET', counted, 'since', string.format('%.0f', since), 'count', count, 'before', before)
  redis.call('PEXPIRE', counted, 2 * window - age)
end
return {text, allowed, count, before, age}
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted in a sliding window: this one's count, and a share of that of the one before.

    Attributes:
        allowed: whether the last one was let in, and is counted.
        age_s: since this window began; window_s: how long it lasts.
    """

    allowed: bool
    count: int
    before: int
    age_s: float
    window_s: float = WINDOW_S

    def remaining(self, limit: int) -> int:
        """How many more would be let in now."""
        return max(0, limit - floor(self.before * (self.window_s - self.age_s) / self.window_s) - self.count)

    def reset_s(self, limit: int) -> float:
        """Seconds until one more is let in for sure; until this window's end where there is room."""
        to_its_end_s = self.window_s - self.age_s
        if self.allowed or self.count >= limit:
            return to_its_end_s
        # What was counted before weighs less with every second.
        enough_s = self.window_s * (1 - (limit - self.count) / max(1, self.before))
        return min(to_its_end_s, max(0.0, enough_s - self.age_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Somebody at the turnstile whose key is good, let in or not."""

    principal: Principal
    tally: Tally


class RedisTurnstile:
    """The way in: each key so many times in a minute, counted in the store for all replicas.

    Args:
        limit: of each key in ``window_s``; of each name that `count` is given as well.
    """

    def __init__(self, link: RedisLink, limit: int, *, window_s: float = WINDOW_S) -> None:
        self._link = link
        self._window_s = window_s
        self.limit = limit

    async def by_token(self, token: str) -> Passage | None:
        """Whoever has that token; ``None`` where it opens nothing.

        Raises:
            StoreUnavailable: when nobody knows.
        """
        parts = split_token(token)
        if parts is None:
            return None
        key_id, secret = parts
        text, tally = await self._ask(key_id, digest_of(secret))
        if tally is None:
            return None
        key = ApiKey.from_dict(json.loads(text))
        return Passage(principal=key.principal, tally=tally) if key.opens(secret) else None

    async def by_key(self, key_id: str) -> Passage | None:
        """Whoever holds that key, as a session says that was opened with it; ``None`` where it was revoked.

        Raises:
            StoreUnavailable: when nobody knows.
        """
        if not key_id:
            return None
        text, tally = await self._ask(key_id)
        return Passage(principal=ApiKey.from_dict(json.loads(text)).principal, tally=tally) if tally else None

    async def count(self, name: str) -> Tally:
        """Somebody who has no key yet, counted by that name.

        Raises:
            StoreUnavailable: when nobody counts.
        """
        _, tally = await self._ask("", name=name)
        assert tally is not None, "without a key there is none to be wrong"
        return tally

    async def _ask(self, key_id: str, digest: str = "", *, name: str = "") -> tuple[Any, Tally | None]:
        counted, window_ms = KEYS.of("rate", key_id or name), round(self._window_s * 1000)
        found: Any = await self._link.call(_PASS, API_KEYS, counted, key_id, digest, self.limit, window_ms)
        if not found:
            return "", None
        text, allowed, count, before, age_ms = found
        return text, Tally(
            allowed=bool(allowed),
            count=int(count),
            before=int(before),
            age_s=int(age_ms) / 1000,
            window_s=self._window_s,
        )
