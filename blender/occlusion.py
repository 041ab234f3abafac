"""How open cloth lies to the light: what a fold, an armpit or the inside of a sleeve loses. Needs no Blender.

A viewer lights a model from all around and casts no shadows within it; without this, folds are flat and the inside of a
garment glows.
"""

import numpy as np
from numpy.typing import NDArray

from blender.raster import rasterise

DIRECTIONS = 160
SIDE_PX = 320
LIFT_CM = 0.5
"""How far off the cloth one looks: less, and cloth seen along its surface would shade itself."""
_SLACK_CM = 0.15

Array = NDArray[np.float64]


def openness(points_cm: Array, normals: Array, faces: NDArray[np.int32]) -> tuple[Array, Array]:
    """Return the share of the sky that each vertex sees from its outside, and from its inside.

    Args:
        points_cm: (V, 3).
        normals: (V, 3), unit, to the outside.
        faces: (F, 3).

    Returns:
        Two (V,) arrays in 0..1, weighted by the cosine as diffuse cloth receives light.
    """
    sides = np.zeros((2, len(points_cm)))
    total = np.zeros((2, len(points_cm)))
    low, high = points_cm.min(axis=0), points_cm.max(axis=0)
    centre, reach = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 + 1.0
    pixel_cm = 2 * reach / SIDE_PX
    for toward in _sphere(DIRECTIONS):
        across = np.cross(toward, (1.0, 0.0, 0.0) if abs(toward[0]) < 0.9 else (0.0, 1.0, 0.0))
        across /= np.linalg.norm(across)
        axes = np.stack([across, np.cross(toward, across), toward], axis=1)
        seen = (points_cm - centre) @ axes
        seen[:, :2] = seen[:, :2] / pixel_cm + SIDE_PX / 2
        nearest, _ = rasterise(seen, faces, 0, 0, SIDE_PX, SIDE_PX)
        facing = normals @ toward
        for side, sign in enumerate((1.0, -1.0)):
            weight = np.maximum(sign * facing, 0.0)
            lifted = (points_cm + sign * LIFT_CM * normals - centre) @ axes
            column, row = (np.clip((lifted[:, k] / pixel_cm + SIDE_PX / 2).astype(int), 0, SIDE_PX - 1) for k in (0, 1))
            sides[side] += weight * (lifted[:, 2] > nearest[row, column] - _SLACK_CM)
            total[side] += weight
    opened = np.divide(sides, total, out=np.ones_like(sides), where=total > 0)
    return opened[0], opened[1]


def _sphere(count: int) -> Array:
    """Unit vectors, spread evenly: a Fibonacci spiral."""
    height = 1 - (np.arange(count) + 0.5) * 2 / count
    turn = np.arange(count) * np.pi * (3 - 5**0.5)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
