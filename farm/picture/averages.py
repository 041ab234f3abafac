"""Averages: the mean of a picture over squares of cloth, wherever they lie and however fine the picture is.

Two pictures of one cloth, of different resolution, agree in these where they do not agree texel by texel: both are
looked at through the same opening. By summed-area tables, Crow 1984.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.picture.light import LINEAR_OF_BYTE

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Squares:
    """Squares over a picture, in its own texels from its left top corner: middles ``(N,)`` and sides."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    wide: float
    high: float


def averages(planes: Iterable[Float], squares: Squares) -> Float:
    """The mean of each plane ``(H, W)`` over each square, ``(N, planes)``; outside of a picture there is nothing."""
    return np.stack([_means(plane, squares) for plane in planes], axis=1)


def ink_planes(pixels: NDArray[np.uint8]) -> Iterator[Float]:
    """Linear light, premultiplied, and alpha, one after the other: in floats a whole texture is 256 MB.

    Args:
        pixels: ``(H, W, 4)``, sRGB, straight alpha.
    """
    alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    for channel in range(3):
        yield LINEAR_OF_BYTE[pixels[..., channel]] * alpha
    yield alpha


def light_planes(pixels: NDArray[np.uint8]) -> Iterator[Float]:
    """Linear light of ``(H, W, 3)``, sRGB, one channel after the other."""
    for channel in range(3):
        yield LINEAR_OF_BYTE[pixels[..., channel]]


def _means(plane: Float, squares: Squares) -> Float:
    sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    np.cumsum(plane, axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    left, right = squares.x - squares.wide / 2, squares.x + squares.wide / 2
    top, bottom = squares.y - squares.high / 2, squares.y + squares.high / 2
    inside = _at(sums, right, bottom) - _at(sums, left, bottom) - _at(sums, right, top) + _at(sums, left, top)
    return np.asarray(inside / (squares.wide * squares.high), np.float32)


def _at(sums: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over everything left of and above a point; between texels' corners bilinear, which is exact."""
    x, y = np.clip(x, 0, sums.shape[1] - 1), np.clip(y, 0, sums.shape[0] - 1)
    column = np.minimum(x.astype(np.intp), sums.shape[1] - 2)
    row = np.minimum(y.astype(np.intp), sums.shape[0] - 2)
    u, v = x - column, y - row
    upper = sums[row, column] * (1 - u) + sums[row, column + 1] * u
    lower = sums[row + 1, column] * (1 - u) + sums[row + 1, column + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)
