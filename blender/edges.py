"""Clean silhouettes: what a denoiser makes of colour and what it leaves of coverage do not agree at an edge."""

import numpy as np
from numpy.typing import NDArray

REACH_PX = 3


_ALONG_PX, _ALONG_SHARES = (-2.0, -1.0, 1.0, 2.0), (1 / 9, 2 / 9, 2 / 9, 1 / 9)


def even_out(coverage: NDArray[np.uint8]) -> None:
    """Average the pixels of the silhouette with their neighbours along it, in place.

    Args:
        coverage: (H, W) uint8, 255 = covered.
    """
    padded = np.pad(coverage.astype(np.float32), 3, mode="edge")
    soft = _soft(_soft(padded))
    near = soft[3:-3, 3:-3]
    rows, columns = np.nonzero((near > _OUTSIDE) & (near < 255.0 - _OUTSIDE))
    down = soft[rows + 4, columns + 3] - soft[rows + 2, columns + 3]
    right = soft[rows + 3, columns + 4] - soft[rows + 3, columns + 2]
    steep = np.hypot(down, right)
    clear = steep > _CLEAR_EDGE
    rows, columns = rows[clear], columns[clear]
    down, right = (down[clear] / steep[clear]).astype(np.float32), (right[clear] / steep[clear]).astype(np.float32)
    total: NDArray[np.floating] = padded[rows + 3, columns + 3] / 3
    for step, share in zip(_ALONG_PX, _ALONG_SHARES, strict=True):
        total = total + share * _between(padded, rows + 3 - step * right, columns + 3 + step * down)
    coverage[rows, columns] = np.clip(np.round(total), 0, 255)


_OUTSIDE, _CLEAR_EDGE = 4.0, 24.0
"""Soft coverage that is no silhouette yet, and the rise over two pixels below which no direction is an edge's."""


def _soft(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture through a 3 by 3 binomial filter, its border kept."""
    for axis in (0, 1):
        ahead, behind = np.roll(picture, -1, axis), np.roll(picture, 1, axis)
        picture = ((ahead + 2 * picture + behind) / 4).astype(np.float32)
    return picture


def _between(picture: NDArray[np.float32], y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the picture at places between its pixels, bilinear."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    v, u = y - top, x - left
    upper = picture[top, left] * (1 - u) + picture[top, left + 1] * u
    lower = picture[top + 1, left] * (1 - u) + picture[top + 1, left + 1] * u
    mixed: NDArray[np.floating] = upper * (1 - v) + lower * v
    return mixed


def clean_edges(pixels: NDArray[np.uint8]) -> None:
    """Give the outermost pixels of a cut-out the colour of the cloth just inside, in place.

    The denoiser sharpens colour across the silhouette while coverage stays as it was sampled, so the ratio of the two
    shows as a dark or bright line round the garment; nothing too thin to have an inside is touched. Coverage that a few
    samples counted is noise from pixel to pixel, which shows as a row of dots: it is made even along the edge, never
    across it. Pixels that are not covered at all become zero.

    Args:
        pixels: (H, W, 4) uint8 sRGB with straight alpha.
    """
    height, width = pixels.shape[:2]
    covered = np.zeros((height + 2, width + 2), dtype=bool)
    covered[1:-1, 1:-1] = pixels[..., 3] >= 254
    # The picture's own border is no silhouette.
    covered[0], covered[-1], covered[:, 0], covered[:, -1] = covered[1], covered[-2], covered[:, 1], covered[:, -2]
    core = np.ones((height, width), dtype=bool)
    for down in range(3):
        for right in range(3):
            core &= covered[down : down + height, right : right + width]
    even_out(pixels[..., 3])
    pixels[pixels[..., 3] == 0] = 0
    rows, columns = np.nonzero((pixels[..., 3] > 0) & ~core)
    total, weight = np.zeros((len(rows), 3)), np.zeros((len(rows), 1))
    for down in range(-REACH_PX, REACH_PX + 1):
        for right in range(-REACH_PX, REACH_PX + 1):
            there = np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)
            share = (core[there] * np.exp(-(down * down + right * right) / 2.0))[:, None]
            total += share * pixels[there][:, :3]
            weight += share
    found = weight[:, 0] > 0
    pixels[rows[found], columns[found], :3] = np.round(total[found] / weight[found])
