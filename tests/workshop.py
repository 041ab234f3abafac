"""A farm in one process for tests: real engine and steps, adapters of choice, workers that paint and do not render."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from farm.adapters.design_source import Designs
from farm.adapters.memory_heartbeat import MemoryProgressBoard
from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.domain.colour import rgb
from farm.domain.request import parse_request
from farm.domain.shape import sides_px
from farm.domain.view import ALL_VIEWS
from farm.errors import BadModel, BakeMissing
from farm.render import bakes, making
from farm.render.audit import Audit
from farm.render.bakes import Bake, BakedPart, part_name
from farm.render.bulkhead import blocking
from farm.render.coordinator import Coordinator
from farm.render.findings import AuditReport
from farm.render.ports import (
    ComposeTask,
    FilmTask,
    LeaseBook,
    ModelTask,
    ObjectStore,
    ProductCatalog,
    TextureRef,
    ViewDone,
    ViewTask,
)
from farm.render.prepare import Prepared, PreparedDesign, normalise
from farm.render.record import projector
from farm.render.sagas import Sagas
from farm.render.service import FarmService
from farm.render.steps.parts import Parts
from farm.render.tasks import drill
from farm.saga.clock import SystemClock
from farm.saga.engine import Engine
from farm.saga.lease import Lease
from farm.saga.store import Store
from farm.settings import Settings


def png(colour: tuple[int, ...], size_px: int | tuple[int, int] = 8) -> bytes:
    """A small flat picture."""
    buffer = io.BytesIO()
    Image.new("RGBA", (size_px, size_px) if isinstance(size_px, int) else size_px, colour).save(buffer, "PNG")
    return buffer.getvalue()


def prepared(**request: Any) -> Prepared:
    """A job whose design needs no decoding."""
    data = png((200, 16, 46, 255))
    design = PreparedDesign(data=data, sha256=hashlib.sha256(data).hexdigest(), width_px=8, height_px=8)
    return Prepared(
        request=normalise(parse_request({"size": 64, **request}), ()),
        designs=(design,),
        template={"id": "crew-tee", "version": "1", "hash": "0" * 64},
        warnings=(),
    )


def baked(
    store: ObjectStore,
    *names: str,
    size_px: int = 64,
    delta_e: float | None = 0.4,
    template_hash: str = "0" * 64,
    larger: Mapping[str, float] = {},
) -> Bake:
    """A finished bake of the template of `prepared` jobs, in the store; painters need no more of it than its index.

    Args:
        larger: the errors of larger pictures by their size.
    """
    error = {} if delta_e is None else {"delta_e_mean": delta_e}
    parts = {
        name: BakedPart(
            name=name, key=f"{keys.bakes('crew-tee', template_hash, size_px)}{name}.light", sha256="0" * 64,
            size_bytes=1, samples=64, renderer="cycles 5", seconds=1.0, error=error,
            larger={size: {"delta_e_mean": error_of} for size, error_of in larger.items()},
        )
        for name in names or ALL_VIEWS
    }  # fmt: skip
    made = Bake(template="crew-tee", template_hash=template_hash, size_px=size_px, parts=parts)
    key = bakes.index_key("crew-tee", template_hash, size_px)
    store.put(key, made.to_json(), content_type="application/json")
    return made


@dataclass(slots=True)
class Painters:
    """Workers that paint each view in the fabric's colour: all of a farm but Blender.

    Attributes:
        painted: every view that was begun, in order, as ``(job, view)``.
        relit: every view that was relit instead.
        before: called ahead of each picture; may raise or wait, as a test likes.
        before_relit: the same for those that are relit.
        files: the bytes of films and models by their file name, for whoever must be able to show them.
        spoiled_models: how many models come out wrong before one is right.
        report: what each picture's report says beside.
        running, most: pictures being painted now, and at most so far.
    """

    store: ObjectStore
    painted: list[tuple[str, str]] = field(default_factory=list)
    relit: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[ViewTask], Any] | None = None
    before_relit: Callable[[ViewTask], Any] | None = None
    seconds: float = 0.0
    spoiled_models: int = 0
    running: int = 0
    most: int = 0
    report: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    async def compose(self, task: ComposeTask) -> Sequence[TextureRef]:
        data = await blocking(self.store.get, task.designs[0]["key"], sha256=task.designs[0]["sha256"])
        key = keys.work(task.tenant, task.job_id, task.token) + "front.png"
        sha256 = await blocking(self.store.put, key, data, content_type="image/png")
        return [TextureRef(panel="front", key=key, sha256=sha256, x_cm=-15, y_cm=6, width_cm=30, height_cm=40)]

    async def render(self, task: ViewTask) -> ViewDone:
        self.painted.append((task.job_id, task.name))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.before is not None:
                waiting = self.before(task)
                if waiting is not None:
                    await waiting
            await asyncio.sleep(self.seconds)
            return await blocking(self._paint, task)
        finally:
            self.running -= 1

    async def relight(self, task: ViewTask) -> ViewDone:
        self.relit.append((task.job_id, task.name))
        if self.before_relit is not None:
            waiting = self.before_relit(task)
            if waiting is not None:
                await waiting
        return await blocking(self._relight, task)

    def _relight(self, task: ViewTask) -> ViewDone:
        """From the template's bake, as far as a painter needs one: its id is in the report."""
        name, size_px = part_name(task.view, task.azimuth_deg), min(sides_px(task.request))
        made = bakes.finished(self.store, task.request["template"], task.template_hash)
        bake = bakes.serving(made, name, size_px)
        if bake is None:
            raise BakeMissing(template=task.request["template"], view=name, size_px=size_px)
        return self._paint(task, renderer=bake.renderer)

    def _paint(self, task: ViewTask, *, renderer: str = "") -> ViewDone:
        for texture in task.textures:
            self.store.get(texture.key, sha256=texture.sha256)
        data = png((*rgb(task.request["fabric_color"]), len(task.name)), sides_px(task.request))
        key = keys.work(task.tenant, task.job_id, task.token) + f"{task.name}.png"
        artifact = Artifact(
            kind=Kind.STILL,
            name=f"{task.name}.png",
            key=key,
            sha256=self.store.put(key, data, content_type="image/png"),
            size_bytes=len(data),
            content_type="image/png",
            width_px=sides_px(task.request)[0],
            height_px=sides_px(task.request)[1],
            view=task.view if task.frame is None else None,
        )
        report = {"total_s": 0.0, "device": "cpu", "renderer": renderer or making.cycles(), **self.report}
        return ViewDone(artifact=artifact, report=report)

    async def encode(self, task: FilmTask) -> Artifact:
        data = b"".join(self.store.get(frame["key"], sha256=frame["sha256"])[:64] for frame in task.frames)
        data = self.files.get("animation.mp4", data)
        key = keys.work(task.tenant, task.job_id, task.token) + "animation.mp4"
        sha256 = self.store.put(key, data, content_type="video/mp4")
        return Artifact(
            kind=Kind.FILM,
            name="animation.mp4",
            key=key,
            sha256=sha256,
            size_bytes=len(data),
            content_type="video/mp4",
        )

    async def model(self, task: ModelTask) -> ViewDone:
        self.painted.append((task.job_id, "model"))
        await asyncio.sleep(self.seconds)
        if self.spoiled_models > 0 or any(one.view == "model" for one in drill.parse(task.failpoints)):
            self.spoiled_models -= 1
            raise BadModel(view="model", reason="wrong_print: it is missing")
        data = b"".join(self.store.get(one.key, sha256=one.sha256) for one in task.textures)
        data = self.files.get("model.glb", data)
        key = keys.work(task.tenant, task.job_id, task.token) + "model.glb"
        artifact = Artifact(
            kind=Kind.MODEL,
            name="model.glb",
            key=key,
            sha256=self.store.put(key, data, content_type="model/gltf-binary"),
            size_bytes=len(data),
            content_type="model/gltf-binary",
        )
        return ViewDone(artifact=artifact, report={"total_s": 0.0, "device": "paint"})


class NoTempFiles:
    """Painters leave none."""

    def sweep(self, job_id: str) -> int:
        return 0

    def list(self) -> Any:
        return iter(())


@dataclass(slots=True, kw_only=True)
class Workshop:
    """The parts of one test farm."""

    settings: Settings
    sagas: Store
    objects: ObjectStore
    catalog: ProductCatalog
    painters: Painters
    leases: LeaseBook
    service: FarmService

    @property
    def parts(self) -> Parts:
        return Parts(
            store=self.objects,
            catalog=self.catalog,
            workers=self.painters,
            settings=self.settings,
            fetch=Designs.of(self.settings).from_web,
        )

    def coordinator(self, *, concurrency: int | None = None) -> Coordinator:
        return Coordinator("test", sagas=self.sagas, parts=self.parts, concurrency=concurrency)

    @asynccontextmanager
    async def running(self, *, concurrency: int | None = None, shards: int = 1) -> AsyncIterator[list[Coordinator]]:
        """Coordinators at work, stopped at the end."""
        coordinators = [self.coordinator(concurrency=concurrency) for _ in range(shards)]
        runs = [asyncio.create_task(coordinator.run()) for coordinator in coordinators]
        try:
            yield coordinators
        finally:
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)

    async def ended(self, job_id: str, within_s: float = 30.0) -> dict[str, Any]:
        """The job's record once it has ended."""
        async with asyncio.timeout(within_s):
            while True:
                record = await self.service.get(job_id)
                if record["finished_at"] is not None:
                    return record
                await asyncio.sleep(0.01)

    async def audit(self) -> AuditReport:
        return await Audit(
            settings=self.settings,
            sagas=self.sagas,
            objects=self.objects,
            catalog=self.catalog,
            leases=self.leases,
            temp_files=NoTempFiles(),
            clock=SystemClock(),
        ).run()


QUICK = {"backoff_base_s": 0.0, "backoff_max_s": 0.01, "film_frames": 2, "cache_days": 0.0}
"""No result cache: most tests look at what is rendered, and render the same over and over."""


def workshop(home: Path, sagas: Store, objects: ObjectStore, catalog: ProductCatalog, **settings: Any) -> Workshop:
    """A workshop over the given adapters."""
    chosen = replace(Settings.load({"FARM_HOME": str(home)}), **{**QUICK, **settings})
    painters = Painters(objects)
    parts = Parts(store=objects, catalog=catalog, workers=painters, settings=chosen)

    async def resume(job_id: str) -> None:
        entries = await sagas.journal.load(job_id)
        engine = Engine(sagas, projector=projector(objects.url))
        saga = Sagas(parts).of(entries[0].data["request"])
        await engine.resume_compensation(job_id, saga, owner="test/resume", ttl_s=5.0)

    service = FarmService(
        settings=chosen,
        sagas=sagas,
        objects=objects,
        catalog=catalog,
        live=MemoryProgressBoard(),
        clock=SystemClock(),
        resume_compensation=resume,
    )
    return Workshop(
        settings=chosen,
        sagas=sagas,
        objects=objects,
        catalog=catalog,
        painters=painters,
        leases=_Held(sagas),
        service=service,
    )


class _Held:
    """Valid leases, asked of the store under test."""

    def __init__(self, sagas: Store) -> None:
        self._sagas = sagas

    async def held(self) -> Sequence[Lease]:
        return await self._sagas.leases.held()
