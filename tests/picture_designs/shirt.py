"""A garment that needs no Blender: a flat shirt with folds of light, and pictures of it as a renderer makes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from farm.picture.expectation import ViewMaps, expected_albedo
from farm.picture.light import to_srgb
from farm.picture.texture import PanelTexture

PANELS = ("front", "back", "sleeve_left", "sleeve_right", "collar")
CM_PER_PIXEL = 0.32


def maps(panel: str = "front", *, lean: float = 0.0, side: int = 256) -> ViewMaps:
    """A trunk with two sleeves, seen flat; ``lean`` makes one shoulder wider, as from an angle."""
    scale = 256 / side
    y, x = (np.mgrid[0:side, 0:side].astype(np.float32) + 0.5) * scale
    across, down = x - 128, y - 30
    trunk = np.maximum(np.abs(across + lean * 20) - 78 + lean * 25, np.abs(y - 128) - 98)
    sleeves = np.maximum(np.abs(across) - 112, np.abs(y - 62 - np.abs(across) * 0.3) - 30 + lean * across * 0.1)
    coverage = np.clip(0.5 - np.minimum(trunk, sleeves) / scale, 0, 1).astype(np.float32)
    folds = (
        0.5 + 0.12 * np.sin(x / 17 + y / 60 + 3 * lean) + 0.05 * np.sin(x / 7 - y / 19) - 0.08 * np.abs(across) / 112
    )
    inside = coverage > 0.5
    return ViewMaps(
        panel_order=PANELS,
        panel=np.where(inside, PANELS.index(panel), -1).astype(np.int8),
        x_cm=np.where(inside, across * CM_PER_PIXEL, -1000).astype(np.float32),
        y_cm=np.where(inside, down * CM_PER_PIXEL, -1000).astype(np.float32),
        coverage=coverage,
        shade=np.where(coverage > 0, folds, 0).astype(np.float32),
        sheen=np.where(coverage > 0, folds * 0.046, 0).astype(np.float32),
    )


def picture(
    shirt: ViewMaps,
    textures: Mapping[str, PanelTexture],
    fabric: tuple[float, float, float],
    *,
    background: tuple[float, float, float] | None = None,
    noise: float = 0.0,
    sheen: float = 0.0,
    exposure: float = 1.0,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What a renderer would answer: ``(H, W, 4) uint8``; ``sheen`` is what the maps do not know of."""
    random = np.random.default_rng(11)
    light = (shirt.light(expected_albedo(shirt, textures, fabric)) + sheen) * exposure
    light *= 1 + noise * random.standard_normal((*light.shape[:2], 1)).astype(np.float32)
    alpha = shirt.coverage[..., None]
    if background is not None:
        light = light * alpha + np.asarray(background, np.float32) * (1 - alpha)
        alpha = np.ones_like(alpha)
    return np.rint(np.dstack([to_srgb(light) * (alpha > 0), alpha]) * 255).astype(np.uint8)
