"""Coordinators as named Ray actors: the shell around `farm.render.coordinator.Coordinator`.

An actor resumes from its constructor, so a restart after a crash waits for nobody's call: what it was doing stands in
the journal, and its successor's first claim finds the lapsed leases.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.actors import options
from farm.actors.bakery import Bakery
from farm.actors.meter import RayMeter
from farm.actors.workers import RayWorkers
from farm.adapters.metered_catalog import MeteredCatalog
from farm.adapters.metered_store import MeteredStore
from farm.adapters.redis_bakes import RedisBakes
from farm.adapters.redis_board import RedisBoard
from farm.adapters.redis_heartbeat import RedisBeats
from farm.concurrency import stop_all
from farm.domain.request import RenderRequest
from farm.errors import FarmError
from farm.log import start_logging
from farm.render.cluster import TELL_S, ClusterBoard
from farm.render.coordinator import Coordinator
from farm.render.metrics import Meter
from farm.render.self_baking import SelfBaking
from farm.settings import Settings
from farm.wiring import open_farm

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Between attempts to reach a store that does not answer."""
RESIZE_S = 5.0
DEFAULT_TEMPLATE: str = RenderRequest.model_fields["template"].default
JOBS_PER_SLOT = 2
LEAST_JOBS = 2


class CoordinatorActor:
    """One shard's coordinator, serving from its first moment."""

    def __init__(self, settings: Settings, store_url: str, name: str, shards: int) -> None:
        start_logging(settings, name)
        self._settings = settings
        self._store_url = store_url
        self._name = name
        self._shards = shards
        self._coordinator: Coordinator | None = None
        self._workers: RayWorkers | None = None
        self._serving = asyncio.get_running_loop().create_task(self._serve(), name=f"serve {name}")

    async def ping(self) -> str:
        """Answers with its name."""
        return self._name

    async def pid(self) -> int:
        return os.getpid()

    async def snapshot(self) -> dict[str, Any]:
        """What it is doing, for the dashboard."""
        coordinator, workers = self._coordinator, self._workers
        return {
            "name": self._name,
            "pid": os.getpid(),
            "serving": coordinator is not None,
            "owner": coordinator.owner if coordinator else None,
            "jobs": coordinator.driving if coordinator else [],
            "concurrency": coordinator.concurrency if coordinator else None,
            "workers": workers.snapshot() if workers else None,
        }

    async def stop(self) -> None:
        """Put down what runs, give the jobs back and take no more."""
        await stop_all(self._serving)

    async def _serve(self) -> None:
        """Coordinate until stopped; a store that is away is waited for, a defect is said loudly and survived."""
        while True:
            try:
                await self._coordinate()
            except FarmError as error:
                log.warning("%s cannot coordinate: %s", self._name, error)
            except Exception:
                log.exception("%s stopped coordinating", self._name)
            await asyncio.sleep(RETRY_S)

    async def _coordinate(self) -> None:
        async with open_farm(self._settings, store_url=self._store_url) as farm:
            workers = RayWorkers(
                self._settings,
                redis_url=self._store_url,
                beats=RedisBeats(farm.redis),
                counters=farm.sagas.counters,
                health=farm.nodes,
                shards=self._shards,
            )
            meter = RayMeter()
            parts = farm.parts(workers)
            coordinator = Coordinator(
                self._name,
                sagas=farm.sagas,
                parts=replace(
                    parts, store=MeteredStore(parts.store, meter), catalog=MeteredCatalog(parts.catalog, meter)
                ),
                concurrency=await self._concurrency(workers),
                meter=meter,
                ended=SelfBaking(self._settings, store=farm.store, wishes=RedisBakes(farm.redis)),
            )
            self._workers, self._coordinator = workers, coordinator
            beside = [
                asyncio.create_task(self._resize(workers, coordinator)),
                asyncio.create_task(self._tell(workers, coordinator, RedisBoard(farm.redis), meter)),
                asyncio.create_task(workers.warm_up(DEFAULT_TEMPLATE)),
                asyncio.create_task(Bakery(wishes=RedisBakes(farm.redis), oven=workers, store=farm.store).run()),
            ]
            try:
                await coordinator.run()
            finally:
                self._workers = self._coordinator = None
                await stop_all(*beside)
                with contextlib.suppress(FarmError):
                    await RedisBoard(farm.redis).take_down(self._name)
                await workers.close()

    async def _resize(self, workers: RayWorkers, coordinator: Coordinator) -> None:
        """More nodes, more jobs at once."""
        while True:
            await asyncio.sleep(RESIZE_S)
            try:
                coordinator.concurrency = await self._concurrency(workers)
            except Exception:
                log.exception("how many jobs may run at once cannot be told; it stays as it was")

    async def _tell(self, workers: RayWorkers, coordinator: Coordinator, board: ClusterBoard, meter: Meter) -> None:
        """Post on the board, and tell the meter, what is under way here."""
        shard = self._name.rpartition("-")[2]
        while True:
            told = workers.snapshot()
            views = sum("node" in one for one in told["running"])
            meter.gauge("farm_views_running", float(views), shard=shard)
            meter.gauge("farm_views_waiting", float(told["waiting"] + len(told["running"]) - views), shard=shard)
            meter.gauge("farm_nodes_avoided", float(len(told["avoided"])), shard=shard)
            ours = {"pid": os.getpid(), "jobs": len(coordinator.driving), "concurrency": coordinator.concurrency}
            try:
                await board.post(self._name, {**told, **ours})
            except FarmError as error:
                log.warning("the board cannot be written on: %s", error)
            except Exception:
                log.exception("the board cannot be written on")
            await asyncio.sleep(TELL_S)

    async def _concurrency(self, workers: RayWorkers) -> int:
        return self._settings.concurrent_jobs or max(LEAST_JOBS, JOBS_PER_SLOT * await workers.slots())


def farm_id(store_url: str) -> str:
    """The farm's id in the names of its actors: a farm is its store."""
    return hashlib.sha256(store_url.encode()).hexdigest()[:10]


def coordinator_names(settings: Settings, store_url: str) -> list[str]:
    """The names of the farm's coordinators, by shard."""
    return [f"coordinator-{farm_id(store_url)}-{shard}" for shard in range(settings.shards)]


def start_coordinators(settings: Settings, store_url: str) -> list[Any]:
    """Get or create the farm's coordinators; they live as long as this driver.

    They are placed on this driver's node, which is there for good, rather than on a node that was bought to render.

    Args:
        store_url: of the journal's store, as the nodes reach it.

    Returns:
        Their actor handles, by shard.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    names = coordinator_names(settings, store_url)
    return [
        ray.remote(CoordinatorActor)
        .options(**options.coordinator(name), get_if_exists=True, scheduling_strategy=here)
        .remote(settings, store_url, name, len(names))
        for name in names
    ]
