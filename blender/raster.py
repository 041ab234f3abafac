"""What is seen of a mesh, pixel by pixel, by a plain depth buffer. Needs no Blender."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.kernel import kernel
from blender.template import Mesh
from blender.views import Camera

Float = NDArray[np.float32]

NOWHERE_CM = -1000.0
"""Place on the panel where no outside of the garment is seen."""


@kernel
def rasterise(
    seen: NDArray[np.float64], faces: NDArray[np.int32], left: int, top: int, width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Find the nearest surface in the centre of every pixel of a window.

    Args:
        seen: (V, 3), as :func:`seen_by` gives it: column and row in pixels, and nearness.
        faces: (F, 3).

    Returns:
        Nearness (height, width), -1e9 where nothing is, and the face's number, -1 where none is.
    """
    nearest = np.full((height, width), -1e9)
    shown = np.full((height, width), -1, np.int32)
    for face in range(len(faces)):
        a, b, c = seen[faces[face, 0]], seen[faces[face, 1]], seen[faces[face, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        first, last = max(top, int(min(a[1], b[1], c[1]))), min(top + height - 1, int(max(a[1], b[1], c[1])))
        begin, end = max(left, int(min(a[0], b[0], c[0]))), min(left + width - 1, int(max(a[0], b[0], c[0])))
        for row in range(first, last + 1):
            for column in range(begin, end + 1):
                x, y = column + 0.5, row + 0.5
                v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
                w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
                if v >= 0 and w >= 0 and v + w <= 1:
                    depth = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
                    if depth > nearest[row - top, column - left]:
                        nearest[row - top, column - left] = depth
                        shown[row - top, column - left] = face
    return nearest, shown


@kernel
def points_seen(
    seen: NDArray[np.float64],
    faces: NDArray[np.int32],
    corner_cm: Float,
    face_panel: NDArray[np.int8],
    left: int,
    top: int,
    width: int,
    height: int,
) -> tuple[NDArray[np.int8], Float]:
    """Find the nearest surface in the centre of every pixel of a window, and where on its panel that is.

    Args:
        seen: (V, 3), as :func:`seen_by` gives it.
        faces: (F, 3).
        corner_cm: (F, 3, 2), panel coordinates of every face's corners.
        face_panel: (F,).

    Returns:
        The panel (height, width), -1 where nothing is; the point (height, width, 2) in cm, :data:`NOWHERE_CM` where
        nothing is, or the garment's inside.
    """
    _, shown = rasterise(seen, faces, left, top, width, height)
    panel = np.full((height, width), -1, np.int8)
    at_cm = np.full((height, width, 2), NOWHERE_CM, np.float32)
    for row in range(height):
        for column in range(width):
            face = shown[row, column]
            if face < 0:
                continue
            panel[row, column] = face_panel[face]
            a, b, c = seen[faces[face, 0]], seen[faces[face, 1]], seen[faces[face, 2]]
            area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            # Rows run down: a face seen from its outside turns the other way round.
            if area >= 0:
                continue
            x, y = left + column + 0.5, top + row + 0.5
            v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
            w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
            for axis in range(2):
                at_cm[row, column, axis] = (
                    (1 - v - w) * corner_cm[face, 0, axis] + v * corner_cm[face, 1, axis] + w * corner_cm[face, 2, axis]
                )
    return panel, at_cm


def seen_by(mesh: Mesh, camera: Camera, azimuth_deg: float, *, side_px: int) -> NDArray[np.float64]:
    """Where a mesh's points land in a square picture: (V, 3), column and row in pixels, and nearness.

    Nearness is one over depth, which runs straight across a face in perspective.
    """
    seen = camera.project(mesh.points_cm, azimuth_deg)
    return np.ascontiguousarray(np.concatenate([seen[:, :2] * side_px, 1 / seen[:, 2:]], axis=1))


def look(mesh: Mesh, camera: Camera, azimuth_deg: float, *, side_px: int) -> dict[str, NDArray[Any]]:
    """Say what a square picture from that side shows of the garment.

    Returns:
        ``panel`` (H, W) int8, -1 where nothing is; ``x_cm`` and ``y_cm`` (H, W) float32, panel coordinates, both
        :data:`NOWHERE_CM` where nothing is, or the garment's inside.
    """
    seen = seen_by(mesh, camera, azimuth_deg, side_px=side_px)
    panel, at_cm = points_seen(seen, mesh.faces, mesh.corner_cm, mesh.face_panel, 0, 0, side_px, side_px)
    return {"panel": panel, "x_cm": at_cm[..., 0], "y_cm": at_cm[..., 1]}
