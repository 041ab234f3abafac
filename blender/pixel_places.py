"""Which point of which panel each pixel of a picture shows: geometry alone, rasterised from the template's own mesh.

It is what the path tracer's rays meet, without the path tracer; the same mesh, camera and size give the same bytes.
A shop's ``.blend``, whose modifiers only Blender knows, is asked by :mod:`blender.places` instead and boiled down here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.kernel import kernel
from blender.raster import NOWHERE_CM, Float, points_seen, seen_by
from blender.template import Box, Mesh, load_template
from blender.views import Camera

SIDE = 4
"""Sub-samples along each side of a pixel."""
BENT_PX = 0.04
"""A pixel's sub-samples that lie on the panel as evenly as this are kept as one plane instead of sixteen points."""
UNPRINTED, MIXED, EMPTY = 253, 254, 255
"""Panels of pixels: cloth seen from its back, several panels or a fold in one pixel, no garment."""
_BAND_ROWS = 64

Arrays = dict[str, NDArray[Any]]
Window = tuple[int, int, int, int]


def places_of(folder: Path, azimuth_deg: float, *, size_px: int, window: Window) -> Arrays:
    """Say what each pixel of a square picture's window shows of the sewn garment in that folder.

    Args:
        window: left, top, right, bottom in pixels, the right and bottom exclusive.

    Returns:
        As :func:`condensed`.

    Raises:
        ProtocolError: The folder is no template, or one of a shop's own file.
    """
    template = load_template(folder)
    camera = Camera.of(template.facts["camera"])
    return rasterised(template.mesh(), camera, template.boxes_cm, azimuth_deg, size_px=size_px, window=window)


def rasterised(
    mesh: Mesh, camera: Camera, boxes_cm: Sequence[Box], azimuth_deg: float, *, size_px: int, window: Window
) -> Arrays:
    """Say what each pixel of a square picture's window shows of a sewn garment.

    Args:
        boxes_cm: of each panel, in the order of the mesh's numbers.
        window: left, top, right, bottom in pixels, the right and bottom exclusive.

    Returns:
        As :func:`condensed`.
    """
    left, top, right, bottom = window
    seen = seen_by(mesh, camera, azimuth_deg, side_px=SIDE * size_px)
    bands = []
    for first in range(top, bottom, _BAND_ROWS):
        last = min(first + _BAND_ROWS, bottom)
        panel, at_cm = points_seen(
            seen, mesh.faces, mesh.corner_cm, mesh.face_panel, SIDE * left, SIDE * first, SIDE * (right - left),
            SIDE * (last - first),
        )  # fmt: skip
        which = np.where(panel < 0, np.uint8(EMPTY), panel.astype(np.uint8))
        which[(panel >= 0) & (at_cm[..., 0] == np.float32(NOWHERE_CM))] = UNPRINTED
        bands.append(_condensed(which, at_cm, np.asarray(boxes_cm, np.float64), BENT_PX / camera.px_per_cm(size_px)))
    whole = {name: np.concatenate([band[name] for band in bands]) for name in bands[0]}
    return {**whole, "extents": np.asarray(boxes_cm, np.float64)}


def condensed(which: NDArray[np.uint8], at_cm: Float, boxes_cm: Sequence[Box], px_per_cm: float) -> Arrays:
    """Keep one plane for each pixel whose sub-samples lie on one, all sub-samples of the others.

    Args:
        which: (4 H, 4 W), the panel of each sub-sample, :data:`UNPRINTED` or :data:`EMPTY`.
        at_cm: (4 H, 4 W, 2) float32, its point on the panel.
        boxes_cm: left, top, width and height of each panel.

    Returns:
        Of H × W pixels, K of them mixed: ``panel`` (H, W) uint8, the panel's number, or one of :data:`UNPRINTED`,
        :data:`MIXED`, :data:`EMPTY`. ``place`` (H, W, 2) uint16, the point in the pixel's middle, over the panel's
        extents. ``slope`` (H, W, 4) float16, cm on the panel per sub-sample: x to the right, x down, y to the right,
        y down. ``mixed_panel`` (K, 16) uint8 and ``mixed_place`` (K, 16, 2) uint16, the sub-samples of the mixed
        pixels in reading order. ``extents`` (panels, 4) float64: left, top, width and height, cm.
    """
    extents = np.asarray(boxes_cm, np.float64)
    return {**_condensed(which, at_cm, extents, BENT_PX / px_per_cm), "extents": extents}


def _condensed(which: NDArray[np.uint8], at_cm: Float, extents: NDArray[np.float64], bent_cm: float) -> Arrays:
    rows, columns = which.shape[0] // SIDE, which.shape[1] // SIDE
    panel = np.empty((rows, columns), np.uint8)
    place = np.zeros((rows, columns, 2), np.uint16)
    slope = np.zeros((rows, columns, 4), np.float32)
    _planes(which, at_cm, extents, bent_cm, panel, place, slope)
    mixed = panel == MIXED
    each = which.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)[mixed].reshape(-1, SIDE * SIDE)
    points = at_cm.reshape(rows, SIDE, columns, SIDE, 2).swapaxes(1, 2)[mixed].reshape(-1, SIDE * SIDE, 2)
    own = np.minimum(each, len(extents) - 1)
    share = (points - extents[own, :2]) / extents[own, 2:]
    return {
        "panel": panel,
        "place": place,
        "slope": slope.astype(np.float16),
        "mixed_panel": each,
        "mixed_place": np.round(np.clip(share, 0.0, 1.0) * 65535.0).astype(np.uint16),
    }


@kernel
def _planes(
    which: NDArray[np.uint8],
    at_cm: Float,
    extents: NDArray[np.float64],
    bent_cm: float,
    panel: NDArray[np.uint8],
    place: NDArray[np.uint16],
    slope: Float,
) -> None:
    """Fit each pixel's plane by least squares; what bends more than allowed, or lies on several panels, is mixed."""
    norm = SIDE * SIDE * (SIDE * SIDE - 1) / 12.0
    half = (SIDE - 1) / 2.0
    for y in range(panel.shape[0]):
        for x in range(panel.shape[1]):
            first = which[y * SIDE, x * SIDE]
            alike = True
            for i in range(SIDE):
                for j in range(SIDE):
                    alike = alike and which[y * SIDE + i, x * SIDE + j] == first
            panel[y, x] = first if alike else MIXED
            if not alike or first >= UNPRINTED:
                continue
            bent = 0.0
            for axis in range(2):
                middle = right = down = 0.0
                for i in range(SIDE):
                    for j in range(SIDE):
                        value = at_cm[y * SIDE + i, x * SIDE + j, axis]
                        middle += value / (SIDE * SIDE)
                        right += value * (j - half) / norm
                        down += value * (i - half) / norm
                for i in range(SIDE):
                    for j in range(SIDE):
                        plane = middle + right * (j - half) + down * (i - half)
                        bent = max(bent, abs(plane - at_cm[y * SIDE + i, x * SIDE + j, axis]))
                share = (middle - extents[first, axis]) / extents[first, 2 + axis]
                place[y, x, axis] = np.uint16(round(min(max(share, 0.0), 1.0) * 65535.0))
                slope[y, x, 2 * axis], slope[y, x, 2 * axis + 1] = right, down
            if bent > bent_cm:
                panel[y, x] = MIXED
                place[y, x] = 0
                slope[y, x] = 0
