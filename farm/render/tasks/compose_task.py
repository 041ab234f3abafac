"""Composing as a task: designs and placements in, one texture per printed panel out, in the object store."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.plain_png import plain_png
from blender.protocol import place_of
from farm.domain import keys
from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import Panel, Placement
from farm.domain.shape import sides_px
from farm.errors import TemplateBroken
from farm.picture.compose import Layer, compose
from farm.picture.light import linear_rgb
from farm.picture.own_png import own_pixels
from farm.picture.texture import PanelTexture
from farm.render.ports import ComposeTask, ObjectStore, TextureRef
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.task_log import TaskLog

TEXELS_PER_PIXEL = 2.5
"""Density of the texture against the sharpest picture, at the camera's distance: the chest is nearer than its axis."""


def compose_textures(
    task: ComposeTask, *, store: ObjectStore, template: Path, progress: Progress, log: TaskLog
) -> tuple[TextureRef, ...]:
    """Compose and store every printed panel's texture.

    Args:
        template: the template's folder.

    Raises:
        ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, DiskFull: as the store met them.
        TemplateBroken: when the template has no such panel.
        LowResolution: never here; it was refused when the job came in.
    """
    facts = facts_of(template)
    placements = [Placement.model_validate(placement) for placement in task.request["placements"]]
    designs: dict[int, NDArray[np.uint8]] = {}
    for index in sorted({placement.design for placement in placements}):
        progress.enter("fetching the design", 0.05)
        design = task.designs[index]
        data = store.get(design["key"], sha256=design["sha256"])
        designs[index] = own_pixels(data)
        log.say(f"design {index}: {len(data)} bytes, {designs[index].shape[1]} x {designs[index].shape[0]} px")
    progress.enter("composing", 0.1)
    textures = []
    for texture in composed(task.request, designs, template=template, facts=facts):
        progress.enter(f"storing {texture.panel}", 0.9)
        textures.append(_store(task, store, texture))
        height, width = texture.pixels.shape[:2]
        log.say(f"{texture.panel}: {width} x {height} texels on {texture.width_cm:.1f} cm")
    return tuple(textures)


def composed(
    request: Mapping[str, Any],
    designs: Mapping[int, NDArray[np.uint8]],
    *,
    template: Path,
    facts: Mapping[str, Any],
    threads: int | None = None,
) -> Iterator[PanelTexture]:
    """The texture of each printed panel of a normalised request.

    Args:
        designs: pixels by number, ``(H, W, 4) uint8``, sRGB, straight alpha.
        facts: what the template says of itself, see `facts_of`.

    Raises:
        TemplateBroken: when the template has no such panel.
    """
    placements = [Placement.model_validate(placement) for placement in request["placements"]]
    for panel in dict.fromkeys(placement.panel for placement in placements):
        layers = [Layer(pixels=designs[one.design], placement=one) for one in placements if one.panel == panel]
        yield compose(
            layers,
            panel=panel_shape(template, facts, str(panel)),
            fabric=linear_rgb(request["fabric_color"]),
            px_per_cm=px_per_cm(facts, min(sides_px(request))),
            threads=threads,
        )


def rehearse() -> None:
    """Compose next to nothing: imports, compiled loops and threads are then ready for the first design."""
    placement = Placement(panel=Panel.FRONT, x_cm=0, y_cm=5, width_cm=5)
    shape = PanelShape(name=Panel.FRONT, bounds=Rect(x_cm=-5, y_cm=0, width_cm=10, height_cm=10))
    design = np.zeros((8, 8, 4), np.uint8)
    for turned in (placement, placement.model_copy(update={"rotation_deg": 10.0})):
        compose([Layer(pixels=design, placement=turned)], panel=shape, fabric=(1.0, 1.0, 1.0), px_per_cm=8.0)


def _store(task: ComposeTask, store: ObjectStore, texture: PanelTexture) -> TextureRef:
    # Read again within seconds and then thrown away: speed counts, not size.
    data = plain_png(texture.pixels)
    key = f"{keys.work(task.tenant, task.job_id, task.token)}{texture.panel}.png"
    sha256 = store.put(key, data, content_type="image/png")
    return TextureRef(key=key, sha256=sha256, **place_of(texture))


def facts_of(template: Path) -> Mapping[str, Any]:
    """What ``template.json`` says.

    Raises:
        TemplateBroken: when it cannot be read.
    """
    try:
        facts: Mapping[str, Any] = json.loads((template / "template.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TemplateBroken(template=template.name, reason=f"{type(error).__name__}: {error}") from error
    return facts


def panel_shape(template: Path, facts: Mapping[str, Any], panel: str) -> PanelShape:
    """A panel of a template.

    Raises:
        TemplateBroken: when it has no such panel.
    """
    try:
        return PanelShape.from_template(panel, facts["panels"][panel])
    except (KeyError, TypeError) as error:
        raise TemplateBroken(template=template.name, reason=f"panel {panel}: {error!r}") from error


def px_per_cm(facts: Mapping[str, Any], size_px: int) -> float:
    """What a picture of that size can show, by the pinhole camera's own formula, with room to spare."""
    camera = facts["camera"]
    return float(TEXELS_PER_PIXEL * size_px * camera["focal_mm"] / camera["sensor_mm"] / camera["distance_cm"])
