"""What is seen of a mesh, pixel by pixel, by a plain depth buffer. Needs no Blender."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from blender.template import Mesh
from blender.views import Camera

NOWHERE_CM = -1000.0
"""Place on the panel where no outside of the garment is seen."""


@njit(cache=True)
def rasterise(
    seen: NDArray[np.float64], faces: NDArray[np.int32], side_px: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Find the nearest surface in every pixel's centre.

    Args:
        seen: (V, 3), column and row in pixels, and nearness: the larger, the nearer.
        faces: (F, 3).
        side_px: Of the square picture.

    Returns:
        Nearness (side, side), -1e9 where nothing is, and the face's number, -1 where none is.
    """
    nearest = np.full((side_px, side_px), -1e9)
    shown = np.full((side_px, side_px), -1, np.int32)
    for face in range(len(faces)):
        a, b, c = seen[faces[face, 0]], seen[faces[face, 1]], seen[faces[face, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        left, right = max(0, int(min(a[0], b[0], c[0]))), min(side_px - 1, int(max(a[0], b[0], c[0])))
        top, bottom = max(0, int(min(a[1], b[1], c[1]))), min(side_px - 1, int(max(a[1], b[1], c[1])))
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                x, y = column + 0.5, row + 0.5
                v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
                w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
                if v >= 0 and w >= 0 and v + w <= 1:
                    depth = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
                    if depth > nearest[row, column]:
                        nearest[row, column] = depth
                        shown[row, column] = face
    return nearest, shown


def look(mesh: Mesh, camera: Camera, azimuth_deg: float, *, side_px: int) -> dict[str, NDArray[Any]]:
    """Say what a square picture from that side shows of the garment.

    Returns:
        ``panel`` (H, W) int8, -1 where nothing is; ``x_cm`` and ``y_cm`` (H, W) float32, panel coordinates, both
        :data:`NOWHERE_CM` where nothing is, or the garment's inside.
    """
    seen = camera.project(mesh.points_cm, azimuth_deg)
    # Nearness as one over depth is what runs straight across a face in perspective.
    seen = np.ascontiguousarray(np.concatenate([seen[:, :2] * side_px, 1 / seen[:, 2:]], axis=1))
    _, face = rasterise(seen, mesh.faces, side_px)
    rows, columns = np.nonzero(face >= 0)
    corners = mesh.faces[face[rows, columns]]
    a, b, c = (seen[corners[:, k]] for k in range(3))
    x, y = columns + 0.5, rows + 0.5
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    v = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    w = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    shares = np.stack([1 - v - w, v, w], axis=1)
    place = np.einsum("fk,fkd->fd", shares, mesh.corner_cm[face[rows, columns]])
    # Rows run down: a face seen from its outside turns the other way round.
    outside = area < 0
    panel = np.full(face.shape, -1, np.int8)
    panel[rows, columns] = mesh.face_panel[face[rows, columns]]
    flat = np.full((*face.shape, 2), NOWHERE_CM, np.float32)
    flat[rows[outside], columns[outside]] = place[outside]
    return {"panel": panel, "x_cm": flat[..., 0], "y_cm": flat[..., 1]}
