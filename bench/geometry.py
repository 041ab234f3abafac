"""Are centimetres centimetres? A printed grid and the printed presets, measured in the picture.

The grid's crossings are found in the finished picture to a fraction of a pixel, walking from the coloured one in its
middle; nothing is told to the search but the first step's length. Each is then sent back through the camera model: the
ray through that place of the picture meets the template's mesh in a point of space and of the panel. Reported are

- cell: the distance in space of neighbouring crossings, against the one centimetre that was printed;
- straight: how far the crossings of a line leave the straight line through them, both as seen from the front at their
  own depth (perspective undone), over 30 cm of the line;
- place: how far a crossing lies on the panel from where it was ordered;
- area strain: of the mesh alone, cloth as it hangs against cloth as it was cut.

The corners of each preset's rectangle are found where the two edges of the print, fitted beside the corner, meet.
"""

import argparse
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.studio import CREW_TEE, Scene, Studio
from bench.surface import Surface, area_strain
from farm.domain.panel import Rect
from farm.domain.placement import Panel, Placement
from farm.picture.compose import Layer
from farm.picture.light import LINEAR_OF_BYTE

MOST_CELL_ERROR_MM = 2.0
MOST_BEND_MM = 3.0
MOST_MISPLACED_MM = 3.0
STRAIGHT_CM = 30
GRID_CM = (32.0, 42.0)
"""A centimetre more than the print area all around: a crossing is found by the lines on all its sides."""
_LINE_CM = 0.14
_DOTS_PER_CM = 50

PRINT_CM = (30.0, 40.0)
TOPS_CM = {"front": 6.0, "back": 5.0}
PRESETS: dict[str, tuple[str, float, float, float]] = {
    "chest-small": ("front", 0.45, 0.15, 0.25),
    "chest-medium": ("front", 0.60, 0.22, 0.35),
    "chest-large": ("front", 0.75, 0.50, 0.80),
    "back-small": ("back", 0.40, 0.12, 0.20),
    "back-medium": ("back", 0.60, 0.30, 0.35),
    "back-large": ("back", 0.70, 0.25, 0.50),
    "back-bottom-small": ("back", 0.50, 0.80, 0.25),
    "back-bottom-medium": ("back", 0.60, 0.75, 0.35),
    "back-bottom-large": ("back", 0.65, 0.70, 0.45),
    "dead-center-small": ("front", 0.45, 0.45, 0.25),
    "dead-center-medium": ("front", 0.60, 0.45, 0.35),
    "dead-center-large": ("front", 0.75, 0.45, 0.80),
}
"""Panel; width in print widths; centre and height in print heights: written down once more, and not read from the
template, so that a template which says otherwise is found out."""

Light = NDArray[np.float32]


def grid_design() -> NDArray[np.uint8]:
    """Cells of a centimetre in black lines; around the crossing in the middle, red."""
    width, height = (round(side * _DOTS_PER_CM) for side in GRID_CM)
    x, y = (np.arange(size) + 0.5 for size in (width, height))
    half = _LINE_CM / 2 * _DOTS_PER_CM

    def on_line(at: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        away = at % _DOTS_PER_CM
        return np.asarray(np.minimum(away, _DOTS_PER_CM - away) < half)

    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[on_line(y)[:, None] | on_line(x)[None, :], 3] = 255
    middle = np.hypot(x[None, :] - width / 2, y[:, None] - height / 2) < 0.45 * _DOTS_PER_CM
    pixels[middle & (pixels[..., 3] == 0)] = (220, 30, 60, 255)
    return pixels


def light_of(data: bytes) -> tuple[Light, Light]:
    """Luminance ``(H, W)`` and redness of a picture, linear."""
    with Image.open(io.BytesIO(data)) as opened:
        pixels = LINEAR_OF_BYTE[np.asarray(opened.convert("RGB"))]
    return pixels @ np.array([0.2126, 0.7152, 0.0722], np.float32), pixels[..., 0] - pixels[..., 1]


@dataclass(frozen=True, slots=True)
class Crossings:
    """Where the grid's crossings were found, by row and column, the coloured one in the middle; NaN where none was."""

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]


def find_crossings(luminance: Light, redness: Light, step_px: float) -> Crossings:
    """Walk the grid from its coloured middle, each crossing starting where its neighbour says."""
    columns, rows = round(GRID_CM[0]) + 1, round(GRID_CM[1]) + 1
    found = np.full((rows, columns, 2), np.nan)
    strong = np.maximum(redness - 0.25, 0)
    y, x = np.mgrid[0 : luminance.shape[0], 0 : luminance.shape[1]] + 0.5
    start = np.array([(x * strong).sum(), (y * strong).sum()]) / strong.sum()
    middle = (rows // 2, columns // 2)
    refined = _refined(luminance, start, step_px)
    found[middle] = start if refined is None else refined
    waiting, seen = [middle], {middle}
    while waiting:
        row, column = waiting.pop(0)
        for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            here = (row + down, column + across)
            # The rim's crossings have lines on one side only.
            if here in seen or not (0 < here[0] < rows - 1 and 0 < here[1] < columns - 1):
                continue
            before = (row - down, column - across)
            known = 0 <= before[0] < rows and 0 <= before[1] < columns and np.isfinite(found[before]).all()
            move = found[row, column] - found[before] if known else np.array([across, down]) * step_px
            at = _refined(luminance, found[row, column] + move, step_px)
            if at is not None:
                found[here] = at
                seen.add(here)
                waiting.append(here)
    return Crossings(found[..., 0], found[..., 1])


def _refined(luminance: Light, at: NDArray[np.float64], step_px: float) -> NDArray[np.float64] | None:
    """Where a dark line down and one across meet near ``at``: each line's middle on both sides of the other."""
    for _ in range(4):
        moved = []
        for axis in (0, 1):
            picture, (along, across) = (luminance, at[::-1]) if axis == 0 else (luminance.T, at)
            middles = []
            for side in (-1, 1):
                low, high = sorted((along + side * 0.18 * step_px, along + side * 0.38 * step_px))
                middle = _middle(picture, low, high, across, 0.42 * step_px)
                if middle is None:
                    return None
                middles.append(middle)
            moved.append(sum(middles) / 2)
        at = np.array(moved)
    return at


def _middle(picture: Light, first: float, last: float, across: float, reach: float) -> float | None:
    """The centre of the darkness in rows ``first`` to ``last``, columns within ``reach`` of ``across``."""
    rows = slice(max(0, int(first)), max(0, int(last)) + 1)
    left, right = int(across - reach), int(across + reach) + 1
    if left < 0 or right > picture.shape[1] or rows.stop > picture.shape[0]:
        return None
    profile = picture[rows, left:right].mean(axis=0)
    cloth = np.percentile(profile, 85)
    dark = np.maximum(1 - profile / max(float(cloth), 1e-6) - 0.12, 0)
    if dark.max() < 0.15:
        return None
    return float(((np.arange(left, right) + 0.5) * dark).sum() / dark.sum())


def measure_grid(studio: Studio, side_px: int, samples: int) -> dict[str, float]:
    """Print the grid on the front, find it in the front view, and measure it on the cloth."""
    area = studio.panel("front").print_area
    assert area is not None
    middle_cm = area.y_cm + PRINT_CM[1] / 2
    placement = Placement(x_cm=0, y_cm=middle_cm, width_cm=GRID_CM[0], height_cm=GRID_CM[1])
    scene = Scene(
        name="grid",
        layers=(Layer(pixels=grid_design(), placement=placement),),
        size_px=side_px,
        samples=samples,
        background="#ffffff",
    )
    surface = Surface.of(studio.template)
    luminance, redness = light_of(studio.render(studio.order(scene)))
    crossings = find_crossings(luminance, redness, surface.camera.px_per_cm(side_px))
    rows, columns = crossings.x_px.shape
    space = np.full((rows, columns, 3), np.nan)
    errors = np.full((rows, columns), np.nan)
    for row in range(rows):
        for column in range(columns):
            x_px, y_px = crossings.x_px[row, column], crossings.y_px[row, column]
            spot = surface.look("front_0deg", x_px, y_px, side_px) if np.isfinite(x_px) else None
            if spot is None or spot.panel != "front":
                continue
            space[row, column] = spot.point_cm
            wanted = column - columns // 2, placement.y_cm + row - rows // 2
            errors[row, column] = 10 * np.hypot(spot.x_cm - wanted[0], spot.y_cm - wanted[1])
    across = np.linalg.norm(np.diff(space, axis=1), axis=2)
    down = np.linalg.norm(np.diff(space, axis=0), axis=2)
    strain = area_strain(surface.mesh, "front", area.x_cm, area.y_cm, area.right_cm, area.bottom_cm)
    inner = np.isfinite(errors[1:-1, 1:-1])
    return {
        "crossings found": float(inner.mean()),
        "cell across, median cm": float(np.nanmedian(across)),
        "cell down, median cm": float(np.nanmedian(down)),
        "cell error, p99 mm": 10 * float(np.nanpercentile(np.abs(np.append(across, down) - 1), 99)),
        "cell error, worst mm": 10 * float(np.nanmax(np.abs(np.append(across, down) - 1))),
        "lines down, worst bend over 30 cm, mm": _bend(space, down=True),
        "lines across, worst bend over 30 cm, mm": _bend(space, down=False),
        "misplaced, median mm": float(np.nanmedian(errors)),
        "misplaced, worst mm": float(np.nanmax(errors)),
        "area strain, mean %": 100 * float(strain.mean()),
        "area strain, p5 %": 100 * float(np.percentile(strain, 5)),
        "area strain, p95 %": 100 * float(np.percentile(strain, 95)),
    }


def _bend(space: NDArray[np.float64], *, down: bool) -> float:
    """The farthest that a crossing lies from the straight line through 30 cm of its own line, in mm, as seen."""
    lines = space.transpose(1, 0, 2) if down else space
    worst = 0.0
    for line in lines:
        flat = line[np.isfinite(line).all(axis=1)][:, [0, 2]]
        for first in range(max(1, len(flat) - STRAIGHT_CM)):
            part = flat[first : first + STRAIGHT_CM + 1]
            if len(part) <= STRAIGHT_CM:
                continue
            centred = part - part.mean(axis=0)
            normal = np.linalg.svd(centred, full_matrices=False)[2][1]
            worst = max(worst, 10 * float(np.abs(centred @ normal).max()))
    return worst


def expected(name: str) -> tuple[str, Rect]:
    """A preset's panel and rectangle, from the table above."""
    panel, width, centre, height = PRESETS[name]
    width_cm, height_cm = width * PRINT_CM[0], height * PRINT_CM[1]
    top = TOPS_CM[panel] + centre * PRINT_CM[1] - height_cm / 2
    return panel, Rect(x_cm=-width_cm / 2, y_cm=top, width_cm=width_cm, height_cm=height_cm)


def measure_preset(studio: Studio, surface: Surface, name: str, side_px: int, samples: int) -> float | None:
    """How far, in mm on the cloth, the worst corner of a print that fills the preset lies from where it should.

    ``None`` where a corner is not seen.
    """
    panel, box = expected(name)
    placement = studio.garment.placements(name, (), 1)[0]
    ratio = box.width_cm / box.height_cm
    design = np.zeros((600, round(600 * ratio), 4), np.uint8)
    design[..., 3] = 255
    view = "front_0deg" if panel == Panel.FRONT else "back_180deg"
    scene = Scene(
        name=name,
        layers=(Layer(pixels=design, placement=placement),),
        view=view,
        size_px=side_px,
        samples=samples,
        background="#ffffff",
    )
    luminance, _ = light_of(studio.render(studio.order(scene)))
    worst = 0.0
    for x_cm, into_x in ((box.x_cm, 1), (box.right_cm, -1)):
        for y_cm, into_y in ((box.y_cm, 1), (box.bottom_cm, -1)):
            spot = _corner(surface, luminance, view, panel, (x_cm, y_cm), (into_x, into_y))
            if spot is None:
                return None
            worst = max(worst, 10 * float(np.hypot(spot[0] - x_cm, spot[1] - y_cm)))
    return worst


def _corner(
    surface: Surface, luminance: Light, view: str, panel: str, at_cm: tuple[float, float], into: tuple[int, int]
) -> tuple[float, float] | None:
    """The corner found in the picture, on the panel: where lines through the edges beside it meet."""
    side_px = luminance.shape[0]

    def px(x_cm: float, y_cm: float) -> NDArray[np.float64]:
        return np.array(surface.place_px(view, surface.point_cm(panel, x_cm, y_cm), side_px))

    edges: list[NDArray[np.float64]] = []
    for axis in (0, 1):
        points = []
        for along in np.linspace(0.6, 2.2, 12):
            inside, outside = list(at_cm), list(at_cm)
            inside[axis] += 1.2 * into[axis]
            outside[axis] -= 1.2 * into[axis]
            inside[1 - axis] += along * into[1 - axis]
            outside[1 - axis] += along * into[1 - axis]
            point = _edge(luminance, px(inside[0], inside[1]), px(outside[0], outside[1]))
            if point is not None:
                points.append(point)
        if len(points) < 6:
            return None
        centre = np.mean(points, axis=0)
        edges += [np.asarray(centre), np.asarray(np.linalg.svd(np.array(points) - centre)[2][0])]
    first, one, second, other = edges
    reach = np.linalg.solve(np.stack([one, -other], axis=1), second - first)
    meeting = first + reach[0] * one
    spot = surface.look(view, float(meeting[0]), float(meeting[1]), side_px)
    return None if spot is None or spot.panel != panel else (spot.x_cm, spot.y_cm)


def _edge(luminance: Light, inside: NDArray[np.float64], outside: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Where light passes the middle between print and cloth on the way from ``inside`` to ``outside``."""
    steps = np.linspace(0, 1, 121)
    path = inside + steps[:, None] * (outside - inside)
    values = _bilinear(luminance, path)
    dark, cloth = float(np.median(values[:30])), float(np.median(values[-30:]))
    if cloth - dark < 0.2:
        return None
    level = (dark + cloth) / 2
    after = int(np.argmax(values > level))
    if after == 0:
        return None
    share = (level - values[after - 1]) / (values[after] - values[after - 1])
    return np.asarray(path[after - 1] + share * (path[after] - path[after - 1]))


def _bilinear(picture: Light, places: NDArray[np.float64]) -> NDArray[np.float64]:
    at = np.clip(places - 0.5, 0, np.array(picture.shape[::-1]) - 1.001)
    corner = at.astype(int)
    (u, v), x, y = (at - corner).T, corner[:, 0], corner[:, 1]
    upper = picture[y, x] * (1 - u) + picture[y, x + 1] * u
    return np.asarray(upper * (1 - v) + (picture[y + 1, x] * (1 - u) + picture[y + 1, x + 1] * u) * v)


def measure(studio: Studio, *, grid_px: int, preset_px: int, samples: int) -> dict[str, Any]:
    """The grid's figures and each preset's worst corner in mm."""
    surface = Surface.of(studio.template)
    return {
        "grid": measure_grid(studio, grid_px, samples),
        "presets": {name: measure_preset(studio, surface, name, preset_px, samples) for name in PRESETS},
    }


def failures(figures: dict[str, Any]) -> list[str]:
    """What is not as promised."""
    grid, wrong = figures["grid"], []
    for name, most in (
        ("cell error, worst mm", MOST_CELL_ERROR_MM),
        ("lines down, worst bend over 30 cm, mm", MOST_BEND_MM),
        ("lines across, worst bend over 30 cm, mm", MOST_BEND_MM),
        ("misplaced, worst mm", MOST_MISPLACED_MM),
    ):
        if not grid[name] <= most:
            wrong.append(f"{name}: {grid[name]:.2f}, promised {most:g}")
    if grid["crossings found"] < 0.99:
        wrong.append(f"only {grid['crossings found']:.0%} of the crossings were found")
    for name, error in figures["presets"].items():
        if error is None or error > MOST_MISPLACED_MM:
            wrong.append(f"{name}: {'a corner is hidden' if error is None else f'{error:.2f} mm away'}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--template", type=Path, default=CREW_TEE)
    parser.add_argument("--grid-px", type=int, default=2048)
    parser.add_argument("--preset-px", type=int, default=1024)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--pictures", type=Path, help="keep the pictures here and make none twice")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(chosen.pictures or Path(folder), chosen.template)
        try:
            figures = measure(studio, grid_px=chosen.grid_px, preset_px=chosen.preset_px, samples=chosen.samples)
        finally:
            studio.close()
    print("| grid of 1 cm on the front, front view | |\n| --- | --- |")
    for name, value in figures["grid"].items():
        print(f"| {name} | {value:.3f} |")
    print("\n| preset | worst corner, mm |\n| --- | --- |")
    for name, error in figures["presets"].items():
        print(f"| {name} | {'hidden' if error is None else f'{error:.2f}'} |")
    wrong = failures(figures)
    for line in wrong:
        print(f"NOT AS PROMISED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
