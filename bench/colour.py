"""How true printed colours are: a chart of 24 patches on four fabrics, ΔE00 for each patch and view, as Markdown."""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.protocol import PanelPrint, ViewOrder, place_of
from blender.session import Session
from farm.domain.colour import FABRIC_NAMES
from farm.domain.panel import PanelShape
from farm.domain.placement import Placement
from farm.domain.request import Quality
from farm.domain.view import ALL_VIEWS
from farm.picture.colour_difference import ciede2000, lab_of_linear, lab_of_srgb
from farm.picture.compose import Layer, compose
from farm.picture.expectation import ViewMaps
from farm.picture.light import LINEAR_OF_BYTE, linear_rgb, to_srgb

# The sRGB values that the maker of the ColorChecker Classic publishes for its 24 patches.
CHART = {
    "dark skin": (115, 82, 68), "light skin": (194, 150, 130), "blue sky": (98, 122, 157),
    "foliage": (87, 108, 67), "blue flower": (133, 128, 177), "bluish green": (103, 189, 170),
    "orange": (214, 126, 44), "purplish blue": (80, 91, 166), "moderate red": (193, 90, 99),
    "purple": (94, 60, 108), "yellow green": (157, 188, 64), "orange yellow": (224, 163, 46),
    "blue": (56, 61, 150), "green": (70, 148, 73), "red": (175, 54, 60),
    "yellow": (231, 199, 31), "magenta": (187, 86, 149), "cyan": (8, 133, 161),
    "white": (243, 243, 242), "neutral 8": (200, 200, 200), "neutral 6.5": (160, 160, 160),
    "neutral 5": (122, 122, 121), "neutral 3.5": (85, 85, 85), "black": (52, 52, 52),
}  # fmt: skip
COLUMNS, ROWS, PATCH_PX, GAP_PX = 4, 6, 110, 10
WIDTH_CM = 24.0
FABRICS = ("white", "black", "navy", "red")
INNER = 0.7
"""Share of a patch's side that is measured: its rim is mixed with the cloth beside it."""
LEAST_PIXELS = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """What one view shows of the chart: ΔE00 of each patch's mean and of every pixel, mean linear light of white."""

    patches: dict[str, float]
    pixels: NDArray[np.float64]
    white: float


def chart() -> NDArray[np.uint8]:
    """The chart, ``(H, W, 4) uint8`` sRGB with transparent gaps."""
    side = PATCH_PX + 2 * GAP_PX
    picture = np.zeros((ROWS * side, COLUMNS * side, 4), np.uint8)
    for number, colour in enumerate(CHART.values()):
        top, left = number // COLUMNS * side + GAP_PX, number % COLUMNS * side + GAP_PX
        picture[top : top + PATCH_PX, left : left + PATCH_PX] = (*colour, 255)
    return picture


def printed(facts: dict[str, dict[str, object]], fabric: str, folder: Path) -> Iterator[PanelPrint]:
    """Compose the chart onto front and back as a job would."""
    for panel in ("front", "back"):
        shape = PanelShape.from_template(panel, facts[panel])
        assert shape.print_area is not None
        middle_cm = shape.print_area.y_cm + shape.print_area.height_cm / 2
        placement = Placement(panel=panel, y_cm=middle_cm, width_cm=WIDTH_CM)
        texture = compose(
            [Layer(pixels=chart(), placement=placement)], panel=shape, fabric=linear_rgb(fabric), px_per_cm=24.0
        )
        path = folder / f"{panel}.png"
        Image.fromarray(texture.pixels).save(path)
        yield PanelPrint(path=str(path), **place_of(texture))


def measure(picture: NDArray[np.uint8], maps: ViewMaps, middles_cm: dict[str, float]) -> Seen:
    """Compare every patch that the view shows with the colour that was asked for."""
    side = maps.panel.shape[0]
    light = LINEAR_OF_BYTE[picture[..., :3]]
    small = np.stack(
        [np.asarray(Image.fromarray(light[..., i]).resize((side, side), Image.Resampling.BOX)) for i in range(3)], -1
    )
    cell_cm = WIDTH_CM / COLUMNS
    patches: dict[str, float] = {}
    every: list[NDArray[np.float64]] = []
    white = 0.0
    for number, (name, colour) in enumerate(CHART.items()):
        here = np.zeros((side, side), np.bool_)
        for panel, middle_cm in middles_cm.items():
            x_cm = (number % COLUMNS + 0.5) * cell_cm - WIDTH_CM / 2
            y_cm = middle_cm + (number // COLUMNS + 0.5 - ROWS / 2) * cell_cm
            reach_cm = INNER / 2 * cell_cm * PATCH_PX / (PATCH_PX + 2 * GAP_PX)
            here |= (
                (maps.panel == maps.panel_order.index(panel))
                & (np.abs(maps.x_cm - x_cm) < reach_cm)
                & (np.abs(maps.y_cm - y_cm) < reach_cm)
                & (maps.coverage > 0.99)
            )
        if here.sum() < LEAST_PIXELS:
            continue
        wanted = lab_of_srgb(np.array(colour) / 255)
        patches[name] = float(ciede2000(lab_of_linear(small[here].mean(axis=0)), wanted))
        every.append(ciede2000(lab_of_linear(small[here]), wanted))
        if name == "white":
            white = float(small[here].mean())
    return Seen(patches, np.concatenate(every) if every else np.zeros(0), white)


def run(template: Path, size_px: int, samples: int) -> dict[str, dict[str, Seen]]:
    """Render the chart on every fabric from every side and measure it; by fabric and view."""
    results: dict[str, dict[str, Seen]] = {}
    with Session(template, device="cpu") as session, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        facts = session.template.facts
        middles_cm = {
            panel: area["y_cm"] + area["height_cm"] / 2
            for panel, area in ((panel, facts["panels"][panel]["print_area"]) for panel in ("front", "back"))
        }
        with np.load(template / "verdict.npz", allow_pickle=False) as arrays:
            maps = {view: ViewMaps.of(arrays, view, tuple(facts["panel_order"])) for view in ALL_VIEWS}
        for fabric in FABRICS:
            prints = tuple(printed(facts["panels"], FABRIC_NAMES[fabric], folder))
            results[fabric] = {}
            for view in ALL_VIEWS:
                order = ViewOrder(
                    template=str(template), view=view, prints=prints, fabric_color=FABRIC_NAMES[fabric],
                    width_px=size_px, height_px=size_px, samples=samples, device="cpu", out=str(folder / "view.png"),
                )  # fmt: skip
                session.render(order)
                with Image.open(order.out) as picture:
                    results[fabric][view] = measure(np.asarray(picture.convert("RGBA")), maps[view], middles_cm)
    return results


def markdown(results: dict[str, dict[str, Seen]]) -> str:
    """The results as a summary and one table for each fabric."""
    lines = [
        "| fabric | view | patches | median | p95 | pixels: median | p95 | white patch (asked 243) |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for fabric, views in results.items():
        for view, seen in views.items():
            if not seen.patches:
                continue
            each = np.array(list(seen.patches.values()))
            white = f"{to_srgb(seen.white) * 255:.0f}" if "white" in seen.patches else "–"
            lines.append(
                f"| {fabric} | {view} | {len(each)} | {np.median(each):.1f} | {np.percentile(each, 95):.1f} | "
                f"{np.median(seen.pixels):.1f} | {np.percentile(seen.pixels, 95):.1f} | {white} |"
            )
    for fabric, views in results.items():
        lines += ["", f"### On {fabric}", "", "| patch | " + " | ".join(views) + " |"]
        lines.append("| --- |" + " ---: |" * len(views))
        for name in CHART:
            cells = (f"{seen.patches[name]:.1f}" if name in seen.patches else "–" for seen in views.values())
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, default=Path("templates/crew-tee"))
    parser.add_argument("--size", type=int, default=512, help="pixels of a picture's side")
    parser.add_argument("--samples", type=int, default=Quality.STANDARD.samples)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    results = run(chosen.template, chosen.size, chosen.samples)
    if chosen.json:
        print(json.dumps({f: {v: seen.patches for v, seen in views.items()} for f, views in results.items()}))
        return
    print(f"{chosen.size} px, {chosen.samples} samples, CPU, {os.process_cpu_count()} cores\n")
    print(markdown(results))


if __name__ == "__main__":
    main()
