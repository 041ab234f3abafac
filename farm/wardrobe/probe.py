"""A probe: small pictures of a garment from all sides, judged as a job's are."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from blender.protocol import VIEW_AZIMUTH_DEG, PanelPrint, ViewOrder
from farm.adapters.panel_places import PanelPlaces
from farm.adapters.shipped_light import Light
from farm.domain.template import Template
from farm.picture.baked_view import BakedView
from farm.render.tasks.bake_task import compared
from farm.render.tasks.judge import judge_with
from farm.render.tasks.print_files import panel_texture
from farm.wardrobe.child import Limits, run_blender

SIDE_PX, SAMPLES = 256, 16
FABRICS = ("#ffffff", "#1d2a4d")
LIMITS = Limits(seconds=300.0, memory_bytes=16 * 1024**3, file_bytes=1024**3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One judged picture.

    Attributes:
        reason: why the verdict is against it; empty when it passed.
        seconds: it took, the template open.
    """

    view: str
    fabric_color: str
    reason: str


def probe(template: Template, light: Light | None = None) -> tuple[list[Probe], float | None]:
    """Render every view, printed, on light and on dark cloth, and judge it.

    Args:
        light: that came with the template; a picture is relit from it too.

    Returns:
        The judged pictures, and how far the first of them lies from the same one relit: mean ΔE00 in the print.

    Raises:
        TemplateChildFailed: When Blender cannot render the template at all.
        BakeBroken: When the light cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="farm-probe-") as name:
        folder = Path(name)
        orders = list(_orders(template, folder))
        files = []
        for number, order in enumerate(orders):
            files.append(folder / f"{number}.json")
            files[-1].write_text(order.to_json(), "utf-8")
        run_blender(*map(str, files), limits=LIMITS)
        judge = judge_with(template.folder)
        apart = None if light is None else _apart(orders[0], light, template, folder)
        probes = [
            Probe(
                view=order.view,
                fabric_color=order.fabric_color,
                reason=judge(Path(order.out).read_bytes(), order).reason,
            )
            for order in orders
        ]
        return probes, apart


def _apart(order: ViewOrder, light: Light, template: Template, folder: Path) -> float | None:
    """How far a traced picture lies from the same one relit; ``None`` where that view's light did not come along."""
    part = light.bake.parts.get(order.view)
    if part is None:
        return None
    baked = BakedView.read(light.files[part.key], PanelPlaces(template.folder, folder / "places"))
    textures = [panel_texture(one) for one in order.prints]
    found = compared(baked, textures, order.fabric_color, Path(order.out), folder / "relit.png")
    return found["delta_e_mean"]


def _orders(template: Template, folder: Path) -> Iterator[ViewOrder]:
    chart = folder / "chart.png"
    Image.fromarray(_chart()).save(chart)
    prints = tuple(
        PanelPrint(
            panel=str(panel),
            path=str(chart),
            x_cm=shape.print_area.x_cm,
            y_cm=shape.print_area.y_cm,
            width_cm=shape.print_area.width_cm,
            height_cm=shape.print_area.height_cm,
        )
        for panel, shape in template.panels.items()
        if shape.print_area is not None
    )
    for fabric in FABRICS:
        for view in VIEW_AZIMUTH_DEG:
            yield ViewOrder(
                template=str(template.folder),
                view=view,
                out=str(folder / f"{view}-{fabric[1:]}.png"),
                prints=prints,
                fabric_color=fabric,
                width_px=SIDE_PX,
                height_px=SIDE_PX,
                samples=SAMPLES,
                device="cpu",
            )


def _chart() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Four colours and a gap, alike neither from left to right nor from top to bottom."""
    chart = np.zeros((80, 60, 4), np.uint8)
    chart[:40, :30] = (200, 30, 40, 255)
    chart[:40, 30:] = (240, 200, 40, 255)
    chart[40:, :30] = (30, 120, 90, 255)
    chart[55:, 30:] = (40, 60, 190, 255)
    return chart
