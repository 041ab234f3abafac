"""Baking as a task: one view's light transport into the object store, its error measured against the path tracer."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.output import write_picture
from blender.protocol import PanelPrint, ViewOrder, place_of
from farm.domain import keys
from farm.errors import BakeBroken, ObjectMissing
from farm.picture import light_file
from farm.picture.baked_view import Arrays, BakedView, Places
from farm.picture.chart import chart
from farm.picture.colour_difference import ciede2000, lab_of_srgb
from farm.picture.relight import printed, relight_view
from farm.picture.texture import PanelTexture
from farm.render import bakes
from farm.render.bakes import BakedPart
from farm.render.ports import BakeTask, ObjectStore
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.task_log import TaskLog
from farm.render.tasks.view_task import Renderer

BAKED, STORED = 0.6, 0.65
"""Share of the task that is done when the transport is rendered, and when it is stored."""
MEASURE_SAMPLES = 64
"""Paths per pixel of the pictures it is measured against: quality `high`."""
MEASURE_FABRICS = ("#ffffff", "#101010")
"""The darker one is the harder: of larger pictures, which take the longer, it alone."""
MEASURE_SEED = 11

BakeView = Callable[[BakeTask, Callable[[float], None]], tuple[Arrays, Mapping[str, Any]]]


def bake_part(
    task: BakeTask,
    *,
    store: ObjectStore,
    bake_view: BakeView,
    renderer: Renderer,
    facts: Mapping[str, Any],
    template: Path,
    places: Places,
    folder: Path,
    progress: Progress,
    log: TaskLog,
) -> BakedPart:
    """Bake one view, store it, measure it, and store what was found beside it.

    A view that was baked before with these samples is left as it is.

    Args:
        bake_view: renders the transport, see `blender.bake.bake_view`.
        renderer: the same warm Blender, for what it is measured against.
        facts: the template's.
        template: the template's folder.
        places: where its pixels lie on its panels.
        folder: the attempt's own, empty.

    Raises:
        StorageUnavailable, StorageForbidden, DiskFull: as the store met them.
    """
    name = bakes.part_name(task.view, task.azimuth_deg)
    found = None if task.force else finished(store, task)
    if found is not None and (not task.larger_px or str(task.larger_px) in found.larger):
        log.say(f"{name} is baked already")
        return found

    def error_of(baked: BakedView, size_px: int, fabrics: Sequence[str]) -> dict[str, float]:
        progress.enter("measuring", STORED)
        error = measured(task, baked, renderer, facts, template, folder, progress, size_px, fabrics)
        log.say(f"{name} at {size_px} px: " + ", ".join(f"{what} {value:.3f}" for what, value in error.items()))
        return error

    def noted(part: BakedPart) -> BakedPart:
        entry = json.dumps(asdict(part), indent=1, sort_keys=True)
        store.put(f"{prefix}{name}.json", entry.encode(), content_type="application/json")
        return part

    prefix = keys.bakes(task.template, task.template_hash, task.size_px)
    if found is not None:
        baked = BakedView.read(store.get(found.key, sha256=found.sha256), places)
        if baked.most_px < task.larger_px:
            return found
        error = error_of(baked, task.larger_px, MEASURE_FABRICS[-1:])
        return noted(replace(found, larger={**found.larger, str(task.larger_px): error}))
    progress.enter("baking", 0.0)
    began_s = time.monotonic()
    arrays, told = bake_view(task, lambda share: progress.advance(BAKED * share))
    progress.enter("storing", BAKED)
    data = light_file.packed(arrays, told)
    key = bakes.part_key(task.template, task.template_hash, task.size_px, name)
    sha256 = store.put(key, data, content_type="application/octet-stream")
    log.say(f"{name}: {len(data)} bytes")
    baked = BakedView.read(data, places)
    error = error_of(baked, task.size_px, MEASURE_FABRICS) if task.measure else {}
    larger = {}
    if task.larger_px and baked.most_px >= task.larger_px:
        larger[str(task.larger_px)] = error_of(baked, task.larger_px, MEASURE_FABRICS[-1:])
    part = BakedPart(
        name=name,
        key=key,
        sha256=sha256,
        size_bytes=len(data),
        samples=task.samples,
        renderer=str(baked.facts["renderer"]),
        seconds=round(time.monotonic() - began_s, 2),
        error=error,
        larger=larger,
    )
    return noted(part)


def finished(store: ObjectStore, task: BakeTask) -> BakedPart | None:
    """What is there already of this task, as good as it asks."""
    name = bakes.part_name(task.view, task.azimuth_deg)
    prefix = keys.bakes(task.template, task.template_hash, task.size_px)
    try:
        part = BakedPart(**json.loads(store.get(f"{prefix}{name}.json")))
    except ObjectMissing:
        return None
    except (ValueError, TypeError):
        return None  # of another version: it is baked again
    if part.key != bakes.part_key(task.template, task.template_hash, task.size_px, name):
        return None  # of another form
    if part.samples < task.samples or (task.measure and not part.error) or store.head(part.key) is None:
        return None
    return part


def measured(
    task: BakeTask,
    baked: BakedView,
    renderer: Renderer,
    facts: Mapping[str, Any],
    template: Path,
    folder: Path,
    progress: Progress,
    size_px: int,
    fabrics: Sequence[str],
) -> dict[str, float]:
    """Relight a chart on cloth of these fabrics, trace the same, and compare pictures of that size.

    Returns:
        ``delta_e_mean`` and ``delta_e_p99`` inside the print, ``garment_delta_e_mean`` over all cloth,
        ``psnr_db`` inside the print: of each the worse of the fabrics. Where the view shows no print, the cloth counts.
    """
    charts = _charts(baked, facts, size_px)
    prints = []
    for one in charts:
        path = folder / f"chart-{one.panel}.png"
        Image.fromarray(one.pixels).save(path)
        prints.append(PanelPrint(path=str(path), **place_of(one)))
    rows = []
    for number, fabric in enumerate(fabrics):
        share = (1 - STORED) / len(fabrics)
        order = ViewOrder(
            template=str(template),
            view=task.view,
            out=str(folder / "traced.png"),
            prints=tuple(prints),
            fabric_color=fabric,
            width_px=size_px,
            height_px=size_px,
            samples=MEASURE_SAMPLES,
            seed=MEASURE_SEED,
            azimuth_deg=task.azimuth_deg,
        )
        renderer.render(order, _advancing(progress, STORED + number * share, share))
        rows.append(compared(baked, charts, fabric, Path(order.out), folder / "relit.png"))
    worst = {name: max(row[name] for row in rows) for name in rows[0]}
    worst["psnr_db"] = min(row["psnr_db"] for row in rows)
    return {name: round(value, 4) for name, value in worst.items()}


def compared(
    baked: BakedView, textures: Sequence[PanelTexture], fabric: str, traced: Path, relit: Path
) -> dict[str, float]:
    """The difference of a traced picture and the same relit, both as a shop would get them."""
    with Image.open(traced) as picture:
        reference = np.asarray(picture.convert("RGBA"))
    size_px = reference.shape[0]
    pixels, window = relight_view(baked, textures, fabric, width_px=size_px, height_px=size_px)
    write_picture(pixels, window, relit, width_px=size_px, height_px=size_px, background=None, format="png")
    with Image.open(relit) as picture:
        own = np.asarray(picture.convert("RGBA"))
    cloth = (reference[..., 3] == 255) & (own[..., 3] == 255)
    inside = cloth & printed(baked, textures, width_px=size_px, height_px=size_px)
    if not inside.any():
        inside = cloth
    if not cloth.any():
        raise BakeBroken(bake=str(baked.facts["view"]), reason="it shows no garment")
    apart = ciede2000(lab_of_srgb(own[..., :3] / 255), lab_of_srgb(reference[..., :3] / 255))
    return {
        "delta_e_mean": float(apart[inside].mean()),
        "delta_e_p99": float(np.percentile(apart[inside], 99)),
        "garment_delta_e_mean": float(apart[cloth].mean()),
        "psnr_db": _psnr_db(own[inside][:, :3], reference[inside][:, :3]),
    }


def _psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255.0**2 / error))


def _charts(baked: BakedView, facts: Mapping[str, Any], size_px: int) -> list[PanelTexture]:
    """A chart on every print area that the view shows."""
    density = float(baked.facts["texels_per_cm"]) * size_px / baked.size_px
    found = []
    for name, panel in facts["panels"].items():
        area = panel.get("print_area")
        if area is not None and name in baked.panels:
            found.append(
                chart(
                    name,
                    x_cm=area["x_cm"],
                    y_cm=area["y_cm"],
                    width_cm=area["width_cm"],
                    height_cm=area["height_cm"],
                    px_per_cm=density,
                )
            )
    return found


def _advancing(progress: Progress, begun: float, share: float) -> Callable[[int, int], None]:
    return lambda done, of: progress.advance(begun + share * done / max(1, of))
