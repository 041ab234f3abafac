"""The 3D model as a task: textures in, one judged GLB out. Free of Ray and Blender: the builder is handed in."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blender.protocol import ModelOrder, ModelReport, ProtocolError
from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.domain.fingerprint import MODEL
from farm.errors import BadModel, DiskFull, FarmError, InvalidRequest
from farm.picture.light import linear_rgb
from farm.picture.model_verdict import Surface, judge_model
from farm.render.ports import ModelTask, ObjectStore, ViewDone
from farm.render.tasks import drill as drills
from farm.render.tasks.drill import DrillKind
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.print_files import Textures, fetched, panel_textures
from farm.render.tasks.task_log import TaskLog

CONTENT_TYPE = "model/gltf-binary"
NAME = "model.glb"
MAX_BYTES = 6_000_000
FETCHED, BUILT, JUDGED = 0.10, 0.75, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBench:
    """What a worker process lays out for one attempt.

    Attributes:
        write: builds a model, see `blender.model`.
        surface: the template's garment, which the verdict compares with.
        template: the template's folder.
        folder: the attempt's own, empty.
        where: node and process, for the report.
        check_lease: raises when the attempt was overtaken; asked once more before anything is stored.
    """

    store: ObjectStore
    textures: Textures
    write: Callable[[ModelOrder], ModelReport]
    surface: Surface
    template: Path
    folder: Path
    where: Mapping[str, Any]
    check_lease: Callable[[], None]


def build_model(
    task: ModelTask, *, bench: ModelBench, progress: Progress, log: TaskLog, drill: DrillKind | None = None
) -> ViewDone:
    """Build the model, judge it and store it under its attempt's prefix, its log beside it.

    Raises:
        BadModel: when the verdict is against it.
        InvalidRequest: when no such model can be built.
        ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, DiskFull: as the store met them.
    """
    key = f"{keys.work(task.tenant, task.job_id, task.token)}{MODEL}.log"
    try:
        done = _build(task, bench, progress, log, drill)
    except FarmError as error:
        log.say(f"failed: {error.code}: {error}")
        try:
            bench.store.put(key, log.text().encode(), content_type="text/plain; charset=utf-8")
        except FarmError as second:
            error.add_note(f"its log could not be stored: {second}")
        raise
    bench.store.put(key, log.text().encode(), content_type="text/plain; charset=utf-8")
    progress.enter("done", 1.0)
    return done


def _build(task: ModelTask, bench: ModelBench, progress: Progress, log: TaskLog, drill: DrillKind | None) -> ViewDone:
    progress.enter("fetching", 0.0)
    prints = fetched(task.textures, bench.textures, bench.store)
    out = bench.folder / NAME
    progress.enter("building", FETCHED)
    if drill is not None:
        drills.strike(drill)
    try:
        order = ModelOrder(
            template=str(bench.template),
            out=str(out),
            prints=prints,
            fabric_color=task.request["fabric_color"],
            max_bytes=MAX_BYTES,
        )
        log.say(f"order: {order.to_json()}")
        report = bench.write(order)
    except ProtocolError as error:
        raise InvalidRequest(reason=f"the order of the model: {error}") from error
    except OSError as error:
        raise DiskFull(view=MODEL, reason=str(error), what="the 3D model") from error
    log.say(f"report: {report.to_json()}")
    if drill is not None:
        drills.spoil(drill, out)
    progress.enter("judging", BUILT)
    data = out.read_bytes()
    verdict = judge_model(
        data,
        surface=bench.surface,
        textures={one.panel: one for one in panel_textures(prints)},
        fabric=linear_rgb(task.request["fabric_color"]),
        most_bytes=MAX_BYTES,
    )
    figures = {name: round(value, 5) for name, value in verdict.measures.items()}
    log.say(f"verdict: {verdict.code}; {'; '.join(verdict.reasons)}; {figures}")
    bench.check_lease()
    if not verdict.ok:
        raise BadModel(view=MODEL, reason=f"{verdict.code}: {'; '.join(verdict.reasons)}")
    progress.enter("storing", JUDGED)
    key = f"{keys.work(task.tenant, task.job_id, task.token)}{NAME}"
    artifact = Artifact(
        kind=Kind.MODEL,
        name=NAME,
        key=key,
        sha256=bench.store.put(key, data, content_type=CONTENT_TYPE),
        size_bytes=len(data),
        content_type=CONTENT_TYPE,
    )
    plain = {name: value for name, value in asdict(report).items() if name != "out"}
    plain |= {"total_s": round(report.total_s, 3), "attempt_s": round(log.passed_s, 3), "device": "cpu"}
    return ViewDone(artifact=artifact, report={**plain, **bench.where, "verdict": figures})
