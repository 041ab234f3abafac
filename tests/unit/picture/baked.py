"""A baked view made by hand: a flat cloth that fills the picture, one centimetre to so many pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.picture.light_file import packed

PER_CM = 4.0
GAIN = 0.9


def flat_bake(
    size_px: int = 64,
    *,
    diffuse: float = 0.8,
    specular: float = 0.02,
    mutual: float = 0.1,
    margin_px: int = 8,
    short_px: int = 0,
    view: str = "front_0deg",
) -> bytes:
    """The front panel seen straight on, its origin in the picture's left top corner, in a rim of nothing.

    Args:
        short_px: rows that are missing at the cloth's lower end.
    """
    side = size_px - 2 * margin_px
    pixel = margin_px + 0.5 + np.arange(side)
    x_cm, y_cm = np.meshgrid(pixel / PER_CM, pixel / PER_CM)
    extents = np.array([[0.0, 0.0, size_px / PER_CM, size_px / PER_CM], [0.0, 0.0, 1.0, 1.0]])
    place = np.round(np.stack([x_cm, y_cm], axis=-1) / extents[0, 2:] * 65535).astype(np.uint16)
    slope = np.zeros((side, side, 4), np.float16)
    slope[..., 0] = slope[..., 3] = 0.25 / PER_CM
    facts: dict[str, Any] = {
        "schema": 2, "template": "0" * 64, "view": view, "azimuth_deg": 0.0, "size_px": size_px, "samples": 1,
        "window": [margin_px, margin_px, size_px - margin_px, size_px - margin_px], "panels": ["front", "back"],
        "albedo_gain": GAIN, "texels_per_cm": 2 * PER_CM,
    }  # fmt: skip
    arrays: dict[str, NDArray[Any]] = {
        "specular": np.full((side, side), specular, np.float32),
        "diffuse": np.full((side, side), diffuse, np.float32),
        "mutual": np.full((side, side), mutual, np.float32),
        "alpha": np.full((side, side), 255, np.uint8),
        "panel": np.zeros((side, side), np.uint8),
        "place": place,
        "slope": slope,
        "mixed_panel": np.zeros((0, 16), np.uint8),
        "mixed_place": np.zeros((0, 16, 2), np.uint16),
        "extents": extents,
    }
    if short_px:
        facts["window"][3] -= short_px
        for name in ("specular", "diffuse", "mutual", "alpha", "panel", "place", "slope"):
            arrays[name] = arrays[name][:-short_px]
    return packed(arrays, facts)
