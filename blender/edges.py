"""Clean silhouettes: what a denoiser makes of colour and what it leaves of coverage do not agree at an edge."""

import numpy as np
from numpy.typing import NDArray

from blender.kernel import kernel

Bytes = NDArray[np.uint8]

REACH_PX = 3
_NEARNESS = np.exp(-(np.arange(-REACH_PX, REACH_PX + 1)[:, None] ** 2 + np.arange(-REACH_PX, REACH_PX + 1) ** 2) / 2.0)
"""How much a pixel of the inside counts for one so far away."""
_ALONG_PX, _ALONG_SHARES = np.array([-2, -1, 1, 2], np.float32), np.array([1 / 9, 2 / 9, 2 / 9, 1 / 9])
_OUTSIDE, _CLEAR_EDGE = 4.0, 24.0
"""Soft coverage that is no silhouette yet, and the rise over two pixels below which no direction is an edge's."""
_INSIDE = 254


def clean_edges(pixels: Bytes) -> None:
    """Give the outermost pixels of a cut-out the colour of the cloth just inside, in place.

    The denoiser sharpens colour across the silhouette while coverage stays as it was sampled, so the ratio of the two
    shows as a dark or bright line round the garment; nothing too thin to have an inside is touched. Coverage that a few
    samples counted is noise from pixel to pixel, which shows as a row of dots: it is made even along the edge, never
    across it. Pixels that are not covered at all become zero.

    Args:
        pixels: (H, W, 4) uint8 sRGB with straight alpha.
    """
    coverage = np.pad(pixels[..., 3], 3, mode="edge")
    core = _core(coverage)
    _even_out(coverage, _soft(coverage), _ALONG_PX, _ALONG_SHARES, pixels)
    _fill_rim(core, _NEARNESS, pixels)


@kernel
def _core(coverage: Bytes) -> Bytes:
    """1 where a pixel and all that touch it are covered; the picture's own border, repeated, is no silhouette.

    Args:
        coverage: with three more pixels on every side.
    """
    height, width = coverage.shape[0] - 6, coverage.shape[1] - 6
    core = np.empty((height, width), np.uint8)
    rows = np.empty(coverage.shape[1], np.uint8)
    for y in range(height):
        for x in range(coverage.shape[1]):
            rows[x] = min(coverage[y + 2, x], coverage[y + 3, x], coverage[y + 4, x]) >= _INSIDE
        for x in range(width):
            core[y, x] = rows[x + 2] & rows[x + 3] & rows[x + 4]
    return core


@kernel
def _soft(coverage: Bytes) -> NDArray[np.int32]:
    """The coverage through a 3 by 3 binomial filter twice, times 256; with one more pixel on every side."""
    height, width = coverage.shape[0] - 4, coverage.shape[1] - 4
    soft = np.empty((height, width), np.int32)
    rows = np.empty(coverage.shape[1], np.int32)
    for y in range(height):
        for x in range(coverage.shape[1]):
            outer, inner = (
                np.int32(coverage[y, x]) + coverage[y + 4, x],
                np.int32(coverage[y + 1, x]) + coverage[y + 3, x],
            )
            rows[x] = outer + 4 * inner + 6 * np.int32(coverage[y + 2, x])
        for x in range(width):
            soft[y, x] = rows[x] + rows[x + 4] + 4 * (rows[x + 1] + rows[x + 3]) + 6 * rows[x + 2]
    return soft


@kernel
def _even_out(
    coverage: Bytes, soft: NDArray[np.int32], along: NDArray[np.float32], shares: NDArray[np.float64], pixels: Bytes
) -> None:
    """Average the coverage of the silhouette's pixels with their neighbours along it."""
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            near = soft[y + 1, x + 1]
            if near <= _OUTSIDE * 256 or near >= (255 - _OUTSIDE) * 256:
                continue
            down = np.float32((soft[y + 2, x + 1] - soft[y, x + 1]) / 256)
            right = np.float32((soft[y + 1, x + 2] - soft[y + 1, x]) / 256)
            steep = np.float32(np.sqrt(np.float64(down) ** 2 + np.float64(right) ** 2))
            if not steep > np.float32(_CLEAR_EDGE):
                continue
            down, right = down / steep, right / steep
            total = np.float64(np.float32(coverage[y + 3, x + 3]) / np.float32(3))
            for tap in range(len(along)):
                below = (y + 3) - np.float64(along[tap] * right)
                beside = (x + 3) + np.float64(along[tap] * down)
                top, left = int(np.floor(below)), int(np.floor(beside))
                v, u = below - top, beside - left
                upper = coverage[top, left] * (1 - u) + coverage[top, left + 1] * u
                lower = coverage[top + 1, left] * (1 - u) + coverage[top + 1, left + 1] * u
                total += shares[tap] * (upper * (1 - v) + lower * v)
            pixels[y, x, 3] = np.uint8(min(max(np.rint(total), 0.0), 255.0))


@kernel
def _fill_rim(core: Bytes, nearness: NDArray[np.float64], pixels: Bytes) -> None:
    """Colour what is covered and not core as the core round about, the nearest most; clear what is not covered."""
    height, width = core.shape
    for y in range(height):
        for x in range(width):
            if pixels[y, x, 3] == 0:
                pixels[y, x, 0] = pixels[y, x, 1] = pixels[y, x, 2] = 0
            if core[y, x] or pixels[y, x, 3] == 0:
                continue
            red = green = blue = weight = 0.0
            for down in range(-REACH_PX, REACH_PX + 1):
                for right in range(-REACH_PX, REACH_PX + 1):
                    row, column = min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1)
                    if core[row, column]:
                        share = nearness[down + REACH_PX, right + REACH_PX]
                        red += share * pixels[row, column, 0]
                        green += share * pixels[row, column, 1]
                        blue += share * pixels[row, column, 2]
                        weight += share
            if weight > 0:
                pixels[y, x, 0] = np.uint8(np.rint(red / weight))
                pixels[y, x, 1] = np.uint8(np.rint(green / weight))
                pixels[y, x, 2] = np.uint8(np.rint(blue / weight))
