"""The movement of live runs in Redis: ``farm:movement:<run>``, JSON that expires soon after its last post."""

import json
from typing import TYPE_CHECKING

import redis.asyncio

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.render.catalog.movement import Movement, RunBoard

STALE_MS = 30_000


class RedisRunBoard:
    """See `farm.render.catalog.movement.RunBoard`."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client

    async def post(self, run_id: str, movement: Movement) -> None:
        with translated():
            await self._client.set(_key(run_id), json.dumps(movement.to_dict()), px=STALE_MS)

    async def read(self, run_ids: list[str]) -> list[Movement | None]:
        if not run_ids:
            return []
        with translated():
            texts = await self._client.mget([_key(run) for run in run_ids])
        return [Movement.of(json.loads(text)) if text else None for text in texts]


def _key(run_id: str) -> str:
    return KEYS.of("movement", run_id)


if TYPE_CHECKING:
    _conforms: type[RunBoard] = RedisRunBoard
