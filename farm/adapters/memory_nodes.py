"""The health of nodes in memory, as `farm.adapters.redis_nodes` keeps it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from farm.render.ports import NodeHealth, NodeState
from farm.render.tasks.health import after_failure, after_success, decayed
from farm.saga.clock import Clock

KEPT_S = 86_400.0


class MemoryNodes:
    """See `farm.render.ports.NodeHealth`."""

    def __init__(self, clock: Clock, *, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._states: dict[str, NodeState] = {}

    async def failed(self, node_id: str, *, job_id: str, code: str) -> NodeState:
        before = self._states.get(node_id, NodeState(node_id=node_id))
        now_s = self._clock.wall_s()
        after = after_failure(before, now_s=now_s, limit=self._limit, job_id=job_id, code=code)
        self._states[node_id] = after
        return after

    async def succeeded(self, node_id: str) -> NodeState:
        before = self._states.get(node_id)
        if before is None:
            return NodeState(node_id=node_id)
        self._states[node_id] = after_success(before, now_s=self._clock.wall_s())
        return self._states[node_id]

    async def list(self) -> Sequence[NodeState]:
        now_s = self._clock.wall_s()
        kept = (state for state in self._states.values() if now_s - state.at_s <= KEPT_S)
        return sorted(kept, key=lambda state: (not state.sick(now_s), -decayed(state, now_s), state.node_id))


if TYPE_CHECKING:
    _conforms: type[NodeHealth] = MemoryNodes
