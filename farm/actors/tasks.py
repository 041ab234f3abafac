"""What runs in worker processes: thin functions that Ray starts, around the plain ones of `farm.render.tasks`.

Composer, renderer and coordinator import this module; what only one of them needs is imported where it is used.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from blender.protocol import PANELS
from farm.actors import options
from farm.actors.blender_worker import BlenderWorker, Station, last_words, where
from farm.actors.ray_internals import replace_process_after_task
from farm.adapters.temp_folders import TempFolders
from farm.domain import template as templates
from farm.domain.artifact import Artifact
from farm.errors import TemplateBroken
from farm.home import process as processes
from farm.render.bakes import BakedPart
from farm.render.catalog.ports import RowsTask
from farm.render.ports import BakeTask, ComposeTask, FilmTask, ModelTask, TextureRef, ViewDone, ViewTask
from farm.render.tasks.drill import DrillKind
from farm.render.tasks.film_task import encode_film
from farm.render.tasks.heartbeat import Grant
from farm.render.tasks.model_task import ModelBench, build_model
from farm.render.tasks.task_log import TaskLog
from farm.render.tasks.view_task import Bench, render_view
from farm.settings import Settings

DEATH_PATIENCE_S = 3.0
"""How long a process that Ray was told to kill may take, before the farm kills it itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortem:
    """What was found where a worker died.

    Attributes:
        dead: whether it really is.
        last_words: what it left behind, in one line.
    """

    dead: bool
    last_words: str = ""


def compose_in_worker(station: Station, grant: Grant, task: ComposeTask) -> tuple[TextureRef, ...]:
    """Compose a job's textures."""
    from farm.render.tasks.compose_task import compose_textures

    worker = _worker(station)
    log = TaskLog(f"compose {task.job_id}")
    with worker.attempt(station, grant, task.token) as (heart, _):
        template = template_here(station, task.request["template"], task.template_hash)
        return compose_textures(task, store=worker.store, template=template, progress=heart.progress, log=log)


def render_in_worker(station: Station, grant: Grant, task: ViewTask, drill: DrillKind | None) -> ViewDone:
    """Render one view in this process's warm Blender."""
    from farm.render.tasks.judge import judge_with

    worker = _worker(station)
    log = TaskLog(f"view {task.name} of {task.job_id}, attempt {task.attempt}, {worker.process}")
    template = template_here(station, task.request["template"], task.template_hash)
    device = _device(station.settings)
    with worker.attempt(station, grant, task.token) as (heart, folder):
        bench = Bench(
            store=worker.store,
            textures=worker.textures,
            open_renderer=lambda: worker.session(template, device, station.threads),
            judge=judge_with(template),
            template=template,
            folder=folder,
            threads=station.threads,
            device=device,
            where=where(worker),
            check_lease=heart.confirm,
        )
        done = render_view(task, bench=bench, progress=heart.progress, log=log, drill=drill)
    if worker.resident_bytes > station.settings.recycle_memory_bytes:
        replace_process_after_task(station.settings.recycle_renders)
    return done


def relight_in_worker(station: Station, grant: Grant, task: ViewTask) -> ViewDone:
    """Relight one view in this process, which keeps its bakes open; judged and stored as a rendered one."""
    from farm.render.tasks.judge import judge_with
    from farm.render.tasks.relighter import Relighter

    worker = _worker(station)
    log = TaskLog(f"relit view {task.name} of {task.job_id}, attempt {task.attempt}, {worker.process}")
    garment = templates.find(station.settings.template_folders, task.request["template"])
    template = template_here(station, garment.id, task.template_hash)
    with worker.attempt(station, grant, task.token) as (heart, folder):
        relighter = Relighter(
            store=worker.store,
            shelf=worker.bakes,
            template=garment.id,
            template_hash=garment.hash,
            folder=template,
            threads=station.threads or len(os.sched_getaffinity(0)),
        )
        bench = Bench(
            store=worker.store,
            textures=worker.textures,
            open_renderer=lambda: relighter,
            judge=judge_with(template),
            template=template,
            folder=folder,
            threads=station.threads,
            device="cpu",
            where=where(worker),
            check_lease=heart.confirm,
        )
        return render_view(task, bench=bench, progress=heart.progress, log=log)


def bake_in_worker(station: Station, grant: Grant, task: BakeTask) -> BakedPart:
    """Bake one view in this process's warm Blender."""
    from blender.bake import bake_view
    from farm.adapters.panel_places import PanelPlaces
    from farm.render.tasks.bake_task import bake_part

    worker = _worker(station)
    log = TaskLog(f"bake of {task.template} {task.view}, {worker.process}")
    template = template_here(station, task.template, task.template_hash)
    with worker.attempt(station, grant, task.token) as (heart, folder):
        session = worker.session(template, _device(station.settings), station.threads)

        def transport(
            wanted: BakeTask, on_progress: Callable[[float], None]
        ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
            return bake_view(
                session,
                wanted.view,
                size_px=wanted.size_px,
                samples=wanted.samples,
                azimuth_deg=wanted.azimuth_deg,
                threads=station.threads,
                on_progress=on_progress,
            )

        part = bake_part(
            task,
            store=worker.store,
            bake_view=transport,
            renderer=session,
            facts=session.template.facts,
            template=template,
            places=PanelPlaces(template, station.settings.home / "places"),
            folder=folder,
            progress=heart.progress,
            log=log,
        )
    if worker.resident_bytes > station.settings.recycle_memory_bytes:
        replace_process_after_task(station.settings.recycle_renders)
    return part


def rows_in_worker(station: Station, grant: Grant, task: RowsTask) -> list[dict[str, Any]]:
    """Do some rows of a batch in this process, which keeps its bakes open."""
    from farm.adapters.row_bench import row_bench
    from farm.render.tasks.rows_task import relight_rows

    worker = _worker(station)
    with worker.attempt(station, grant, task.token) as (heart, _):
        with row_bench(station.settings, worker.store, worker.bakes, threads=1, check_lease=heart.confirm) as bench:
            return relight_rows(task, bench=bench, progress=heart.progress)


def rehearse_in_worker(station: Station) -> None:
    """Make a process ready to compose and to relight."""
    from farm.adapters.rehearsal import rehearse

    worker = _worker(station)
    rehearse(station.settings, worker.store, worker.bakes)


def warm_up_worker(station: Station, template: str) -> None:
    """Open Blender in this process, for the view that comes next."""
    _worker(station).session(template_here(station, template), _device(station.settings), station.threads)


def encode_in_worker(station: Station, grant: Grant, task: FilmTask) -> Artifact:
    """Encode the turntable's frames."""
    from blender import turntable

    worker = _worker(station)
    log = TaskLog(f"film of {task.job_id}")

    def encode(frames: Sequence[Path], out: Path, fps: int) -> None:
        turntable.encode(frames, out, fps=fps)

    with worker.attempt(station, grant, task.token) as (heart, folder):
        return encode_film(task, store=worker.store, encode=encode, folder=folder, progress=heart.progress, log=log)


def model_in_worker(station: Station, grant: Grant, task: ModelTask, drill: DrillKind | None) -> ViewDone:
    """Build the interactive 3D model; needs no Blender."""
    from blender import model
    from blender.template import load_template
    from farm.picture.model_verdict import Surface

    worker = _worker(station)
    log = TaskLog(f"model of {task.job_id}, attempt {task.attempt}, {worker.process}")
    template = template_here(station, task.request["template"], task.template_hash)
    with worker.attempt(station, grant, task.token) as (heart, folder):
        opened = load_template(template)
        mesh = opened.mesh()
        surface = Surface(
            panel_order=PANELS,
            points_cm=mesh.points_cm,
            faces=mesh.faces,
            panel=mesh.face_panel,
            corner_cm=mesh.corner_cm,
            gain=float(opened.facts["finish"]["albedo_gain"]),
        )
        bench = ModelBench(
            store=worker.store,
            textures=worker.textures,
            write=model.write_model,
            surface=surface,
            template=template,
            folder=folder,
            where=where(worker),
            check_lease=heart.confirm,
        )
        return build_model(task, bench=bench, progress=heart.progress, log=log, drill=drill)


def see_dead_here(settings: Settings, identity: str, job_id: str, token: str, name: str) -> PostMortem:
    """On the node of a process that was told to die: wait for it, help it if it must be, clean up after it."""
    if not _see_dead(identity):
        return PostMortem(dead=False)
    folders = TempFolders.of(settings)
    words = last_words(folders.process(identity))
    folders.drop(folders.attempt(job_id, token, name, identity))
    folders.drop(folders.process(identity))
    return PostMortem(dead=True, last_words=words)


@dataclass(frozen=True, slots=True)
class RemoteTasks:
    """The functions above as Ray tasks, with their resources."""

    compose: Any
    rehearse: Any
    render: Any
    relight: Any
    bake: Any
    rows: Any
    warm_up: Any
    encode: Any
    model: Any

    @classmethod
    def of(cls, settings: Settings, shape: options.Shape, unfit: Iterable[str] = ()) -> "RemoteTasks":
        """Bind the options; the shape of the cluster may change, then bind anew.

        Args:
            unfit: nodes on which nothing may run.
        """
        placed = options.without(unfit)

        def remote(function: Callable[..., Any], **chosen: Any) -> Any:
            return ray.remote(**chosen, **placed)(function)

        return cls(
            compose=remote(compose_in_worker, **options.compose()),
            rehearse=remote(rehearse_in_worker, **options.compose()),
            render=remote(render_in_worker, **options.render(settings, shape)),
            relight=remote(relight_in_worker, **options.compose()),
            bake=remote(bake_in_worker, **options.render(settings, shape)),
            rows=remote(rows_in_worker, **options.rows(settings)),
            warm_up=remote(warm_up_worker, **options.render(settings, shape)),
            encode=remote(encode_in_worker, **options.compose()),
            model=remote(model_in_worker, **options.compose()),
        )


def _see_dead(identity: str) -> bool:
    until_s = time.monotonic() + DEATH_PATIENCE_S
    while processes.alive(identity):
        if time.monotonic() > until_s:
            processes.end([identity], grace_s=1.0)
            return not processes.alive(identity)
        time.sleep(0.005)
    return True


def _worker(station: Station) -> BlenderWorker:
    return BlenderWorker.here(station, ray.get_runtime_context().get_node_id())


def template_here(station: Station, name: str, wanted_hash: str = "") -> Path:
    """The folder of that template on this node.

    Raises:
        NotFound, TemplateBroken: when this node has none, or another one than the job was accepted with.
    """
    found = templates.find(station.settings.template_folders, name)
    if wanted_hash and found.hash != wanted_hash:
        reason = f"this node has {found.hash[:12]} ({found.version}), the job was accepted with {wanted_hash[:12]}"
        raise TemplateBroken(template=name, reason=reason)
    return found.folder


def _device(settings: Settings) -> str:
    """The device of the settings; on a node with GPUs with the index of the one that Ray assigned to this task."""
    assigned = ray.get_runtime_context().get_accelerator_ids().get("GPU") or []
    if settings.render_device == "cpu" or not assigned or not str(assigned[0]).isdigit():
        return settings.render_device
    return f"{settings.render_device}:{assigned[0]}"
