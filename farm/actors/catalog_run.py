"""The run coordinator as a named Ray actor: the shell around `farm.render.catalog.coordinator.RunCoordinator`.

Like a job coordinator it resumes from its constructor. It is made when the first run is there, not with the farm: most
farms render jobs for weeks before somebody brings a catalogue.
"""

import asyncio
import logging
import os
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.actors import options
from farm.actors.coordinator import RETRY_S, farm_id
from farm.actors.workers import RayWorkers
from farm.adapters.redis_heartbeat import RedisBeats
from farm.concurrency import stop_all
from farm.errors import FarmError
from farm.log import start_logging
from farm.render.catalog.coordinator import RunCoordinator
from farm.settings import Settings
from farm.wiring import open_farm

log = logging.getLogger(__name__)


class CatalogRunActor:
    """Drives the farm's catalogue runs, from its first moment."""

    def __init__(self, settings: Settings, store_url: str, name: str) -> None:
        start_logging(settings, name)
        self._settings = settings
        self._store_url = store_url
        self._name = name
        self._coordinator: RunCoordinator | None = None
        self._workers: RayWorkers | None = None
        self._serving = asyncio.get_running_loop().create_task(self._serve(), name=f"serve {name}")

    async def ping(self) -> str:
        """Answers with its name."""
        return self._name

    async def pid(self) -> int:
        return os.getpid()

    async def snapshot(self) -> dict[str, Any]:
        """What it is doing, for the dashboard."""
        return {
            "name": self._name,
            "pid": os.getpid(),
            "runs": self._coordinator.driving if self._coordinator else [],
            "workers": self._workers.snapshot() if self._workers else None,
        }

    async def stop(self) -> None:
        """Put down what runs, give the runs back and take no more."""
        await stop_all(self._serving)

    async def _serve(self) -> None:
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
            )
            coordinator = RunCoordinator(self._name, farm.kit(workers, workers), farm.catalogues)
            self._workers, self._coordinator = workers, coordinator
            try:
                await coordinator.run()
            finally:
                self._workers = self._coordinator = None
                await workers.close()


def start_run_actor(settings: Settings, store_url: str) -> Any:
    """Get or create the farm's run actor; it lives as long as this driver, on this driver's node.

    Relative designs of a manifest on this machine are files of this machine.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    name = f"catalog-{farm_id(store_url)}"
    return (
        ray.remote(CatalogRunActor)
        .options(**options.coordinator(name), get_if_exists=True, scheduling_strategy=here)
        .remote(settings, store_url, name)
    )
