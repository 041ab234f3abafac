"""Resampling kernels in linear, premultiplied light, compiled; strips of rows, so that memory stays small.

Every kernel releases the GIL and works on one strip, so a plain thread pool spreads them over cores (numba's own
threads would abort the process when two callers compose at once); two to eight times faster than resizing Pillow's
float bands. No fast-math: equal inputs give equal bytes.

Down-sampling uses a Hamming-windowed sinc of support 1: sharper than a triangle, and nowhere negative, so white
lettering on black gets no dark halo, which Lanczos shows in linear light. Up-sampling uses Catmull-Rom, clamped.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.picture.kernel import kernel

Float = NDArray[np.float32]

NORMAL, MULTIPLY, SCREEN, OVERLAY = range(4)


@dataclass(frozen=True, slots=True)
class Taps:
    """One axis of a separable filter: output ``i`` is the sum of ``weights[i, t] * source[start[i] + t]``.

    Attributes:
        start: ``(n,) int64``, ``weights``: ``(n, taps) float32``, each row's sum is 1.
        coverage: ``(n,) float32``, the part of the output texel that the design covers.
    """

    start: NDArray[np.int64]
    weights: Float
    coverage: Float


def taps(count: int, offset: float, scale: float, first: float, last: float, size: int) -> Taps:
    """Filter taps of one axis.

    Args:
        count: output texels.
        offset: source position of the left edge of output texel 0.
        scale: source pixels per output texel.
        first, last: the part of the source that is printed; samples beyond its pixels repeat the outermost.
        size: source pixels.
    """
    left = offset + scale * np.arange(count)
    centre = left + scale / 2
    coverage = np.clip((np.minimum(left + scale, last) - np.maximum(left, first)) / scale, 0.0, 1.0)
    # A rounding error of the placement must not make the rim of an exact fit translucent.
    coverage[coverage > 1 - 1e-6] = 1.0
    coverage[coverage < 1e-6] = 0.0
    if abs(scale - 1) < 1e-9 and abs(offset - round(offset)) < 1e-6:
        start = np.rint(left).astype(np.int64)
        weights = np.ones((count, 1))
    else:
        width = max(scale, 1.0) if scale > 1 else 2.0
        reach = int(np.ceil(2 * width)) + 1
        start = np.floor(centre - width + 0.5).astype(np.int64)
        distance = (start[:, None] + np.arange(reach)[None, :] + 0.5) - centre[:, None]
        weights = _hamming(distance / scale) if scale > 1 else _catmull_rom(distance)
        weights /= weights.sum(axis=1, keepdims=True)
    low, high = max(0, int(np.floor(first + 1e-6))), min(size, int(np.ceil(last - 1e-6))) - 1
    high = max(low, high)
    return Taps(*_fold(start, weights, low, high), coverage.astype(np.float32))


def _hamming(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 1, np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 0.0)


def _catmull_rom(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _fold(
    start: NDArray[np.int64], weights: NDArray[np.float64], low: int, high: int
) -> tuple[NDArray[np.int64], Float]:
    """Move the weight of samples outside ``low..high`` onto the outermost sample inside."""
    width = min(weights.shape[1], high - low + 1)
    moved = np.clip(start, low, high - width + 1)
    folded = np.zeros((len(start), width))
    for tap in range(weights.shape[1]):
        target = np.clip(start + tap, low, high) - moved
        np.add.at(folded, (np.arange(len(start)), target), weights[:, tap])
    return moved, folded.astype(np.float32)


@kernel
def filter_strip(
    source: Any, linear: Any, x_start: Any, x_weights: Any, y_start: Any, y_weights: Any, out: Any
) -> None:
    """``source (h, w, 4) uint8`` sRGB straight → ``out (rows, columns, 4) float32`` linear premultiplied."""
    rows, columns = out.shape[0], out.shape[1]
    x_taps, y_taps = x_weights.shape[1], y_weights.shape[1]
    if rows == 0 or columns == 0:
        return
    first = y_start[0]
    last = y_start[rows - 1] + y_taps
    left = x_start[0]
    right = x_start[columns - 1] + x_taps
    line = np.empty((right - left, 4), np.float32)
    across = np.empty((last - first, columns * 4), np.float32)
    for y in range(first, last):
        for x in range(left, right):
            alpha = source[y, x, 3] * np.float32(1 / 255)
            line[x - left, 0] = linear[source[y, x, 0]] * alpha
            line[x - left, 1] = linear[source[y, x, 1]] * alpha
            line[x - left, 2] = linear[source[y, x, 2]] * alpha
            line[x - left, 3] = alpha
        for column in range(columns):
            red = green = blue = cover = np.float32(0)
            at = x_start[column] - left
            for tap in range(x_taps):
                weight = x_weights[column, tap]
                red += weight * line[at + tap, 0]
                green += weight * line[at + tap, 1]
                blue += weight * line[at + tap, 2]
                cover += weight * line[at + tap, 3]
            across[y - first, column * 4] = red
            across[y - first, column * 4 + 1] = green
            across[y - first, column * 4 + 2] = blue
            across[y - first, column * 4 + 3] = cover
    total = np.empty(columns * 4, np.float32)
    for row in range(rows):
        total[:] = 0
        at = y_start[row] - first
        for tap in range(y_taps):
            weight = y_weights[row, tap]
            for i in range(columns * 4):
                total[i] += weight * across[at + tap, i]
        for column in range(columns):
            cover = min(max(total[column * 4 + 3], np.float32(0)), np.float32(1))
            out[row, column, 3] = cover
            for channel in range(3):
                out[row, column, channel] = min(max(total[column * 4 + channel], np.float32(0)), cover)


@kernel
def rotate_strip(flat: Any, matrix: Any, first_row: int, out: Any) -> None:
    """Sample ``flat (h, w, 4)`` linear premultiplied, Catmull-Rom, at ``matrix @ (column + .5, row + .5, 1)``.

    Texels on the rim are weighted by how much of them the rectangle covers (exact for upright edges, within a few
    hundredths for slanted ones).
    """
    height, width = flat.shape[0], flat.shape[1]
    weights_x = np.empty(4, np.float32)
    weights_y = np.empty(4, np.float32)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x = matrix[0, 0] * (column + 0.5) + matrix[0, 1] * (first_row + row + 0.5) + matrix[0, 2]
            y = matrix[1, 0] * (column + 0.5) + matrix[1, 1] * (first_row + row + 0.5) + matrix[1, 2]
            cover = min(max(min(x, width - x) + 0.5, 0.0), 1.0) * min(max(min(y, height - y) + 0.5, 0.0), 1.0)
            if cover == 0.0:
                out[row, column, :] = 0
                continue
            left, top = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
            _cubic(np.float32(x - 0.5 - left), weights_x)
            _cubic(np.float32(y - 0.5 - top), weights_y)
            red = green = blue = alpha = np.float32(0)
            for j in range(4):
                v = min(max(top - 1 + j, 0), height - 1)
                for i in range(4):
                    u = min(max(left - 1 + i, 0), width - 1)
                    weight = weights_x[i] * weights_y[j]
                    red += weight * flat[v, u, 0]
                    green += weight * flat[v, u, 1]
                    blue += weight * flat[v, u, 2]
                    alpha += weight * flat[v, u, 3]
            part = np.float32(cover)
            alpha = min(max(alpha, np.float32(0)), np.float32(1))
            out[row, column, 0] = min(max(red, np.float32(0)), alpha) * part
            out[row, column, 1] = min(max(green, np.float32(0)), alpha) * part
            out[row, column, 2] = min(max(blue, np.float32(0)), alpha) * part
            out[row, column, 3] = alpha * part


@kernel
def _cubic(t: Any, weights: Any) -> None:
    weights[0] = ((np.float32(-0.5) * t + np.float32(1)) * t - np.float32(0.5)) * t
    weights[1] = (np.float32(1.5) * t - np.float32(2.5)) * t * t + np.float32(1)
    weights[2] = ((np.float32(-1.5) * t + np.float32(2)) * t + np.float32(0.5)) * t
    weights[3] = (np.float32(0.5) * t - np.float32(0.5)) * t * t


@kernel
def blend_strip(
    below: Any, layer: Any, left: int, x_coverage: Any, y_coverage: Any, opacity: float, mode: int, fabric: Any
) -> None:
    """Lay ``layer`` over ``below[:, left:]``, both linear premultiplied; the opaque backdrop is the fabric.

    With R the albedo so far (print over fabric), S the layer's colour, a its alpha and B the blend formula, the W3C's
    "Compositing and Blending" gives R' = (1 - a) R + a B(R, S). Kept as premultiplied print P and alpha A that is
    P' = (1 - a) P + a B, A' = A + a (1 - A): then lerp(fabric, P/A, A) is R', whatever the fabric.
    """
    one = np.float32(1)
    for row in range(layer.shape[0]):
        for column in range(layer.shape[1]):
            alpha = layer[row, column, 3]
            factor = np.float32(opacity) * x_coverage[column] * y_coverage[row]
            a = alpha * factor
            if a <= 0:
                continue
            rest = one - a
            cover = below[row, left + column, 3]
            for channel in range(3):
                colour = layer[row, column, channel]
                under = below[row, left + column, channel]
                if mode == 0:
                    added = colour * factor
                else:
                    s = colour / alpha
                    r = under + (one - cover) * fabric[channel]
                    if mode == 1:
                        b = r * s
                    elif mode == 2:
                        b = r + s - r * s
                    elif r <= np.float32(0.5):
                        b = np.float32(2) * r * s
                    else:
                        b = one - np.float32(2) * (one - r) * (one - s)
                    added = a * b
                below[row, left + column, channel] = rest * under + added
            below[row, left + column, 3] = cover + a * (one - cover)


@kernel
def encode_strip(strip: Any, byte_of_linear: Any, out: Any) -> None:
    """Linear premultiplied ``float32`` → sRGB straight ``uint8``."""
    for row in range(strip.shape[0]):
        for column in range(strip.shape[1]):
            alpha = strip[row, column, 3]
            byte = np.uint8(min(alpha, np.float32(1)) * np.float32(255) + np.float32(0.5))
            out[row, column, 3] = byte
            if byte == 0:
                out[row, column, 0] = out[row, column, 1] = out[row, column, 2] = 0
                continue
            scale = np.float32(65_535) / alpha
            for channel in range(3):
                step = min(strip[row, column, channel] * scale + np.float32(0.5), np.float32(65_535))
                out[row, column, channel] = byte_of_linear[int(step)]


@kernel
def bleed(texture: Any, first: int, last: int) -> None:
    """Give transparent texels that touch the print its colour (alpha stays 0).

    A renderer that interpolates straight colours would otherwise mix black into the print's rim. Reads only texels
    with alpha and writes only those without, so strips may run side by side.
    """
    height, width = texture.shape[0], texture.shape[1]
    for row in range(first, last):
        for column in range(width):
            if texture[row, column, 3] != 0:
                continue
            red = green = blue = count = 0
            for y in range(max(row - 1, 0), min(row + 2, height)):
                for x in range(max(column - 1, 0), min(column + 2, width)):
                    alpha = int(texture[y, x, 3])
                    if alpha:
                        red += alpha * int(texture[y, x, 0])
                        green += alpha * int(texture[y, x, 1])
                        blue += alpha * int(texture[y, x, 2])
                        count += alpha
            if count:
                texture[row, column, 0] = (red + count // 2) // count
                texture[row, column, 1] = (green + count // 2) // count
                texture[row, column, 2] = (blue + count // 2) // count
