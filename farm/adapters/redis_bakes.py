"""Wishes for bakes, and what became of them, in Redis.

farm:bake:wishes            hash of bake -> wish, JSON; whoever no longer wants it removes it
farm:bake:outcomes          hash of bake -> what became of it, JSON: done views, then ``bake`` or ``error``
farm:bake:baker             who bakes now; expires unless renewed
"""

import json
from collections.abc import Awaitable, Mapping
from typing import Any, cast

import redis.asyncio

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.render.baker import BakeWish

_WISHES, _OUTCOMES, _BAKER = (KEYS.of("bake", part) for part in ("wishes", "outcomes", "baker"))
BAKER_S = 10.0
"""How long a baker that says nothing is believed to be at work."""

_HOLD = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


class RedisBakes:
    """The board on which bakes are wished for. Every method may raise `StoreUnavailable`."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._hold = client.register_script(_HOLD)

    async def wish(self, wish: BakeWish) -> None:
        """Ask for a bake; its former outcome is forgotten."""
        with translated():
            await self._client.hdel(_OUTCOMES, wish.id)
            await self._client.hset(_WISHES, wish.id, json.dumps(wish.to_dict()))

    async def withdraw(self, wish_id: str) -> None:
        """No longer ask for it; a bake at work stops."""
        with translated():
            await self._client.hdel(_WISHES, wish_id)

    async def wishes(self) -> list[BakeWish]:
        """What is wished for now."""
        with translated():
            found = await cast("Awaitable[dict[Any, Any]]", self._client.hgetall(_WISHES))
        return [BakeWish.from_dict(json.loads(text)) for text in found.values()]

    async def tell(self, wish_id: str, outcome: Mapping[str, Any]) -> None:
        """Say how far it is, or how it ended."""
        with translated():
            await self._client.hset(_OUTCOMES, wish_id, json.dumps(dict(outcome)))

    async def outcome(self, wish_id: str) -> Mapping[str, Any]:
        """What was told last; empty before anything was."""
        with translated():
            text = await cast("Awaitable[Any]", self._client.hget(_OUTCOMES, wish_id))
        return dict(json.loads(text)) if text else {}

    async def hold(self, baker: str) -> bool:
        """Be the one who bakes, or go on being it; ``False`` while another is."""
        with translated():
            return bool(await cast("Awaitable[int]", self._hold(keys=[_BAKER], args=[baker, round(BAKER_S * 1000)])))
