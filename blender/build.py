"""Build a template folder: draft, sew, drape, check, refine, and write it so that same inputs give same bytes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blender.knit import TILE_CM, jersey
from blender.pattern import HalfPanel, Pattern, Points, draft
from blender.plain_npz import write_npz
from blender.protocol import PANELS, VIEW_AZIMUTH_DEG
from blender.recipe import PrintArea, read_recipe
from blender.refine import Draped
from blender.relief import MARGIN_CM, Extent, Heights, body_relief, rib_relief, sleeve_relief
from blender.seal import seal
from blender.tailor import tailor
from blender.views import frame
from blender.witness import write_verdict

CORNER_DEG = 10.0
"""An outline that turns by more than this has a corner there."""

FINISH: Mapping[str, Any] = {
    "albedo_gain": 0.91,
    "relief_height_cm": 0.2,
    "bump_strength": 1.0,
    # Cotton has next to no gloss and a nap that shines where it is seen along the surface: that nap, lit from behind,
    # draws the folds of black cloth, and leaves prints that face the camera their colours.
    "principled": {
        "Roughness": 0.6,
        "Specular IOR Level": 0.06,
        "Sheen Weight": 0.4,
        "Sheen Roughness": 0.4,
    },
}
KNIT: Mapping[str, Any] = {"file": "knit.png", "tile_cm": TILE_CM, "height_cm": 0.016}
# Neutral, and never more light than white cloth returns as sRGB 253, so that nothing clips: a key from the upper left,
# fuller in front than a key alone so that a print keeps its colour, flanks dark enough to leave a white ground.
LIGHTS: Mapping[str, Any] = {
    "turn_with_camera": True,
    "floor": 0.06,
    "ceiling": 0.1,
    "lamps": {
        "key": {"toward": [-0.42, -0.8, 0.42], "radiance": 4.05, "sharpness": 9.0},
        "front": {"toward": [0.2, -0.95, -0.2], "radiance": 0.34, "sharpness": 3.0},
        "fill": {"toward": [0.9, -0.43, 0.05], "radiance": 0.68, "sharpness": 4.0},
        "rim_left": {"toward": [-0.402, 0.862, 0.309], "radiance": 2.2, "sharpness": 16.0},
        "rim_right": {"toward": [0.476, 0.824, 0.309], "radiance": 2.6, "sharpness": 16.0},
    },
}
CYCLES: Mapping[str, Any] = {
    "max_bounces": 3,
    "diffuse_bounces": 2,
    "glossy_bounces": 1,
    "transmission_bounces": 0,
    "transparent_max_bounces": 2,
    "caustics_reflective": False,
    "caustics_refractive": False,
    "use_adaptive_sampling": False,
    "use_denoising": True,
    "denoiser": "OPENIMAGEDENOISE",
    "denoising_input_passes": "RGB_ALBEDO_NORMAL",
    "denoising_prefilter": "FAST",
    "denoising_quality": "BALANCED",
}


def presets(areas: Mapping[str, PrintArea]) -> dict[str, dict[str, Any]]:
    """Return the named rectangles, centre and size in panel centimetres."""
    rows = {
        "chest": ("front", ((0.45, 0.15, 0.25), (0.60, 0.22, 0.35), (0.75, 0.50, 0.80))),
        "dead-center": ("front", ((0.45, 0.45, 0.25), (0.60, 0.45, 0.35), (0.75, 0.45, 0.80))),
        "back": ("back", ((0.40, 0.12, 0.20), (0.60, 0.30, 0.35), (0.70, 0.25, 0.50))),
        "back-bottom": ("back", ((0.50, 0.80, 0.25), (0.60, 0.75, 0.35), (0.65, 0.70, 0.45))),
    }
    return {
        f"{family}-{size}": {
            "panel": panel,
            "x_cm": 0.0,
            "y_cm": round(areas[panel].top_cm + centre * areas[panel].height_cm, 3),
            "width_cm": round(width * areas[panel].width_cm, 3),
            "height_cm": round(height * areas[panel].height_cm, 3),
        }
        for family, (panel, sizes) in rows.items()
        for size, (width, centre, height) in zip(("small", "medium", "large"), sizes, strict=True)
    }


def _rib_outline(pattern: Pattern) -> Points:
    half, width = pattern.rib_length_cm / 2, pattern.measures.rib_width_cm
    return np.array([[-half, -width], [half, -width], [half, 0.0], [-half, 0.0]])


def panel_facts(pattern: Pattern, areas: Mapping[str, PrintArea]) -> dict[str, dict[str, Any]]:
    """Return each panel's extents, print area, outline and relief rectangle, for ``template.json``."""
    outlines = {
        "front": pattern.front.outline_cm(),
        "back": pattern.back.outline_cm(),
        "sleeve_left": pattern.sleeve.outline_cm(),
        "sleeve_right": pattern.sleeve.outline_cm(),
        "collar": _rib_outline(pattern),
    }
    facts: dict[str, dict[str, Any]] = {}
    for panel in PANELS:
        outline, extent = outlines[panel], relief_extent(outlines[panel])
        low, high = outline.min(axis=0), outline.max(axis=0)
        facts[panel] = {
            "x_min_cm": round(float(low[0]), 4),
            "x_max_cm": round(float(high[0]), 4),
            "y_min_cm": round(float(low[1]), 4),
            "y_max_cm": round(float(high[1]), 4),
            "print_area": _area_facts(areas[panel]) if panel in areas else None,
            "outline_cm": np.round(thinned(outline), 3).tolist(),
            "relief": {
                "x_cm": extent.x_min_cm,
                "y_cm": extent.y_min_cm,
                "width_cm": extent.x_max_cm - extent.x_min_cm,
                "height_cm": extent.y_max_cm - extent.y_min_cm,
            },
        }
    return facts


def _area_facts(area: PrintArea) -> dict[str, float]:
    return {
        "x_cm": -area.width_cm / 2,
        "y_cm": area.top_cm,
        "width_cm": area.width_cm,
        "height_cm": area.height_cm,
    }


def thinned(outline: Points, most: int = 256) -> Points:
    """Return about ``most`` points of a closed outline and all its corners: a cut corner would look like a seam."""
    ahead, behind = np.roll(outline, -1, axis=0) - outline, outline - np.roll(outline, 1, axis=0)
    cross = behind[:, 0] * ahead[:, 1] - behind[:, 1] * ahead[:, 0]
    kept = np.degrees(np.abs(np.arctan2(cross, (behind * ahead).sum(axis=1)))) > CORNER_DEG
    kept[:: max(1, len(outline) // most)] = True
    return outline[kept]


def relief_extent(outline: Points) -> Extent:
    """Return the whole-centimetre rectangle a panel's height map covers, turned hems included."""
    low, high = np.floor(outline.min(axis=0) - MARGIN_CM), np.ceil(outline.max(axis=0) + MARGIN_CM)
    return Extent(x_min_cm=float(low[0]), x_max_cm=float(high[0]), y_min_cm=float(low[1]), y_max_cm=float(high[1]))


def reliefs(pattern: Pattern, seed: int) -> dict[str, Heights]:
    """Return every height map by file name."""

    def of(half: HalfPanel) -> Extent:
        return relief_extent(half.outline_cm())

    return {
        "relief_front.png": body_relief(pattern.front, of(pattern.front)),
        "relief_back.png": body_relief(pattern.back, of(pattern.back)),
        "relief_sleeve.png": sleeve_relief(pattern.sleeve, of(pattern.sleeve)),
        KNIT["file"]: jersey(seed),
        "relief_collar.png": rib_relief(pattern, relief_extent(_rib_outline(pattern))),
    }


def _differences(indices: Any) -> Any:
    return np.diff(indices.reshape(-1), prepend=np.int32(0)).astype(np.int32).reshape(indices.shape)


def write_mesh(path: Path, draped: Draped) -> None:
    """Write the garment as :meth:`blender.template.Template.mesh` reads it."""
    cloth = draped.cloth
    order = np.lexsort((cloth.faces.min(axis=1), cloth.face_panel))
    write_npz(
        path,
        {
            "points_cm": draped.points_cm.astype(np.float32),
            "flat_cm": cloth.flat_cm.astype(np.float32),
            "faces": _differences(cloth.welded_faces[order]),
            "corners": _differences(cloth.faces[order]),
            "face_panel": cloth.face_panel[order],
        },
    )


def build(folder: Path, *, tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Build the garment of ``folder``'s ``garment.toml`` beside it and return its facts.

    Raises:
        ValueError: The recipe is wrong or the drape failed a check; nothing was written.
    """
    recipe = read_recipe(folder)
    pattern = draft(recipe.pattern)
    draped, measured = tailor(recipe, pattern, tell=tell)
    for name, heights in reliefs(pattern, recipe.seed).items():
        Image.fromarray(np.round(heights * 255).astype(np.uint8)).save(folder / name, optimize=True)
    write_mesh(folder / "mesh.npz", draped)
    facts: dict[str, Any] = {
        "schema": 1,
        "id": folder.resolve().name,
        "version": recipe.version,
        "name": recipe.name,
        "garment_size": recipe.garment_size,
        "license": recipe.license,
        "panels": panel_facts(pattern, recipe.print_areas),
        "panel_order": list(PANELS),
        "presets": presets(recipe.print_areas),
        "cameras": {view: {"azimuth_deg": azimuth} for view, azimuth in VIEW_AZIMUTH_DEG.items()},
        "camera": frame(draped.points_cm).facts(),
        "turntable": {"start_azimuth_deg": 0.0},
        "lights": dict(LIGHTS),
        "finish": dict(FINISH),
        "cycles": dict(CYCLES),
        "knit": dict(KNIT),
        "color": {"view_transform": "Standard", "working_space": "Linear Rec.709"},
        "drape": measured,
    }
    (folder / "verdict.npz").unlink(missing_ok=True)
    seal(folder, facts)
    write_verdict(folder)
    seal(folder, facts)
    return facts
