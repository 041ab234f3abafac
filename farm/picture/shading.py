"""The loops of relighting, compiled: print to pixel, and light onto it.

Every kernel works on a strip of rows and releases the GIL, so that a plain thread pool spreads them over cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from farm.picture.kernel import kernel

Float = NDArray[np.float32]

SIDE = 4
"""Sub-samples along a side of a baked pixel."""
TEXELS_OF_A_PART = 1.25
"""What one interpolated point may stand for."""
MOST_PARTS = 6
"""Beyond it, along a side of a sub-sample, cloth is seen so flat that it is a pixel or two wide."""
UNPRINTED, MIXED, EMPTY = 253, 254, 255
"""Panels of baked pixels: cloth seen from its back, several at once, none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Where a bake's sub-samples lie on the panels, see `blender.bake.bake_view`.

    Attributes:
        density: points used along each side of a baked pixel: 4, 2 or 1; each stands for the sub-samples round it.
        first_mixed: ``(H,) int64``, the number of mixed pixels above each row.
    """

    panel: NDArray[np.uint8]
    place: NDArray[np.uint16]
    slope: Float
    mixed_panel: NDArray[np.uint8]
    mixed_place: NDArray[np.uint16]
    first_mixed: NDArray[np.int64]
    extents: NDArray[np.float64]
    density: int

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What it holds."""
        return (self.panel, self.place, self.slope, self.mixed_panel, self.mixed_place, self.first_mixed)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], *, density: int) -> Self:
        """From a bake's arrays."""
        mixed = (arrays["panel"] == MIXED).sum(axis=1)
        return cls(
            panel=arrays["panel"],
            place=arrays["place"],
            slope=np.asarray(arrays["slope"], np.float32),
            mixed_panel=arrays["mixed_panel"],
            mixed_place=arrays["mixed_place"],
            first_mixed=np.concatenate([[0], np.cumsum(mixed)[:-1]]).astype(np.int64),
            extents=arrays["extents"],
            density=density,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """Pictures on panels, one behind the other in one flat array.

    Attributes:
        texels: ``(N, 4) float32``, linear, premultiplied.
        shape: ``(panels, 3) int64``: where a panel's picture begins, its height and width; width 0: none.
        frame: ``(panels, 4) float32``: texel = panel cm × scale + offset, as scale x, offset x, scale y, offset y,
            counted from the middle of texel 0.
    """

    texels: Float
    shape: NDArray[np.int64]
    frame: Float


def cover(
    points: Points, down_start: NDArray[np.int64], down: Float, across_start: NDArray[np.int64], across: Float
) -> Float:
    """How much of the pixel filter falls on cloth: ``(h, w) float32``."""
    density, step = points.density, SIDE // points.density
    seen = np.repeat(np.repeat((points.panel != EMPTY).astype(np.float32), density, axis=0), density, axis=1)
    rows, columns = np.nonzero(points.panel == MIXED)
    parts = (points.mixed_panel != EMPTY).reshape(-1, density, step, density, step).mean(axis=(2, 4))
    for down_part in range(density):
        for across_part in range(density):
            seen[rows * density + down_part, columns * density + across_part] = parts[:, down_part, across_part]
    return filtered(seen, down_start, down, across_start, across)


def filtered(
    plane: Float, down_start: NDArray[np.int64], down: Float, across_start: NDArray[np.int64], across: Float
) -> Float:
    """A plane through a filter of each axis: ``(len(down), len(across)) float32``."""
    result = np.zeros((len(down_start), len(across_start)), np.float32)
    _filter(np.ascontiguousarray(plane), down_start, down, across_start, across, result)
    return result


@kernel
def _filter(
    plane: Float,
    down_start: NDArray[np.int64],
    down: Float,
    across_start: NDArray[np.int64],
    across: Float,
    result: Float,
) -> None:
    """Add what falls on each pixel of ``result`` (h, w) to it: across first, then down."""
    narrow = np.zeros((plane.shape[0], result.shape[1]), np.float32)
    for y in range(plane.shape[0]):
        for x in range(result.shape[1]):
            for tap in range(across.shape[1]):
                narrow[y, x] += plane[y, across_start[x] + tap] * across[x, tap]
    for y in range(result.shape[0]):
        for tap in range(down.shape[1]):
            row, weight = narrow[down_start[y] + tap], down[y, tap]
            for x in range(result.shape[1]):
                result[y, x] += row[x] * weight


@kernel
def _sample(texels: Float, begin: int, height: int, width: int, u: float, v: float, out: Float, to: int) -> bool:
    """Interpolate linearly at ``u, v``, counted from the middle of texel 0, into row ``to`` of ``out``.

    Returns:
        Whether the point touches the picture; outside, nothing is written.
    """
    if u <= -1 or v <= -1 or u >= width or v >= height:
        return False
    left, top = int(np.floor(u)), int(np.floor(v))
    one = np.float32(1)
    fu, fv = np.float32(u - left), np.float32(v - top)
    if left >= 0 and top >= 0 and left + 1 < width and top + 1 < height:
        at = begin + top * width + left
        below = at + width
        w0, w1, w2, w3 = (one - fu) * (one - fv), fu * (one - fv), (one - fu) * fv, fu * fv
        for c in range(4):
            out[to, c] = w0 * texels[at, c] + w1 * texels[at + 1, c] + w2 * texels[below, c] + w3 * texels[below + 1, c]
        return True
    for c in range(4):
        out[to, c] = np.float32(0)
    for row in range(2):
        y = top + row
        if y < 0 or y >= height:
            continue
        for column in range(2):
            x = left + column
            if x < 0 or x >= width:
                continue
            w = (fv if row else one - fv) * (fu if column else one - fu)
            at = begin + y * width + x
            for c in range(4):
                out[to, c] += w * texels[at, c]
    return True


@kernel
def _parts(u: float, v: float) -> int:
    """Into how many a sub-sample is cut along a side that spans so many texels."""
    length = np.sqrt(u * u + v * v)
    return max(1, min(MOST_PARTS, int(np.ceil(length / TEXELS_OF_A_PART))))


@kernel
def _lay(
    light: Float,
    alpha: NDArray[np.uint8],
    inks: Float,
    arounds: Float,
    fabric: Float,
    code: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
) -> None:
    """Lay print and light onto a row of one fabric: ``pixels (w, 4)``."""
    channels, one = light.shape[2], np.float32(1)
    for x in range(len(alpha)):
        pixels[x, 3] = alpha[x]
        if alpha[x] == 0:
            pixels[x, 0] = pixels[x, 1] = pixels[x, 2] = 0
            continue
        for c in range(3):
            k = c if channels == 3 else 0
            albedo = fabric[c] * (one - inks[x, 3]) + inks[x, c]
            near = fabric[c] * (one - arounds[x, 3]) + arounds[x, c]
            value = light[x, 0, k] + albedo * (light[x, 1, k] + near * light[x, 2, k])
            value = min(max(value, np.float32(0)), one)
            pixels[x, c] = code[int(value * np.float32(65535) + np.float32(0.5))]


@kernel
def shade(
    first: int,
    last: int,
    panel: NDArray[np.uint8],
    place: NDArray[np.uint16],
    slope: Float,
    mixed_panel: NDArray[np.uint8],
    mixed_place: NDArray[np.uint16],
    first_mixed: NDArray[np.int64],
    extents: NDArray[np.float64],
    density: int,
    down_start: NDArray[np.int64],
    down: Float,
    across_start: NDArray[np.int64],
    across: Float,
    per_cover: Float,
    block_row: NDArray[np.int64],
    block_column: NDArray[np.int64],
    texels: Float,
    shape: NDArray[np.int64],
    frame: Float,
    wide_texels: Float,
    wide_shape: NDArray[np.int64],
    wide_frame: Float,
    light: Float,
    alpha: NDArray[np.uint8],
    fabrics: Float,
    code: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
) -> None:
    """Shade rows ``first`` to ``last`` of a picture's window into ``pixels`` (n, h, w, 4), sRGB, straight alpha.

    Of each of ``fabrics`` (n, 3), linear, a picture: what is gathered of print and light serves them all, row by row.
    The print is gathered at the sub-samples and filtered to the pixels, across and then down; A is that over the
    fabric, Ā the wide print over the fabric, and the light is ``S + A·D + A·Ā·M``.
    """
    columns, width = panel.shape[1], pixels.shape[2]
    taps_down, taps_across = down.shape[1], across.shape[1]
    top = down_start[first]
    bottom = down_start[last - 1] + taps_down
    narrow = np.zeros((bottom - top, width, 4), np.float32)
    line = np.zeros((columns * density, 4), np.float32)
    one = np.float32(1)
    one_part = np.zeros((1, 4), np.float32)
    shown = np.zeros(bottom - top, np.bool_)
    from_x, to_x = np.full(bottom - top, width, np.int64), np.zeros(bottom - top, np.int64)
    step = SIDE // density
    for row in range(top, bottom):
        y, i = row // density, row % density
        away_row = (i + 0.5) * step - SIDE / 2
        mixed = first_mixed[y]
        low, high = columns * density, -1
        for x in range(columns):
            which = panel[y, x]
            if which == MIXED:
                for j in range(density):
                    at = x * density + j
                    share = np.float32(1) / np.float32(step * step)
                    for fine in range(step * step):
                        part = (i * step + fine // step) * SIDE + j * step + fine % step
                        p = mixed_panel[mixed, part]
                        if p >= UNPRINTED or shape[p, 2] == 0:
                            continue
                        x_cm = extents[p, 0] + mixed_place[mixed, part, 0] * extents[p, 2] / 65535
                        y_cm = extents[p, 1] + mixed_place[mixed, part, 1] * extents[p, 3] / 65535
                        if _sample(
                            texels, shape[p, 0], shape[p, 1], shape[p, 2],
                            x_cm * frame[p, 0] + frame[p, 1], y_cm * frame[p, 2] + frame[p, 3], one_part, 0,
                        ):  # fmt: skip
                            for c in range(4):
                                line[at, c] += share * one_part[0, c]
                            low, high = min(low, at), at
                mixed += 1
            elif which < UNPRINTED and shape[which, 2] > 0:
                x_cm = extents[which, 0] + place[y, x, 0] * extents[which, 2] / 65535 + away_row * slope[y, x, 1]
                y_cm = extents[which, 1] + place[y, x, 1] * extents[which, 3] / 65535 + away_row * slope[y, x, 3]
                u, v = x_cm * frame[which, 0] + frame[which, 1], y_cm * frame[which, 2] + frame[which, 3]
                along_u, along_v = slope[y, x, 0] * frame[which, 0], slope[y, x, 2] * frame[which, 2]
                down_u, down_v = slope[y, x, 1] * frame[which, 0], slope[y, x, 3] * frame[which, 2]
                # Most cloth of a printed panel lies beside its print.
                reach_u, reach_v = SIDE / 2 * (abs(along_u) + abs(down_u)), SIDE / 2 * (abs(along_v) + abs(down_v))
                begin, tall, wide = shape[which, 0], shape[which, 1], shape[which, 2]
                if u + reach_u <= -1 or v + reach_v <= -1 or u - reach_u >= wide or v - reach_v >= tall:
                    continue
                parts_across = _parts(along_u * step, along_v * step)
                parts_down = _parts(down_u * step, down_v * step)
                for j in range(density):
                    away = (j + 0.5) * step - SIDE / 2
                    at = x * density + j
                    if parts_across * parts_down == 1:
                        here_u, here_v = u + away * along_u, v + away * along_v
                        if here_u >= 0 and here_v >= 0 and here_u < wide - 1 and here_v < tall - 1:
                            # As `_sample` does, written out: a call costs more than all the rest.
                            left, above = int(here_u), int(here_v)
                            fu, fv = np.float32(here_u - left), np.float32(here_v - above)
                            w0, w1, w2, w3 = (one - fu) * (one - fv), fu * (one - fv), (one - fu) * fv, fu * fv
                            texel = begin + above * wide + left
                            below = texel + wide
                            for c in range(4):
                                line[at, c] = (
                                    w0 * texels[texel, c]
                                    + w1 * texels[texel + 1, c]
                                    + w2 * texels[below, c]
                                    + w3 * texels[below + 1, c]
                                )
                            low, high = min(low, at), at
                        elif _sample(texels, begin, tall, wide, here_u, here_v, line, at):
                            low, high = min(low, at), at
                        continue
                    # Cloth seen along its surface: a sub-sample covers several texels, which a point would skip.
                    share = np.float32(1) / np.float32(parts_across * parts_down)
                    for part in range(parts_across * parts_down):
                        right = away + ((part % parts_across + 0.5) / parts_across - 0.5) * step
                        lower = ((part // parts_across + 0.5) / parts_down - 0.5) * step
                        if _sample(
                            texels, shape[which, 0], shape[which, 1], shape[which, 2],
                            u + right * along_u + lower * down_u, v + right * along_v + lower * down_v, one_part, 0,
                        ):  # fmt: skip
                            for c in range(4):
                                line[at, c] += share * one_part[0, c]
                            low, high = min(low, at), at
        if high < 0:
            continue
        shown[row - top] = True
        leftmost = int(np.searchsorted(across_start, low - taps_across, side="right"))
        rightmost = int(np.searchsorted(across_start, high, side="right"))
        from_x[row - top], to_x[row - top] = leftmost, rightmost
        for x in range(leftmost, rightmost):
            begin = across_start[x]
            red = green = blue = cover = np.float32(0)
            for tap in range(taps_across):
                w = across[x, tap]
                red += w * line[begin + tap, 0]
                green += w * line[begin + tap, 1]
                blue += w * line[begin + tap, 2]
                cover += w * line[begin + tap, 3]
            narrow[row - top, x, 0], narrow[row - top, x, 1] = red, green
            narrow[row - top, x, 2], narrow[row - top, x, 3] = blue, cover
        line[low : high + 1] = 0
    inks, arounds = np.zeros((width, 4), np.float32), np.zeros((width, 4), np.float32)
    for y in range(first, last):
        begin = down_start[y] - top
        leftmost, rightmost = width, 0
        for tap in range(taps_down):
            leftmost, rightmost = min(leftmost, from_x[begin + tap]), max(rightmost, to_x[begin + tap])
        for x in range(width):
            if alpha[y, x] == 0:
                continue
            ink = inks[x]
            ink[:] = 0
            if leftmost <= x < rightmost:
                for tap in range(taps_down):
                    if shown[begin + tap]:
                        w = down[y, tap]
                        for c in range(4):
                            ink[c] += w * narrow[begin + tap, x, c]
                for c in range(4):
                    ink[c] *= per_cover[y, x]
                ink[3] = min(ink[3], one)
            arounds[x] = 0
            by, bx = block_row[y], block_column[x]
            which = panel[by, bx]
            if which < UNPRINTED and wide_shape[which, 2] > 0:
                x_cm = extents[which, 0] + place[by, bx, 0] * extents[which, 2] / 65535
                y_cm = extents[which, 1] + place[by, bx, 1] * extents[which, 3] / 65535
                _sample(
                    wide_texels, wide_shape[which, 0], wide_shape[which, 1], wide_shape[which, 2],
                    x_cm * wide_frame[which, 0] + wide_frame[which, 1],
                    y_cm * wide_frame[which, 2] + wide_frame[which, 3], arounds, x,
                )  # fmt: skip
        for n in range(len(fabrics)):
            _lay(light[y], alpha[y], inks, arounds, fabrics[n], code, pixels[n, y])
