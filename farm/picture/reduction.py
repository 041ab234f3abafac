"""Reduction: a picture at the size at which it is judged, in linear light, and what is told of all its pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.picture.kernel import kernel, read_only
from farm.picture.light import LINEAR_OF_BYTE

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is told of a picture's pixels, all of them looked at.

    Attributes:
        count: of the pixels.
        visible: how many of them are more opaque than not.
        spread: the standard deviation of the visible ones' bytes, in the channel where it is greatest.
        brightest: the greatest byte of the visible ones.
    """

    count: int
    visible: int
    spread: float
    brightest: int


def looked_at(picture: NDArray[np.uint8], side: int) -> tuple[Float, Tally]:
    """Average a square picture's areas down to ``side`` pixels, and tell of its pixels.

    Args:
        picture: ``(H, W, 4)``, sRGB, straight alpha, or ``(H, W, 3)``, opaque.

    Returns:
        ``(side, side, 4) float32``, linear, premultiplied; and the tally.
    """
    height, width = picture.shape[:2]
    reduced = np.empty((side, side, 4), np.float32)
    figures = np.zeros(8, np.int64)
    _look(read_only(picture), LINEAR_OF_BYTE, _edges(height, side), _edges(width, side), reduced, figures)
    visible = int(figures[0])
    mean, squares = figures[1:4] / max(visible, 1), figures[4:7] / max(visible, 1)
    spread = float(np.sqrt(np.maximum(squares - mean**2, 0)).max())
    return reduced, Tally(count=height * width, visible=visible, spread=spread, brightest=int(figures[7]))


def without_shadow(picture: NDArray[np.uint8], shadow: Float) -> NDArray[np.uint8]:
    """A transparent picture before its shadow was put under the garment; what is all garment stays as it is.

    Args:
        picture: ``(H, W, 4)``, sRGB, straight alpha; an opaque one, ``(H, W, 3)``, has no shadow to lift.
        shadow: ``(H, W)``, the share of the ground that it takes away.
    """
    if picture.shape[2] == 3:
        return picture
    result = np.zeros(picture.shape, np.uint8)
    _lift(read_only(picture), read_only(np.asarray(shadow, np.float32)), result)
    return result


def resized(array: NDArray[Any], side: int) -> Float:
    """Area averages of ``(H, W)`` or ``(H, W, C)``."""
    array = np.asarray(array, np.float32)
    if array.shape[:2] == (side, side):
        return array
    if array.ndim == 3:
        return np.stack([resized(np.ascontiguousarray(array[..., i]), side) for i in range(array.shape[2])], axis=-1)
    return np.asarray(Image.fromarray(array).resize((side, side), Image.Resampling.BOX))


def _edges(size: int, side: int) -> NDArray[np.int64]:
    """Where each of ``side`` parts begins; a pixel belongs to the part that its middle lies in, as in `resized`."""
    return np.floor(np.arange(side + 1) * (size / side) + 0.5).astype(np.int64)


@kernel
def _lift(picture: NDArray[np.uint8], shadow: Float, result: NDArray[np.uint8]) -> None:
    one, top = np.float32(1), np.float32(255)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            total = np.float32(picture[y, x, 3]) / top
            garment = (total - shadow[y, x]) / max(one - shadow[y, x], np.float32(1e-3))
            garment = min(max(garment, np.float32(0)), one)
            # Half a step of alpha is no garment.
            if garment * top < np.float32(1.5):
                continue
            for c in range(3):
                colour = np.rint(np.float32(picture[y, x, c]) * total / garment)
                result[y, x, c] = np.uint8(min(colour, top))
            result[y, x, 3] = np.uint8(np.rint(garment * top))


@kernel
def _look(
    picture: NDArray[np.uint8],
    linear: Float,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    reduced: Float,
    figures: NDArray[np.int64],
) -> None:
    """Fill ``reduced``; ``figures`` get the visible pixels' count, sums and squares by channel, and the maximum."""
    opaque = picture.shape[2] == 3
    count = most = 0
    sum_red = sum_green = sum_blue = square_red = square_green = square_blue = 0
    for down in range(len(rows) - 1):
        for right in range(len(columns) - 1):
            red = green = blue = cover = np.float32(0)
            for y in range(rows[down], rows[down + 1]):
                for x in range(columns[right], columns[right + 1]):
                    r, g, b = int(picture[y, x, 0]), int(picture[y, x, 1]), int(picture[y, x, 2])
                    if opaque:
                        red, green, blue = red + linear[r], green + linear[g], blue + linear[b]
                        cover += np.float32(1)
                    else:
                        if picture[y, x, 3] == 0:
                            continue
                        alpha = np.float32(picture[y, x, 3]) / np.float32(255)
                        red, green, blue = red + linear[r] * alpha, green + linear[g] * alpha, blue + linear[b] * alpha
                        cover += alpha
                        if picture[y, x, 3] <= 127:
                            continue
                    count += 1
                    sum_red, sum_green, sum_blue = sum_red + r, sum_green + g, sum_blue + b
                    square_red, square_green, square_blue = (
                        square_red + r * r,
                        square_green + g * g,
                        square_blue + b * b,
                    )
                    most = max(most, r, g, b)
            share = np.float32(1) / np.float32((rows[down + 1] - rows[down]) * (columns[right + 1] - columns[right]))
            reduced[down, right, 0], reduced[down, right, 1] = red * share, green * share
            reduced[down, right, 2], reduced[down, right, 3] = blue * share, cover * share
    figures[0] = count
    figures[1], figures[2], figures[3] = sum_red, sum_green, sum_blue
    figures[4], figures[5], figures[6] = square_red, square_green, square_blue
    figures[7] = most
