"""The farm's hands in a Ray cluster: what is asked of them is admitted in turn and becomes an attempt."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray import exceptions

from farm.actors import options
from farm.actors.attempts import LOOK_S, Attempts
from farm.actors.blender_worker import Station
from farm.actors.fitness import Fitness
from farm.actors.tasks import RemoteTasks
from farm.adapters.temp_folders import TempFolders
from farm.concurrency import stop_all
from farm.domain.artifact import Artifact
from farm.domain.fingerprint import MODEL
from farm.render.bakes import BakedPart, part_name
from farm.render.catalog.ports import RowsTask, RowWorkers
from farm.render.cluster import machines_of
from farm.render.ports import (
    BakeTask,
    ComposeTask,
    FilmTask,
    ModelTask,
    NodeHealth,
    TextureRef,
    ViewDone,
    ViewTask,
    Workers,
)
from farm.render.tasks import drill
from farm.render.tasks.admission import Admission
from farm.render.tasks.film_task import FILM
from farm.render.tasks.health import Blocklist
from farm.render.tasks.heartbeat import Beats
from farm.saga.clock import Clock, SystemClock
from farm.saga.store import Counters
from farm.settings import Settings

log = logging.getLogger(__name__)

COMPOSING = "compose"
"""What the composing is called among a job's running attempts."""
RESHAPE_S = 5.0
"""How often the cluster is looked at for nodes that came and went."""
AHEAD = 2
"""Views submitted for each that can run: a finished one is followed at once, the rest can still be overtaken."""
WARMED = 4
"""The most Blenders opened ahead of the first view."""
HELPERS_FIRST_S = 0.25
"""How often it is looked whether helpers still work before Blender is opened ahead."""
REHEARSAL_S = 10.0
"""How long composing waits for the process that is being made ready for it."""


BAKER = "bake"
"""Whose tasks bakes are, as tenant and at the head of their job's id."""
PREVIEW_PRIORITY = -500
BAKE_PRIORITY = -1000
"""Below whatever a job may have."""


class RayWorkers:
    """Implements `Workers` on the cluster that this process is connected to.

    Of one event loop; `close` it there. What is admitted becomes an attempt, see `Attempts`.

    Args:
        redis_url: of the store, as the nodes reach it.
        shards: how many coordinators share the cluster.
        clock: of the watches.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        redis_url: str,
        beats: Beats,
        counters: Counters,
        health: NodeHealth,
        shards: int = 1,
        clock: Clock | None = None,
    ) -> None:
        # They travel with every task, to every node; what talks to the shop is the coordinator.
        self._settings = settings = replace(settings, shop_api_key="")
        self._redis_url = redis_url
        self._counters = counters
        self._shards = shards
        self._clock: Clock = clock or SystemClock()
        self._views = Admission(AHEAD)
        self._helpers = Admission(AHEAD)
        self._rows = Admission(AHEAD)
        self._blocklist = Blocklist(health)
        self._attempts = Attempts(settings, beats, self._blocklist, self._clock)
        self._fitness = Fitness(settings, redis_url, ray.get_runtime_context().get_node_id(), self._clock)
        self._nodes: Sequence[dict[str, Any]] = ()
        self._unfit: frozenset[str] = frozenset()
        self._shape: options.Shape | None = None
        self._tasks: RemoteTasks | None = None
        self._tending: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._rehearsal: asyncio.Future[None] | None = None

    # --- the port -------------------------------------------------------------------------------------------------

    async def compose(self, task: ComposeTask) -> Sequence[TextureRef]:
        async with self._helpers.admitted(task.tenant, int(task.request["priority"])):
            station, tasks = await self._ready()
            if self._rehearsal is not None:
                # Otherwise the task would start a process of its own, as cold as that one still is.
                await asyncio.wait({self._rehearsal}, timeout=REHEARSAL_S)
            textures: Sequence[TextureRef] = await self._attempts.run(
                task.job_id,
                COMPOSING,
                task.token,
                self._settings.step_timeout_s,
                lambda grant: tasks.compose.options(name=f"{COMPOSING} {task.job_id}").remote(station, grant, task),
            )
            return textures

    async def render(self, task: ViewTask) -> ViewDone:
        async with self._views.admitted(task.tenant, int(task.request["priority"])):
            station, tasks = await self._ready()
            drilled = await drill.meets(drill.parse(task.failpoints), task.job_id, task.name, self._counters)
            chosen = self._avoiding(task.job_id)
            done: ViewDone = await self._attempts.run(
                task.job_id,
                task.name,
                task.token,
                task.deadline_s,
                lambda grant: tasks.render.options(name=f"{task.name} {task.job_id}", **chosen).remote(
                    station, grant, task, drilled
                ),
            )
            await self._blocklist.succeeded(str(done.report["node"]))
            return done

    async def relight(self, task: ViewTask) -> ViewDone:
        priority = PREVIEW_PRIORITY if task.preview else int(task.request["priority"])
        async with self._helpers.admitted(task.tenant, priority):
            station, tasks = await self._ready()
            done: ViewDone = await self._attempts.run(
                task.job_id,
                task.name,
                task.token,
                task.deadline_s,
                lambda grant: tasks.relight.options(name=f"relit {task.name} {task.job_id}").remote(
                    station, grant, task
                ),
            )
            return done

    async def bake(self, task: BakeTask) -> BakedPart:
        """Bake one view, behind every view that a job waits for; not of the port, since no job may ask for it."""
        name = part_name(task.view, task.azimuth_deg)
        async with self._views.admitted(BAKER, BAKE_PRIORITY):
            station, tasks = await self._ready()
            part: BakedPart = await self._attempts.run(
                f"{BAKER}-{task.template}-{task.size_px}",
                name,
                task.token,
                self._settings.bake_timeout_s,
                lambda grant: tasks.bake.options(name=f"bake {name} of {task.template}").remote(station, grant, task),
            )
            return part

    async def relight_rows(self, task: RowsTask) -> Sequence[Mapping[str, Any]]:
        async with self._rows.admitted(task.tenant, 0):
            station, tasks = await self._ready()
            answers: Sequence[Mapping[str, Any]] = await self._attempts.run(
                task.batch_id,
                task.name,
                task.token,
                task.deadline_s,
                lambda grant: tasks.rows.options(name=f"{task.name} {task.batch_id}").remote(station, grant, task),
            )
            return answers

    async def row_slots(self) -> int:
        await self._ready()
        return self._rows.places

    async def encode(self, task: FilmTask) -> Artifact:
        async with self._helpers.admitted(task.tenant, 0):
            station, tasks = await self._ready()
            film: Artifact = await self._attempts.run(
                task.job_id,
                FILM,
                task.token,
                self._settings.step_timeout_s,
                lambda grant: tasks.encode.options(name=f"{FILM} {task.job_id}").remote(station, grant, task),
            )
            return film

    async def model(self, task: ModelTask) -> ViewDone:
        async with self._helpers.admitted(task.tenant, int(task.request["priority"])):
            station, tasks = await self._ready()
            drilled = await drill.meets(drill.parse(task.failpoints), task.job_id, MODEL, self._counters)
            chosen = self._avoiding(task.job_id)
            done: ViewDone = await self._attempts.run(
                task.job_id,
                MODEL,
                task.token,
                task.deadline_s,
                lambda grant: tasks.model.options(name=f"{MODEL} {task.job_id}", **chosen).remote(
                    station, grant, task, drilled
                ),
            )
            return done

    async def slots(self) -> int:
        """Views that can render at once in the cluster as it is now."""
        await self._ready()
        return self._shape.slots if self._shape else 0

    async def warm_up(self, template: str) -> None:
        """Have a helper made ready, and Blender opened with that template, before a job asks; best effort.

        A cold view waits seconds for Blender. Few are opened: on a large cluster the first views do it. What is
        composed and relit meanwhile goes first: Blender would take the cores from pictures that are there in a second.
        """
        station, tasks = await self._ready()
        rehearsal = tasks.rehearse.remote(station)
        self._rehearsal = asyncio.wrap_future(rehearsal.future())
        await _best_effort(rehearsal)
        while self._helpers.inside:
            await asyncio.sleep(HELPERS_FIRST_S)
        for ref in [tasks.warm_up.remote(station, template) for _ in range(min(await self.slots(), WARMED))]:
            await _best_effort(ref)

    async def close(self) -> None:
        """Stop watching. Attempts still running are their callers' to cancel first."""
        await self._fitness.close()
        if self._tending is not None:
            await stop_all(self._tending)
            self._tending = None

    def snapshot(self) -> dict[str, Any]:
        """For dashboards: how full the cluster is, seen from here."""
        return {
            "slots": self._shape.slots if self._shape else 0,
            "admitted": self._views.inside,
            "waiting": self._views.waiting,
            "running": self._attempts.shown(),
            "avoided": list(self._blocklist.sick(self._clock.wall_s())),
            "health": self._blocklist.shown(),
            "nodes": machines_of(
                self._nodes,
                options.slots_by_node(self._shape, self._nodes) if self._shape else {},
                self._fitness.troubles,
            ),
        }

    # --- the cluster ----------------------------------------------------------------------------------------------

    async def _ready(self) -> tuple[Station, RemoteTasks]:
        if self._tending is None:
            async with self._starting:  # whoever asks meanwhile waits for the first one's look at the cluster
                if self._tending is None:
                    await self._reshape()
                    self._tending = asyncio.create_task(self._tend(), name="watch over the workers")
        assert self._tasks is not None, "_reshape() bound them"
        assert self._shape is not None
        return Station(settings=self._settings, redis_url=self._redis_url, threads=self._shape.threads), self._tasks

    async def _tend(self) -> None:
        """Watch over what runs, and over the cluster, for as long as this lives: nobody else notices a hung Blender."""
        reshaped_s = self._clock.monotonic_s()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._attempts.look()
                if self._clock.monotonic_s() - reshaped_s > RESHAPE_S:
                    reshaped_s = self._clock.monotonic_s()
                    await self._reshape()
                    # A coordinator before this one may have been killed before it could look after its dead.
                    await asyncio.to_thread(TempFolders.of(self._settings).sweep_dead)
            except Exception:
                log.exception("a round of watching failed; the next one comes")

    def _avoiding(self, job_id: str) -> dict[str, Any]:
        """Options that keep a job's task off the nodes that it leaves alone."""
        if self._shape is None:
            return {}
        avoided = self._blocklist.avoided(job_id, self._clock.wall_s())
        return options.avoiding(self._usable, self._shape, avoided, self._unfit)

    @property
    def _usable(self) -> list[dict[str, Any]]:
        return [node for node in self._nodes if node["NodeID"] not in self._unfit]

    async def _reshape(self) -> None:
        """See which nodes there are, and how many views they can hold."""
        await self._blocklist.refresh()
        try:
            self._nodes = await asyncio.to_thread(ray.nodes)
        except exceptions.RayError as error:
            log.warning("the cluster does not answer, keeping to what is known of it: %s", error)
        self._fitness.look(self._nodes)
        former, self._unfit = self._unfit, frozenset(self._fitness.troubles)
        shape = options.shape_of(self._settings, self._usable)
        if self._shape is None or _resources(shape) != _resources(self._shape) or former != self._unfit:
            self._tasks = RemoteTasks.of(self._settings, shape, self._unfit)
        self._shape = shape
        # Where nothing fits yet, a few pending views tell the autoscaler what is wanted.
        places = max(AHEAD, -(-AHEAD * shape.slots // self._shards))
        self._views.resize(places)
        self._helpers.resize(max(AHEAD, shape.slots))
        self._rows.resize(max(1, options.row_slots(self._usable)))


def _resources(shape: options.Shape) -> tuple[float, float, int]:
    return shape.cpus, shape.gpus, shape.memory_bytes


async def _best_effort(ref: Any) -> None:
    try:
        await asyncio.wrap_future(ref.future())
    except exceptions.RayError as error:
        log.warning("a worker could not be made ready ahead: %s", error)


if TYPE_CHECKING:
    _conforms: type[Workers] = RayWorkers
    _rows: type[RowWorkers] = RayWorkers
