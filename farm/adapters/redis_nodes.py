"""The health of nodes in Redis: one hash, a field per node that failed of late."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import redis.asyncio
from redis.exceptions import WatchError

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.errors import StoreUnavailable
from farm.render.ports import NodeHealth, NodeState
from farm.render.tasks.health import after_failure, after_success, decayed
from farm.saga.clock import Clock

_NODES = KEYS.of("nodes")
KEPT_S = 86_400.0
ATTEMPTS = 20


class RedisNodes:
    """See `farm.render.ports.NodeHealth`.

    Args:
        limit: failures at which a node is sick.
    """

    def __init__(self, client: redis.asyncio.Redis, clock: Clock, *, limit: int, key: str = _NODES) -> None:
        self._client = client
        self._clock = clock
        self._limit = limit
        self._key = key

    async def failed(self, node_id: str, *, job_id: str, code: str) -> NodeState:
        return await self._change(
            node_id,
            lambda state, now_s: after_failure(state, now_s=now_s, limit=self._limit, job_id=job_id, code=code),
        )

    async def succeeded(self, node_id: str) -> NodeState:
        return await self._change(
            node_id, lambda state, now_s: after_success(state, now_s=now_s) if state.failed else state
        )

    async def list(self) -> Sequence[NodeState]:
        now_s = self._clock.wall_s()
        with translated():
            found = await self._client.hgetall(self._key)
            states = [NodeState(**json.loads(text)) for text in found.values()]
            old = [state.node_id for state in states if now_s - state.at_s > KEPT_S]
            if old:
                await self._client.hdel(self._key, *old)
        kept = (state for state in states if now_s - state.at_s <= KEPT_S)
        return sorted(kept, key=lambda state: (not state.sick(now_s), -decayed(state, now_s), state.node_id))

    async def _change(self, node_id: str, change: Callable[[NodeState, float], NodeState]) -> NodeState:
        """Read, change and write in one act; who comes in between makes us look again."""
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                for _ in range(ATTEMPTS):
                    await pipe.watch(self._key)
                    text = await pipe.hget(self._key, node_id)
                    before = NodeState(**json.loads(text)) if text else NodeState(node_id=node_id)
                    after = change(before, self._clock.wall_s())
                    if after == before:
                        return before
                    pipe.multi()
                    pipe.hset(self._key, node_id, json.dumps(after.to_dict()))
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue
                    return after
        raise StoreUnavailable(reason="the health of nodes changes too fast")


if TYPE_CHECKING:
    _conforms: type[NodeHealth] = RedisNodes
