"""What a drape must be before it may become a template: measured, compared with limits, reported."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from blender.crossing import crossings
from blender.finer import locate
from blender.garment import loops, open_edges
from blender.protocol import PANELS, VIEW_AZIMUTH_DEG
from blender.recipe import PrintArea, Recipe
from blender.refine import Draped
from blender.views import Camera, frame

MAX_SLIDE_CM = 6.0
LIMITS: Mapping[str, tuple[float, str]] = {
    "print_strain_mean": (0.015, "the print areas are stretched or squeezed"),
    "print_strain_p99": (0.06, "part of a print area is stretched or squeezed"),
    "hem_tilt_cm": (3.0, "the hem is not level"),
    "lopsided_cm": (2.5, "the garment hangs askew"),
    "crossings": (0.0, "the cloth passes through itself"),
    "grid_cell_error_cm": (0.2, "a centimetre printed in front is no centimetre in the picture"),
    "grid_bend_cm": (0.3, "a straight line printed in front is bent in the picture"),
}
"""The most that each measured value may be, and what it means when it is more."""
_RUN_CM = 30


def strains(draped: Draped) -> NDArray[np.float64]:
    """Return each face's stretch along the panel's x and y, (M, 2); 0 = as cut."""
    cloth = draped.cloth
    flat = cloth.flat_cm[cloth.faces]
    rest = np.stack([flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]], axis=-1)
    corners = draped.points_cm[cloth.welded_faces]
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], axis=-1)
    return np.linalg.norm(edges @ np.linalg.inv(rest), axis=1) - 1.0


def area_strains(draped: Draped) -> NDArray[np.float64]:
    """Return how much larger each face is than it was cut, as a share, (M,)."""
    a, b, c = np.moveaxis(draped.points_cm[draped.cloth.welded_faces], 1, 0)
    p, q, r = np.moveaxis(draped.cloth.flat_cm[draped.cloth.faces], 1, 0)
    flat = np.abs((q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0])
    grown: NDArray[np.float64] = np.linalg.norm(np.cross(b - a, c - a), axis=1) / flat - 1.0
    return grown


def in_print_area(draped: Draped, recipe: Recipe) -> NDArray[np.bool_]:
    """Return which faces lie in a print area, (M,)."""
    cloth = draped.cloth
    centres = cloth.flat_cm[cloth.faces].mean(axis=1)
    zone = np.zeros(len(centres), dtype=bool)
    for panel, area in recipe.print_areas.items():
        zone |= (
            (cloth.face_panel == PANELS.index(panel))
            & (np.abs(centres[:, 0]) < area.width_cm / 2)
            & (centres[:, 1] > area.top_cm)
            & (centres[:, 1] < area.top_cm + area.height_cm)
        )
    return zone


def _lopsided_cm(draped: Draped) -> float:
    """Return how far, on average, front and back are from their own mirror image."""
    cloth = draped.cloth
    apart = []
    for panel in (PANELS.index("front"), PANELS.index("back")):
        mine = np.flatnonzero(cloth.panel == panel)
        face, share = locate(cloth, panel, cloth.flat_cm[mine] * (-1.0, 1.0))
        twin = np.einsum("nk,nkx->nx", share, draped.points_cm[cloth.weld[cloth.faces[face]]])
        here = draped.points_cm[cloth.weld[mine]]
        apart.append(np.linalg.norm(here - twin * (-1.0, 1.0, 1.0), axis=1))
    return float(np.concatenate(apart).mean())


def print_grid(draped: Draped, panel: str, area: PrintArea, camera: Camera, azimuth_deg: float) -> NDArray[np.float64]:
    """Return where a printed 1 cm grid's crossings are seen, (rows, columns, 2), in cm to the right and up.

    A crossing is projected into the picture, and its pixels turned back into centimetres at the crossing's own
    distance: what is left is the cloth's own shape and not the lens's.
    """
    half, down = int(area.width_cm / 2), int(area.height_cm)
    places = np.stack(np.meshgrid(np.arange(-half, half + 1), area.top_cm + np.arange(down + 1)), axis=-1)
    face, share = locate(draped.cloth, PANELS.index(panel), places.reshape(-1, 2).astype(np.float64))
    points = np.einsum("nk,nkx->nx", share, draped.points_cm[draped.cloth.weld[draped.cloth.faces[face]]])
    seen = camera.project(points, azimuth_deg)
    scale = camera.sensor_mm / camera.focal_mm * seen[:, 2]
    across = np.stack([(seen[:, 0] - 0.5) * scale, (0.5 - seen[:, 1]) * scale], axis=1)
    return across.reshape(*places.shape[:2], 2)


def grid_errors_cm(grid: NDArray[np.float64]) -> tuple[float, float]:
    """Return the worst error of a 1 cm cell's sides and the worst bend of a line over 30 cm, in cm."""
    cells = [np.abs(np.linalg.norm(np.diff(grid, axis=axis), axis=2) - 1.0).max() for axis in (0, 1)]
    bends = []
    for lines in (grid, grid.swapaxes(0, 1)):
        for line in lines:
            for first in range(max(1, len(line) - _RUN_CM)):
                run = line[first : first + _RUN_CM + 1]
                chord = run[-1] - run[0]
                off = (run - run[0]) @ (np.array([-chord[1], chord[0]]) / np.linalg.norm(chord))
                bends.append(np.ptp(off) / 2)
    return float(max(cells)), float(max(bends))


def check_drape(draped: Draped, recipe: Recipe) -> dict[str, float]:
    """Measure a drape as it fell.

    Returns:
        Values by name, among them those of :data:`LIMITS` that do not need the finished surface.

    Raises:
        ValueError: A seam is open, the cloth slid off, or a value is over its limit; all reasons in one line.
    """
    cloth = draped.cloth
    if not np.isfinite(draped.points_cm).all():
        raise ValueError("the drape exploded")
    rims = loops(open_edges(cloth.welded_faces))
    if len(rims) != 4:
        raise ValueError(f"the garment has {len(rims)} openings instead of 4: a seam is open")
    zone = in_print_area(draped, recipe)
    strain, area = np.abs(strains(draped))[zone], area_strains(draped)[zone]
    hem = draped.points_cm[rims[0]][:, 2]
    measured = {
        "print_strain_mean": round(float(strain.mean()), 4),
        "print_strain_p99": round(float(np.percentile(strain, 99)), 4),
        "print_area_strain_mean": round(float(np.abs(area).mean()), 4),
        "print_area_strain_p99": round(float(np.percentile(np.abs(area), 99)), 4),
        "hem_tilt_cm": round(float(np.ptp(hem)), 2),
        "lopsided_cm": round(_lopsided_cm(draped), 2),
        "top_cm": round(float(draped.points_cm[:, 2].max()), 2),
    }
    if abs(measured["top_cm"]) > MAX_SLIDE_CM or abs(float(hem.mean()) + recipe.pattern.length_cm) > MAX_SLIDE_CM:
        raise ValueError(f"the garment slid off the shoulders: {measured}")
    _within_limits(measured)
    return measured


def check_finish(draped: Draped, recipe: Recipe) -> dict[str, float]:
    """Measure the surface that will be rendered: does it pass through itself, is a printed grid a grid.

    Raises:
        ValueError: A value is over its limit.
    """
    camera, front = frame(draped.points_cm), VIEW_AZIMUTH_DEG["front_0deg"]
    cell_cm, bend_cm = grid_errors_cm(print_grid(draped, "front", recipe.front, camera, front))
    measured = {
        "crossings": float(len(crossings(draped.cloth.welded_faces, draped.points_cm))),
        "grid_cell_error_cm": round(cell_cm, 3),
        "grid_bend_cm": round(bend_cm, 3),
    }
    _within_limits(measured)
    return measured


def _within_limits(measured: Mapping[str, float]) -> None:
    wrong = [
        f"{meaning}: {name} is {measured[name]:g}, at most {most:g} is allowed"
        for name, (most, meaning) in LIMITS.items()
        if name in measured and measured[name] > most
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
