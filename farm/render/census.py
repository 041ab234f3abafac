"""The census: how things stand in a farm, asked of its store every few seconds and told as metrics."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from farm.domain.status import Status
from farm.errors import FarmError
from farm.render.cluster import Cluster, ClusterBoard
from farm.render.metrics import Meter
from farm.saga.store import Store

EVERY_S = 5.0


@dataclass(slots=True, kw_only=True)
class Census:
    """One for a farm, held by its host: several would count everything several times.

    Attributes:
        used_bytes: memory that the store uses; where it is known.
        disk_free_bytes: of the farm's home; on its own machine alone.
    """

    meter: Meter
    sagas: Store
    board: ClusterBoard
    used_bytes: Callable[[], Awaitable[int]] | None = None
    disk_free_bytes: Callable[[], int] | None = None
    _priorities: set[str] = field(default_factory=set)

    async def take(self) -> None:
        """Count once; a store that does not answer is a figure too."""
        if self.disk_free_bytes is not None:
            self.meter.gauge("farm_disk_free_bytes", float(self.disk_free_bytes()))
        began_s = time.monotonic()
        try:
            await self.sagas.ping()
            self.meter.observe("farm_store_seconds", time.monotonic() - began_s)
            await self._count()
        except FarmError:
            self.meter.gauge("farm_store_up", 0.0)
            return
        self.meter.gauge("farm_store_up", 1.0)

    async def _count(self) -> None:
        records, meter = self.sagas.records, self.meter
        statuses = [str(status) for status in Status]
        *counts, pending = await records.count_each(
            [*({"status": status} for status in statuses), {"compensation": "pending"}]
        )
        for status, count in zip(statuses, counts, strict=True):
            meter.gauge("farm_jobs", float(count), status=status)
        meter.gauge("farm_compensation_pending", float(pending))
        backlog = await self.sagas.leases.backlog()
        meter.gauge("farm_jobs_leased", float(backlog.held))
        meter.gauge("farm_leases_lapsed", float(backlog.lapsed))
        meter.gauge("farm_queue_oldest_seconds", max((one.oldest_s for one in backlog.waiting), default=0.0))
        waiting = {str(one.priority): float(one.count) for one in backlog.waiting}
        self._priorities |= {"0", *waiting}
        for priority in self._priorities:  # one that has emptied must not stay as it was
            meter.gauge("farm_jobs_queued", waiting.get(priority, 0.0), priority=priority)
        cluster = Cluster.of(await self.board.read())
        meter.gauge("farm_coordinators", float(len(cluster.coordinators)))
        meter.gauge("farm_render_slots", float(cluster.slots))
        if self.used_bytes is not None:
            meter.gauge("farm_store_bytes", float(await self.used_bytes()))
