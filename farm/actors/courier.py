"""The courier: collects and delivers webhooks in a process of its own, a named Ray actor; no job waits for it.

Like a coordinator it resumes from its constructor: where it stood is in the store. Detached, because deliveries are
tried for hours; so one of another version, or with other settings, is ended and made anew.
"""

import asyncio
import logging
import os
import time
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import farm
from farm.actors import options
from farm.actors.coordinator import RETRY_S, farm_id
from farm.actors.meter import RayMeter
from farm.concurrency import stop_all
from farm.errors import FarmError
from farm.home.folder import settings_digest
from farm.log import start_logging
from farm.notify.delivery import Attempt
from farm.settings import Settings
from farm.wiring import open_farm

log = logging.getLogger(__name__)

ANSWER_S = 20.0
"""How long a courier that is there already may take to say what it is."""


class CourierActor:
    """Collects and delivers, from its first moment."""

    def __init__(self, settings: Settings, store_url: str, name: str) -> None:
        start_logging(settings, name)
        self._settings = settings
        self._store_url = store_url
        self._name = name
        self._under_way = 0
        self._serving = asyncio.get_running_loop().create_task(self._serve(), name=f"serve {name}")

    async def kind(self) -> str:
        """Its version and its settings, in short: whether it is the one that is wanted."""
        return kind_of(self._settings)

    async def pid(self) -> int:
        return os.getpid()

    async def stop(self) -> None:
        """Send no more."""
        await stop_all(self._serving)

    async def _serve(self) -> None:
        meter = RayMeter()

        def heard(attempt: Attempt) -> None:
            meter.count("farm_webhook_deliveries_total", outcome=attempt.outcome)

        while True:
            try:
                async with open_farm(self._settings, store_url=self._store_url) as opened:
                    postman = opened.webhooks.postman(heard)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(opened.collector(postman).run())
                        group.create_task(postman.run())
            except* FarmError as errors:
                log.warning("%s pauses: %s", self._name, errors.exceptions[0])
            except* Exception:
                log.exception("%s stopped", self._name)
            await asyncio.sleep(RETRY_S)


def kind_of(settings: Settings) -> str:
    """What tells one courier from another."""
    return f"{farm.__version__} {settings_digest(settings)}"


def start_courier(settings: Settings, store_url: str) -> Any:
    """Get or create the farm's courier, on this driver's node while that is there. Blocks."""
    name = f"webhooks-{farm_id(store_url)}"
    if _is_there(name, kind_of(settings)):
        return ray.get_actor(name, options.NAMESPACE)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor: Any = ray.remote(CourierActor).options(**options.courier(name), get_if_exists=True, scheduling_strategy=here)
    return actor.remote(settings, store_url, name)


def _is_there(name: str, kind: str) -> bool:
    """Whether the wanted courier is up; another, or one that does not answer, is ended."""
    try:
        found: Any = ray.get_actor(name, options.NAMESPACE)
    except ValueError:
        return False
    try:
        if ray.get(found.kind.remote(), timeout=ANSWER_S) == kind:
            return True
        log.info("another courier takes the place of one with other settings")
    except ray.exceptions.RayError as error:
        log.warning("the courier does not answer, another takes its place: %s", error)
    ray.kill(found)
    until_s = time.monotonic() + ANSWER_S
    while time.monotonic() < until_s:
        try:
            ray.get_actor(name, options.NAMESPACE)
        except ValueError:
            break
        time.sleep(0.1)
    return False
