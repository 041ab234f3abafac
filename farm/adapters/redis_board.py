"""What coordinators post of the cluster, in Redis.

farm:board       hash: a coordinator's name to its post, and ``<name>@`` to the server's time of it in ms; goes a minute
                 after the last post
"""

import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import redis.asyncio

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.render.cluster import STALE_S, ClusterBoard

BOARD = KEYS.of("board")

_POST = """
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[1] .. '@', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('PEXPIRE', KEYS[1], 60000)
"""
_READ = """
local t = redis.call('TIME')
return {t[1] * 1000 + math.floor(t[2] / 1000), redis.call('HGETALL', KEYS[1])}
"""


class RedisBoard:
    """See `farm.render.cluster.ClusterBoard`."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._post = client.register_script(_POST)
        self._read = client.register_script(_READ)

    async def post(self, name: str, told: Mapping[str, Any]) -> None:
        with translated():
            await cast("Awaitable[Any]", self._post(keys=[BOARD], args=[name, json.dumps(told)]))

    async def take_down(self, name: str) -> None:
        with translated():
            await self._client.hdel(BOARD, name, f"{name}@")

    async def read(self) -> Sequence[Mapping[str, Any]]:
        with translated():
            now_ms, found = await cast("Awaitable[Any]", self._read(keys=[BOARD]))
        texts = [part.decode() if isinstance(part, bytes) else str(part) for part in found]
        posts = dict(zip(texts[::2], texts[1::2], strict=True))
        read = []
        for name, text in sorted(posts.items()):
            if name.endswith("@"):
                continue
            age_s = max(0.0, (int(now_ms) - int(posts[f"{name}@"])) / 1000.0)
            if age_s < STALE_S:
                read.append({**json.loads(text), "name": name, "age_s": round(age_s, 1)})
        return read


if TYPE_CHECKING:
    _conforms: type[ClusterBoard] = RedisBoard
