"""Rendering as a task: textures in, one judged picture out. Free of Ray and Blender: the renderer is handed in."""

import errno
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from blender.protocol import PanelPrint, ProtocolError, ViewOrder, ViewReport
from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.domain.colour import TRANSPARENT
from farm.domain.request import Format
from farm.domain.shape import sides_px
from farm.errors import BadPicture, DiskFull, FarmError, GpuOutOfMemory, InvalidRequest, OutOfMemory, RenderError
from farm.render.ports import ObjectStore, ViewDone, ViewTask
from farm.render.tasks import drill as drills
from farm.render.tasks.drill import DrillKind
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.print_files import Textures, fetched
from farm.render.tasks.task_log import TaskLog

FETCHED, RENDERED, JUDGED = 0.05, 0.90, 0.95
"""Share of a view that is done when its textures are there, it is rendered, it is judged."""


class Renderer(Protocol):
    """A warm Blender, see `blender.session.Session`."""

    def render(self, order: ViewOrder, on_progress: Callable[[int, int], None] | None = None) -> ViewReport: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found about a picture.

    Attributes:
        reason: why it is refused; empty when it passed.
        figures: measured, for the report.
        difference: a PNG that shows where it went wrong, if there is something to show.
    """

    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    difference: bytes | None = None


Judge = Callable[[bytes, ViewOrder], Judgement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a worker process lays out for one attempt.

    Attributes:
        open_renderer: opens Blender with the template, or finds it open.
        template: the template's folder.
        folder: the attempt's own, empty.
        threads: CPU threads of the render; 0: all.
        device: see `blender.protocol.DEVICES`; with the index of the assigned GPU behind it, as in ``auto:1``.
        where: node and process, for the report.
        check_lease: raises when the attempt was overtaken; asked once more before anything is stored.
    """

    store: ObjectStore
    textures: Textures
    open_renderer: Callable[[], Renderer]
    judge: Judge
    template: Path
    folder: Path
    threads: int
    device: str
    where: Mapping[str, Any]
    check_lease: Callable[[], None]


def render_view(
    task: ViewTask, *, bench: Bench, progress: Progress, log: TaskLog, drill: DrillKind | None = None
) -> ViewDone:
    """Render one view or frame, judge it and store it under its attempt's prefix, its log beside it.

    Raises:
        BadPicture: when the verdict is against it; the difference picture lies beside the log.
        InvalidRequest: when Blender can carry out no such order.
        GpuOutOfMemory, OutOfMemory, RenderError: when Blender fails.
        ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, DiskFull: as the store met them.
    """
    try:
        with _failures(task.name, bench.device):
            done = _render(task, bench, progress, log, drill)
    except FarmError as error:
        log.say(f"failed: {error.code}: {error}")
        if error.__cause__ is not None:
            log.say("".join(traceback.format_exception(error.__cause__)))
        _store_log(task, bench.store, log, error)
        raise
    _store_log(task, bench.store, log, None)
    progress.enter("done", 1.0)
    return done


def _render(task: ViewTask, bench: Bench, progress: Progress, log: TaskLog, drill: DrillKind | None) -> ViewDone:
    progress.enter("fetching", 0.0)
    prints = fetched(task.textures, bench.textures, bench.store)
    order = order_of(task, bench, prints)
    log.say(f"order: {order.to_json()}")
    fetch_s = log.passed_s
    progress.enter("opening Blender", FETCHED)
    renderer = bench.open_renderer()
    if drill is not None:
        progress.enter("drilling", FETCHED)
        drills.strike(drill)
    progress.enter("rendering", FETCHED)

    def on_progress(done: int, samples: int) -> None:
        progress.advance(FETCHED + (RENDERED - FETCHED) * done / max(1, samples))

    report = renderer.render(order, on_progress)
    log.say(f"report: {report.to_json()}")
    picture = Path(order.out)
    if drill is not None:
        drills.spoil(drill, picture)
    progress.enter("judging", RENDERED)
    began_s = log.passed_s
    data = picture.read_bytes()
    judgement = bench.judge(data, order)
    judge_s = log.passed_s - began_s
    log.say(
        f"verdict: {judgement.reason or 'passed'}; " + ", ".join(f"{k} {v:.4g}" for k, v in judgement.figures.items())
    )
    bench.check_lease()
    prefix = keys.work(task.tenant, task.job_id, task.token)
    if judgement.reason:
        if judgement.difference is not None:
            bench.store.put(f"{prefix}{task.name}.difference.png", judgement.difference, content_type="image/png")
        raise BadPicture(view=task.name, reason=judgement.reason, key=f"{prefix}{task.name}.difference.png")
    progress.enter("storing", JUDGED)
    form = Format(order.format)
    name = task.name + form.suffix
    sha256 = bench.store.put(prefix + name, data, content_type=form.content_type)
    artifact = Artifact(
        kind=Kind.STILL,
        name=name,
        key=prefix + name,
        sha256=sha256,
        size_bytes=len(data),
        content_type=form.content_type,
        width_px=report.width_px,
        height_px=report.height_px,
        view=task.view if task.frame is None else None,
    )
    return ViewDone(artifact=artifact, report=_report(report, bench, fetch_s, judge_s, log.passed_s, judgement))


def order_of(task: ViewTask, bench: Bench, prints: tuple[PanelPrint, ...]) -> ViewOrder:
    """What Blender is told. A film has no alpha, so its frames stand on the background, or on white; nor odd sides."""
    form = Format.PNG if task.frame is not None else Format(task.request["format"])
    order = still_order(
        task.request,
        task.view,
        template=bench.template,
        out=bench.folder / (task.name + form.suffix),
        threads=bench.threads,
        device=bench.device,
        prints=prints,
    )
    order = replace(order, azimuth_deg=task.azimuth_deg)
    if task.frame is None:
        return order
    return replace(
        order,
        width_px=order.width_px - order.width_px % 2,
        height_px=order.height_px - order.height_px % 2,
        background=order.background or "#ffffff",
        format=str(form),
    )


def still_order(
    request: Mapping[str, Any],
    view: str,
    *,
    template: Path,
    out: Path,
    threads: int,
    device: str,
    prints: tuple[PanelPrint, ...] = (),
) -> ViewOrder:
    """The order of one still of a normalised request."""
    width_px, height_px = sides_px(request)
    return ViewOrder(
        template=str(template),
        view=view,
        out=str(out),
        prints=prints,
        fabric_color=request["fabric_color"],
        background=None if request["background_color"] == TRANSPARENT else request["background_color"],
        shadow=str(request.get("shadow", "none")),
        width_px=width_px,
        height_px=height_px,
        samples=int(request["samples"]),
        threads=threads,
        device=device.partition(":")[0],
        format=str(Format(request["format"])),
    )


def _report(
    report: ViewReport, bench: Bench, fetch_s: float, judge_s: float, total_s: float, judgement: Judgement
) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(report).items() if name not in ("out", "view")}
    seconds = {"fetch_s": fetch_s, "judge_s": judge_s, "attempt_s": total_s}
    rounded = {
        name: round(value, 4) if isinstance(value, float) else value for name, value in (plain | seconds).items()
    }
    return {**rounded, **bench.where, "verdict": {name: round(value, 5) for name, value in judgement.figures.items()}}


def _store_log(task: ViewTask, store: ObjectStore, log: TaskLog, failure: FarmError | None) -> None:
    """Keep the log; where the store refuses it too, the failure that is being reported matters more."""
    key = f"{keys.work(task.tenant, task.job_id, task.token)}{task.name}.log"
    try:
        store.put(key, log.text().encode(), content_type="text/plain; charset=utf-8")
    except FarmError as error:
        if failure is None:
            raise
        failure.add_note(f"its log could not be stored: {error}")


@contextmanager
def _failures(name: str, device: str) -> Iterator[None]:
    """Whatever goes wrong while rendering, as one of the farm's errors."""
    try:
        yield
    except FarmError as error:
        if isinstance(error, DiskFull) and not error.fields.get("view"):
            raise DiskFull(**{**error.fields, "view": name}) from error
        raise
    except MemoryError as error:
        raise OutOfMemory(view=name, reason=str(error)) from error
    except ProtocolError as error:
        # The same order would be refused by every Blender.
        raise InvalidRequest(reason=f"the order of {name}: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(view=name, reason=str(error), what=f"the picture of {name}") from error
        raise RenderError(view=name, reason=f"{type(error).__name__}: {error}") from error
    except Exception as error:
        # Blender speaks in RuntimeErrors; anything else is a defect, which another worker may not have.
        text = str(error)
        if "out of memory" in text.lower():
            kind = OutOfMemory if device in ("cpu", "auto") else GpuOutOfMemory
            raise kind(view=name, reason=text) from error
        raise RenderError(view=name, reason=f"{type(error).__name__}: {text}") from error
