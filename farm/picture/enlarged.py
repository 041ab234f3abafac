"""A baked view made larger than it was baked: places anew at the size that is wanted, light between its pixels.

Places are geometry, exact at any size, and so is the outline that follows from them. Light is smooth but at
silhouettes, where one cloth lies before another: a pixel takes the light of those pixels about it that show the same
piece of cloth (joint upsampling, Kopf et al., ACM TOG 26(3), 2007), and where several pieces meet, each of its
sub-samples does. What is finer than a pixel of the bake, such as a stitch, is as soft as it was there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.picture import shading
from farm.picture.kernel import kernel
from farm.picture.shading import EMPTY, MIXED, SIDE, UNPRINTED
from farm.picture.transport import FILTER_PX, Window, blackman_harris, filter_taps

Float = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

LIGHT = ("specular", "diffuse", "mutual")
APART_PX = 4.0
"""How far apart two pixels of the bake may lie on their panel, for each pixel between them, and still be one piece."""
RIM_PX = int(FILTER_PX)
"""Beyond a bake's window, in the larger picture: where its outline may reach."""


def window_at(window: Window, scale: float, size_px: int) -> Window:
    """A bake's window in a picture so many times as large, square, of side ``size_px``."""
    left, top, right, bottom = window
    return (
        max(0, int(np.floor(left * scale)) - RIM_PX),
        max(0, int(np.floor(top * scale)) - RIM_PX),
        min(size_px, int(np.ceil(right * scale)) + RIM_PX),
        min(size_px, int(np.ceil(bottom * scale)) + RIM_PX),
    )


def enlarged(baked: Arrays, facts: Mapping[str, Any], places: Arrays, size_px: int) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and facts of a view as if it had been baked larger.

    Args:
        baked: light and places of the bake.
        facts: its facts.
        places: those of `window_at`, at ``size_px``.
    """
    scale = size_px / int(facts["size_px"])
    left, top, right, bottom = (int(edge) for edge in facts["window"])
    window = window_at((left, top, right, bottom), scale, size_px)
    points = shading.Points.of(places, density=SIDE)
    height, width = points.panel.shape
    down, across = filter_taps(height, SIDE), filter_taps(width, SIDE)
    cover = shading.cover(points, down.start, down.weights, across.start, across.weights)
    planes = [np.asarray(baked[name], np.float32).reshape(*baked[name].shape[:2], -1) for name in LIGHT]
    light = np.ascontiguousarray(np.concatenate(planes, axis=2))
    pitch_cm = pitch(baked)
    own = shading.Points.of(baked, density=SIDE)
    pieces = _pieces(own.panel, own.place, own.mixed_panel, own.mixed_place, own.extents, APART_PX * pitch_cm)
    away = np.arange(-SIDE, 2 * SIDE) + 0.5 - SIDE / 2
    larger = _between(
        light, baked["alpha"], *pieces, points.panel, points.place, points.slope, points.mixed_panel,
        points.mixed_place, points.first_mixed, cover, points.extents, APART_PX * pitch_cm, scale,
        window[0], window[1], left, top, blackman_harris(away / SIDE, FILTER_PX).astype(np.float32),
    )  # fmt: skip
    channels = planes[0].shape[2]
    made: dict[str, NDArray[Any]] = dict(places)
    for number, name in enumerate(LIGHT):
        part = larger[..., number * channels : (number + 1) * channels]
        made[name] = np.ascontiguousarray(part[..., 0] if channels == 1 else part)
    made["alpha"] = np.round(np.clip(cover, 0, 1) * 255).astype(np.uint8)
    told = {**facts, "size_px": size_px, "window": list(window)}
    told["texels_per_cm"] = float(facts["texels_per_cm"]) * scale
    return made, told


def pitch(baked: Arrays) -> float:
    """How far two neighbouring pixels of a bake lie apart on cloth that faces the camera, cm."""
    slope = np.abs(np.asarray(baked["slope"], np.float32)[baked["panel"] < UNPRINTED])
    return SIDE * float(np.percentile(slope.max(axis=1), 10)) if len(slope) else 1.0


@kernel
def _pieces(
    panel: NDArray[np.uint8],
    place: NDArray[np.uint16],
    mixed_panel: NDArray[np.uint8],
    mixed_place: NDArray[np.uint16],
    extents: NDArray[np.float64],
    apart_cm: float,
) -> tuple[NDArray[np.uint8], Float, Float]:
    """Say which piece of cloth each pixel of the bake shows most.

    Returns:
        Its panel (H, W), the middle of what is seen of it (H, W, 2) in cm, and its share of the pixel (H, W).
    """
    rows, columns = panel.shape
    main = panel.copy()
    at_cm = np.zeros((rows, columns, 2), np.float32)
    share = np.ones((rows, columns), np.float32)
    mixed = 0
    for y in range(rows):
        for x in range(columns):
            p = panel[y, x]
            if p < UNPRINTED:
                at_cm[y, x, 0] = place[y, x, 0] / 65535 * extents[p, 2]
                at_cm[y, x, 1] = place[y, x, 1] / 65535 * extents[p, 3]
            elif p == EMPTY:
                share[y, x] = 0
            elif p == MIXED:
                most, best = 0, EMPTY
                for k in range(SIDE * SIDE):
                    count = 0
                    for other in range(SIDE * SIDE):
                        if mixed_panel[mixed, other] == mixed_panel[mixed, k]:
                            count += 1
                    if mixed_panel[mixed, k] != EMPTY and count > most:
                        most, best = count, mixed_panel[mixed, k]
                main[y, x] = best
                share[y, x] = most / (SIDE * SIDE)
                if best < UNPRINTED:
                    # Of a fold, two piles of one panel, the one is taken that its first sub-sample lies on.
                    first, near = -1, 0
                    for k in range(SIDE * SIDE):
                        if mixed_panel[mixed, k] != best:
                            continue
                        x_cm = mixed_place[mixed, k, 0] / 65535 * extents[best, 2]
                        y_cm = mixed_place[mixed, k, 1] / 65535 * extents[best, 3]
                        if first < 0:
                            first, at_cm[y, x, 0], at_cm[y, x, 1] = k, x_cm, y_cm
                        if max(abs(x_cm - at_cm[y, x, 0]), abs(y_cm - at_cm[y, x, 1])) <= apart_cm:
                            near += 1
                    share[y, x] = near / (SIDE * SIDE)
                mixed += 1
    return main, at_cm, share


@kernel
def _cubic(distance: float) -> float:
    """Catmull and Rom's spline."""
    x = abs(distance)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1.0
    return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 if x < 2 else 0.0


@kernel
def _gather(
    light: Float,
    alpha: NDArray[np.uint8],
    main: NDArray[np.uint8],
    at_cm: Float,
    share: Float,
    v: float,
    u: float,
    mine: int,
    x_cm: float,
    y_cm: float,
    reach_cm: float,
    like: Float,
    out: Float,
) -> None:
    """The light at row ``v`` and column ``u`` of the bake, of one piece of cloth, into ``out`` (C,).

    Args:
        like: (4, 4), overwritten: how much of each pixel about it is of that piece.
    """
    rows, columns, channels = light.shape
    top, left = int(np.floor(v)) - 1, int(np.floor(u)) - 1
    for i in range(4):
        for j in range(4):
            row, column = min(max(top + i, 0), rows - 1), min(max(left + j, 0), columns - 1)
            same = main[row, column] == mine and alpha[row, column] > 0
            if same and mine < UNPRINTED:
                # As many times farther as they are pixels apart.
                far = max(abs(at_cm[row, column, 0] - x_cm), abs(at_cm[row, column, 1] - y_cm))
                same = far <= reach_cm * (1 + max(abs(row - v), abs(column - u)))
            like[i, j] = share[row, column] if same else np.float32(0)
    out[:] = 0
    if min(min(like[1, 1], like[1, 2]), min(like[2, 1], like[2, 2])) > 0.99:
        for i in range(4):
            for j in range(4):
                a, b = i, j
                if like[i, j] < 0.99:  # what lies behind the rim goes on as at the rim
                    a, b = min(max(i, 1), 2), min(max(j, 1), 2)
                weight = _cubic(v - (top + i)) * _cubic(u - (left + j))
                row, column = min(max(top + a, 0), rows - 1), min(max(left + b, 0), columns - 1)
                for c in range(channels):
                    out[c] += weight * light[row, column, c]
        return
    for step in range(3):  # of that piece alone; of that piece among others; where there is none of it, all cloth
        total = 0.0
        for i in range(4):
            for j in range(4):
                row, column = min(max(top + i, 0), rows - 1), min(max(left + j, 0), columns - 1)
                weight = max(0.0, 1 - abs(v - (top + i)) / 2) * max(0.0, 1 - abs(u - (left + j)) / 2)
                if step == 0:
                    weight *= 1.0 if like[i, j] > 0.99 else 0.0
                else:
                    weight *= like[i, j] ** 2 if step == 1 else alpha[row, column] / 255
                total += weight
                for c in range(channels):
                    out[c] += weight * light[row, column, c]
        if total > 1e-3:
            for c in range(channels):
                out[c] /= total
            return
        out[:] = 0


@kernel
def _between(
    light: Float,
    alpha: NDArray[np.uint8],
    main: NDArray[np.uint8],
    at_cm: Float,
    share: Float,
    panel: NDArray[np.uint8],
    place: NDArray[np.uint16],
    slope: Float,
    mixed_panel: NDArray[np.uint8],
    mixed_place: NDArray[np.uint16],
    first_mixed: NDArray[np.int64],
    cover: Float,
    extents: NDArray[np.float64],
    apart_cm: float,
    scale: float,
    own_left: int,
    own_top: int,
    left: int,
    top: int,
    taps: Float,
) -> Float:
    """The light (h, w, C) of the larger picture's pixels, wherever there is cover.

    Args:
        taps: the pixel filter at the sub-samples of a pixel and of its two neighbours.
    """
    height, width = panel.shape
    channels = light.shape[2]
    result = np.zeros((height, width, channels), np.float32)
    fine = np.zeros((max(1, len(mixed_panel)), SIDE * SIDE, channels), np.float32)
    number = np.full((height, width), -1, np.int32)
    like = np.zeros((4, 4), np.float32)
    for y in range(height):
        mixed = first_mixed[y]
        for x in range(width):
            p = panel[y, x]
            if p == MIXED:
                number[y, x] = mixed
                for k in range(SIDE * SIDE):
                    q = mixed_panel[mixed, k]
                    if q == EMPTY:
                        continue
                    v = (own_top + y + (k // SIDE + 0.5) / SIDE) / scale - 0.5 - top
                    u = (own_left + x + (k % SIDE + 0.5) / SIDE) / scale - 0.5 - left
                    x_cm = y_cm = 0.0
                    if q < UNPRINTED:
                        x_cm = mixed_place[mixed, k, 0] / 65535 * extents[q, 2]
                        y_cm = mixed_place[mixed, k, 1] / 65535 * extents[q, 3]
                    _gather(light, alpha, main, at_cm, share, v, u, q, x_cm, y_cm, apart_cm, like, fine[mixed, k])
                mixed += 1
            elif p != EMPTY:
                v = (own_top + y + 0.5) / scale - 0.5 - top
                u = (own_left + x + 0.5) / scale - 0.5 - left
                x_cm = y_cm = 0.0
                reach_cm = apart_cm
                if p < UNPRINTED:
                    x_cm = place[y, x, 0] / 65535 * extents[p, 2]
                    y_cm = place[y, x, 1] / 65535 * extents[p, 3]
                    steepest = max(abs(slope[y, x, 0]) + abs(slope[y, x, 1]), abs(slope[y, x, 2]) + abs(slope[y, x, 3]))
                    reach_cm = max(apart_cm, 2 * SIDE * scale * steepest)
                _gather(light, alpha, main, at_cm, share, v, u, p, x_cm, y_cm, reach_cm, like, result[y, x])
    # Where pieces meet, what falls into the pixel filter of each.
    smooth = result.copy()
    for y in range(height):
        for x in range(width):
            if cover[y, x] <= 0:
                continue
            rough = False
            for i in range(max(0, y - 1), min(height, y + 2)):
                for j in range(max(0, x - 1), min(width, x + 2)):
                    rough = rough or panel[i, j] == MIXED
            if not rough:
                continue
            total = np.float32(0)
            result[y, x] = 0
            for i in range(max(0, y - 1), min(height, y + 2)):
                for j in range(max(0, x - 1), min(width, x + 2)):
                    q = panel[i, j]
                    if q == EMPTY:
                        continue
                    at = number[i, j]
                    for k in range(SIDE * SIDE):
                        if q == MIXED and mixed_panel[at, k] == EMPTY:
                            continue
                        weight = taps[(i - y + 1) * SIDE + k // SIDE] * taps[(j - x + 1) * SIDE + k % SIDE]
                        total += weight
                        for c in range(channels):
                            result[y, x, c] += weight * (fine[at, k, c] if q == MIXED else smooth[i, j, c])
            if total > 0:
                for c in range(channels):
                    result[y, x, c] /= total
    return result
