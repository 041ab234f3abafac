"""From a shop's file to a template folder, or to the reasons why not. Imports bpy inside functions."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blender.blend.disarm import Removed, open_disarmed
from blender.blend.header import refusals, too_new
from blender.blend.scale import Floats, PrintedFaces
from blender.blend.studio import FILE, PANEL
from blender.blend.survey import CAMERA_PREFIX, FRONT, Survey, nearest_side, survey
from blender.protocol import VIEW_AZIMUTH_DEG, ProtocolError
from blender.seal import seal

WIDTH_CM = (4.0, 150.0)
"""A texture square outside these was measured in a file whose unit is not a metre."""
PRINT_AREA_CM = (30.0, 40.0)
UNEVEN = 0.15
"""A scale that differs by more over the printed cloth distorts what is printed there."""
MOST_COVERED = 0.97
DARK, GLARING = 0.04, 0.56
"""Luminance of half-grey cloth: under the one a picture is black; over the other white cloth burns out."""
ALBEDO_GAIN = 0.91
MOST_BOUNCES = 8

PRESETS: Mapping[str, tuple[tuple[str, float, float, float], ...]] = {
    "front": (
        ("chest-small", 0.45, 0.15, 0.25), ("chest-medium", 0.60, 0.22, 0.35), ("chest-large", 0.75, 0.50, 0.80),
        ("dead-center-small", 0.45, 0.45, 0.25), ("dead-center-medium", 0.60, 0.45, 0.35),
        ("dead-center-large", 0.75, 0.45, 0.80),
    ),
    "back": (
        ("back-small", 0.40, 0.12, 0.20), ("back-medium", 0.60, 0.30, 0.35), ("back-large", 0.70, 0.25, 0.50),
        ("back-bottom-small", 0.50, 0.80, 0.25), ("back-bottom-medium", 0.60, 0.75, 0.35),
        ("back-bottom-large", 0.65, 0.70, 0.45),
    ),
}  # fmt: skip
"""Name, width, middle and height in parts of the print area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptOrder:
    """What to make of which file.

    Attributes:
        file: The shop's file.
        folder: The template's folder, empty; its name is the template's id.
        name, license, version: For ``template.json``.
        most_bytes: The largest file that is accepted.
        print_width_cm: Width of the texture square on the cloth, instead of what is measured.
        samples: Paths per pixel of the verdict's maps.
    """

    file: str
    folder: str
    name: str = ""
    license: str = "LicenseRef-shop"
    version: str = "1.0.0"
    most_bytes: int = 200_000_000
    print_width_cm: float | None = None
    samples: int = 64

    @classmethod
    def read(cls, path: Path) -> "AdoptOrder":
        """Read an order.

        Raises:
            ProtocolError: It cannot be read, or has other members.
        """
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as exc:
            raise ProtocolError(f"order {path}: {exc}") from exc


class Refused(Exception):
    """The file does not keep the convention; ``reasons`` are sentences for its author."""

    def __init__(self, reasons: tuple[str, ...] | list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def adopt(order: AdoptOrder) -> dict[str, Any]:
    """Make the template and return its facts.

    Raises:
        Refused: With every reason that was found.
    """
    import bpy

    source, folder = Path(order.file), Path(order.folder)
    newest = (bpy.app.version[0], bpy.app.version[1])
    reasons = refusals(source, most_bytes=order.most_bytes, newest=newest)
    if reasons:
        raise Refused(reasons)
    try:
        removed = open_disarmed(source)
    except RuntimeError as exc:
        raise Refused([f"Blender cannot read it: {' '.join(str(exc).split())}"]) from exc
    found = survey()
    reasons = [*too_new((bpy.data.version[0], bpy.data.version[1]), newest=newest), *found.reasons]
    ratio, wrong = _ratio(found, order.print_width_cm)
    reasons += wrong
    if reasons or found.scale is None:
        raise Refused(reasons)
    facts = _facts(order, found, removed, ratio)
    _save(found, folder / FILE)
    seal(folder, facts)
    _look(folder, facts, order.samples)
    seal(folder, facts)
    return facts


def _ratio(found: Survey, wanted_cm: float | None) -> tuple[float, list[str]]:
    """Return how much larger the cloth is than the file says, and what is wrong with its size."""
    if found.scale is None:
        return 1.0, []
    if wanted_cm is not None:
        return wanted_cm / found.scale.width_cm, []
    if WIDTH_CM[0] <= found.scale.width_cm <= WIDTH_CM[1]:
        return 1.0, []
    return 1.0, [
        f"the texture square measures {found.scale.width_cm:.1f} cm across: set the scene's unit scale, "
        "or say what it is with --print-width-cm"
    ]


def _facts(order: AdoptOrder, found: Survey, removed: Removed, ratio: float) -> dict[str, Any]:
    import bpy

    from blender.build import CYCLES

    assert found.scale is not None
    scene = bpy.context.scene
    square = (round(found.scale.width_cm * ratio, 3), round(found.scale.height_cm * ratio, 3))
    areas = _print_areas(found, square, 100.0 * scene.unit_settings.scale_length)
    notices = []
    if found.scale.spread > UNEVEN:
        notices.append(
            f"the scale of the UVs differs by {found.scale.spread:.0%} over the printed cloth: prints distort"
        )
    if "back" not in areas:
        notices.append("the back shares its place on the texture with the front, or has none: no back presets")
    corners = found.faces.corners_cm.reshape(-1, 3) / (100.0 * scene.unit_settings.scale_length)
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    bounces = {
        name: min(int(getattr(scene.cycles, name)), MOST_BOUNCES)
        for name in ("max_bounces", "diffuse_bounces", "glossy_bounces", "transmission_bounces")
    }
    folder = Path(order.folder)
    return {
        "schema": 1,
        "kind": "blend",
        "id": folder.name,
        "version": order.version,
        "name": order.name or folder.name,
        "garment_size": "–",
        "license": order.license,
        "panels": {PANEL: _panel(square, areas)},
        "panel_order": [PANEL],
        "presets": {name: box for side, area in areas.items() for name, box in _presets(side, area)},
        "cameras": {view: {"azimuth_deg": azimuth} for view, azimuth in VIEW_AZIMUTH_DEG.items()},
        "camera": _pinhole(scene, middle, 100.0 * scene.unit_settings.scale_length * ratio),
        "turntable": {"start_azimuth_deg": 0.0},
        "finish": {"albedo_gain": ALBEDO_GAIN},
        "cycles": {**CYCLES, "transparent_max_bounces": MOST_BOUNCES, **bounces},
        "color": {"view_transform": "Standard", "working_space": "Linear Rec.709"},
        "blend": {
            "square_cm": list(square),
            "measured_cm": [round(found.scale.width_cm, 3), round(found.scale.height_cm, 3)],
            "spread": round(found.scale.spread, 4),
            "axis": [round(float(middle[0]), 6), round(float(middle[1]), 6)],
            "fabric_by": str(found.fabric_by),
            "materials": [one.material.name for one in found.printed],
            "triangles": len(found.faces.uv),
            "saved_by": ".".join(str(part) for part in bpy.data.version),
            "removed": asdict(removed),
        },
        "notices": notices,
    }


def _print_areas(found: Survey, square: tuple[float, float], cm_per_unit: float) -> dict[str, dict[str, float]]:
    """Return what the front camera sees of the square, and the back camera where that is another part of it."""
    regions = {}
    for side, view in (("front", FRONT), ("back", "back_180deg")):
        region = _region(found.faces, view, cm_per_unit)
        if region is not None:
            regions[side] = region
    if "back" in regions and "front" in regions and _overlap(regions["front"], regions["back"]) > 0.2:
        del regions["back"]
    return {side: _print_area(region, square) for side, region in regions.items()}


def _region(faces: PrintedFaces, view: str, cm_per_unit: float) -> tuple[float, float, float, float] | None:
    """Return the box of texture coordinates that a view's camera sees: u and v, lowest and highest."""
    import bpy

    eye_cm: Floats = np.array(bpy.context.scene.objects[CAMERA_PREFIX + view].matrix_world, np.float64)[:3, 3]
    eye_cm = eye_cm * cm_per_unit
    seen = faces.facing(eye_cm) & nearest_side(faces, eye_cm) & ((faces.uv >= 0) & (faces.uv <= 1)).all(axis=(1, 2))
    if not seen.any():
        return None
    low, high = faces.uv[seen].min(axis=(0, 1)), faces.uv[seen].max(axis=(0, 1))
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the shared area of two boxes in parts of the smaller one."""
    wide = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[2], other[2]))
    smaller = min((box[1] - box[0]) * (box[3] - box[2]) for box in (one, other))
    return wide * high / max(smaller, 1e-12)


def _print_area(region: tuple[float, float, float, float], square: tuple[float, float]) -> dict[str, float]:
    """Return the part of a region that is printed, cm on the panel: all of a small one, the chest of a whole front."""
    left, right = ((region[i] - 0.5) * square[0] for i in (0, 1))
    top, bottom = ((1.0 - region[i]) * square[1] for i in (3, 2))
    width, height = min(PRINT_AREA_CM[0], right - left), min(PRINT_AREA_CM[1], bottom - top)
    down = min(0.2 * (bottom - top), bottom - top - height)
    return {
        "x_cm": round((left + right - width) / 2, 3),
        "y_cm": round(top + down, 3),
        "width_cm": round(width, 3),
        "height_cm": round(height, 3),
    }


def _panel(square: tuple[float, float], areas: Mapping[str, Any]) -> dict[str, Any]:
    half, height = round(square[0] / 2, 4), square[1]
    return {
        "x_min_cm": -half,
        "x_max_cm": half,
        "y_min_cm": 0.0,
        "y_max_cm": height,
        "print_area": areas["front"] if list(areas) == ["front"] else None,
        "outline_cm": [[-half, 0.0], [half, 0.0], [half, height], [-half, height]],
    }


def _presets(side: str, area: Mapping[str, float]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (
            name,
            {
                "panel": PANEL,
                "x_cm": round(area["x_cm"] + area["width_cm"] / 2, 3),
                "y_cm": round(area["y_cm"] + middle * area["height_cm"], 3),
                "width_cm": round(width * area["width_cm"], 3),
                "height_cm": round(height * area["height_cm"], 3),
            },
        )
        for name, width, middle, height in PRESETS[side]
    ]


def _pinhole(scene: Any, middle: Floats, cm_per_unit: float) -> dict[str, Any]:
    """Return the front camera as the farm's own are described; an orthographic one as if from very near its plane."""
    found = scene.objects[CAMERA_PREFIX + FRONT]
    lens = found.data
    if lens.type == "ORTHO":
        return {"focal_mm": 36.0, "sensor_mm": 36.0, "distance_cm": round(lens.ortho_scale * cm_per_unit, 3)}
    distance = float(np.linalg.norm(np.array(found.matrix_world, np.float64)[:3, 3] - middle)) * cm_per_unit
    sensor_mm = lens.sensor_height if lens.sensor_fit == "VERTICAL" else lens.sensor_width
    return {"focal_mm": round(lens.lens, 4), "sensor_mm": round(sensor_mm, 4), "distance_cm": round(distance, 3)}


def _save(found: Survey, path: Path) -> None:
    """Keep a copy without what the print replaces, and without what nothing uses."""
    import bpy

    for one in found.printed:
        one.node.image = None
    bpy.ops.outliner.orphans_purge(do_recursive=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, copy=True, relative_remap=False)


def _look(folder: Path, facts: dict[str, Any], samples: int) -> None:
    """Make the verdict's maps and look at them.

    Raises:
        Refused: The pictures would show no garment.
    """
    from blender.witness import write_verdict

    write_verdict(folder, samples=samples)
    reasons = []
    with np.load(folder / "verdict.npz", allow_pickle=False) as maps:
        for view in VIEW_AZIMUTH_DEG:
            coverage, panel, shade = (maps[f"{view}/{name}"] for name in ("coverage", "panel", "shade"))
            covered = float((coverage > 0.5).mean())
            cloth = (panel >= 0) & (coverage > 0.98)
            if covered < 0.005:
                reasons.append(f"the camera {CAMERA_PREFIX}{view} sees nothing")
            elif covered > MOST_COVERED:
                reasons.append(f"{CAMERA_PREFIX}{view} sees no free ground: switch the backdrop off for rendering")
            elif cloth.any() and float(np.median(shade[cloth])) < DARK:
                reasons.append(f"the cloth is nearly black as {CAMERA_PREFIX}{view} sees it: there is too little light")
            elif cloth.any() and float(np.median(shade[cloth])) > GLARING:
                facts["notices"].append(f"{view}: the light is so strong that white cloth burns out")
    if reasons:
        raise Refused(reasons)
