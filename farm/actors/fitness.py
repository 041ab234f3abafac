"""Which nodes may be used: a node that joins later gets no work before it was inspected, and none if it is unfit."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from farm.actors.inspection import Inspected, inspect
from farm.concurrency import stop_all
from farm.saga.clock import Clock
from farm.settings import Settings

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""How long an unfit node waits for another look: what it does not reach may come back."""
PENDING = "it has just joined and is being inspected"


class Fitness:
    """What one coordinator knows of its cluster's nodes; of one event loop.

    The nodes that are there at first are used while they are inspected: a coordinator that was started again must not
    stand still, and the farm's host has refused a cluster with unfit nodes already.

    Args:
        own_node: this process' node, which needs no inspection.
    """

    def __init__(self, settings: Settings, store_url: str, own_node: str, clock: Clock) -> None:
        self._settings = settings
        self._store_url = store_url
        self._clock = clock
        self._troubles: dict[str, str] = {}
        self._seen: set[str] = {own_node}
        self._again_s: dict[str, float] = {}
        self._first = True
        self._looking: set[asyncio.Task[None]] = set()

    @property
    def troubles(self) -> Mapping[str, str]:
        """Why a node may not be used, by its id."""
        return self._troubles

    def look(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        """See who came, went, or is due for another look; returns at once."""
        alive = {str(node["NodeID"]): node for node in nodes if node["Alive"]}
        self._troubles = {node_id: trouble for node_id, trouble in self._troubles.items() if node_id in alive}
        now_s = self._clock.monotonic_s()
        due = [node_id for node_id, at_s in self._again_s.items() if node_id in alive and at_s <= now_s]
        new = [node_id for node_id in alive if node_id not in self._seen]
        self._seen |= set(new)
        if not self._first:
            self._troubles |= dict.fromkeys(new, PENDING)
        self._first = False
        for node_id in due:
            del self._again_s[node_id]
        if new or due:
            task = asyncio.create_task(self._inspect([alive[node_id] for node_id in (*new, *due)]))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _inspect(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        try:
            for found in await inspect(self._settings, self._store_url, nodes):
                self._judge(found)
        except Exception:
            log.exception("nodes could not be inspected; they are looked at again")
            self._again_s |= {str(node["NodeID"]): self._clock.monotonic_s() + AGAIN_S for node in nodes}

    def _judge(self, found: Inspected) -> None:
        if not found.troubles:
            self._troubles.pop(found.node_id, None)
            return
        trouble = "; ".join(found.troubles)
        if self._troubles.get(found.node_id) != trouble:
            log.error("node %s (%s) is not used: %s", found.node_id[:8], found.host, trouble)
        self._troubles[found.node_id] = trouble
        self._again_s[found.node_id] = self._clock.monotonic_s() + AGAIN_S

    async def close(self) -> None:
        """Give up what is being looked at."""
        await stop_all(*self._looking)
