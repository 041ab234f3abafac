"""Neighbours: what a pixel's surroundings of 3 × 3 say, with or without what lies beside the cloth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.picture.kernel import kernel

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


def blurred(array: Float) -> Float:
    """The mean of 3 × 3 pixels of ``(H, W)``; beyond the border there is nothing."""
    return box(array) / np.float32(9)


def box(array: Float) -> Float:
    """The sum of 3 × 3 pixels of ``(H, W)``."""
    padded = np.pad(array, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    result: Float = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return result


def eroded(mask: Mask) -> Mask:
    """Without its outermost two pixels: outlines differ by noise, and cloth seen along its surface by sheen."""
    for _ in range(2):
        mask = box(mask.astype(np.float32)) > 8.5
    return mask


def smoothed(colours: Float, inside: Mask, times: int = 1) -> Float:
    """The mean of those of 3 × 3 pixels that lie inside, for those that do; ``(H, W, 3)``, 0 elsewhere."""
    for _ in range(times):
        result = np.zeros_like(colours)
        _smooth(np.ascontiguousarray(colours), inside, result)
        colours = result
    return colours


def beyond(seen: Float, wanted: Float, inside: Mask, most: float) -> float:
    """Part of the pixels inside that lie further than ``most`` outside of all that is wanted within a pixel around.

    A shift is no error.
    """
    return float(_beyond(seen, wanted, inside, np.float32(most)) / max(int(inside.sum()), 1))


def strongest(colours: Float) -> Float:
    """The greatest distance from nothing among the three channels of ``(H, W, 3)``."""
    result = np.empty(colours.shape[:2], np.float32)
    _strongest(np.ascontiguousarray(colours), result)
    return result


@kernel
def _strongest(colours: Float, result: Float) -> None:
    for y in range(colours.shape[0]):
        for x in range(colours.shape[1]):
            result[y, x] = max(abs(colours[y, x, 0]), abs(colours[y, x, 1]), abs(colours[y, x, 2]))


@kernel
def _smooth(colours: Float, inside: Mask, result: Float) -> None:
    height, width = inside.shape
    sums, counts = np.zeros((width + 2, 3), np.float32), np.zeros(width + 2, np.float32)
    for y in range(height):
        for x in range(width):
            red = green = blue = count = np.float32(0)
            for near in range(max(y - 1, 0), min(y + 2, height)):
                if inside[near, x]:
                    red, green, blue = (
                        red + colours[near, x, 0],
                        green + colours[near, x, 1],
                        blue + colours[near, x, 2],
                    )
                    count += np.float32(1)
            sums[x + 1, 0], sums[x + 1, 1], sums[x + 1, 2], counts[x + 1] = red, green, blue, count
        for x in range(width):
            if inside[y, x]:
                count = counts[x] + counts[x + 1] + counts[x + 2]
                for c in range(3):
                    result[y, x, c] = (sums[x, c] + sums[x + 1, c] + sums[x + 2, c]) / count


@kernel
def _beyond(seen: Float, wanted: Float, inside: Mask, most: Any) -> int:
    height, width = inside.shape
    found = 0
    for y in range(height):
        for x in range(width):
            if not inside[y, x]:
                continue
            for c in range(3):
                value = seen[y, x, c]
                high = low = wanted[y, x, c]
                if max(value - high, low - value) <= most:
                    continue
                for down in range(max(y - 1, 0), min(y + 2, height)):
                    for right in range(max(x - 1, 0), min(x + 2, width)):
                        if inside[down, right]:
                            high, low = max(high, wanted[down, right, c]), min(low, wanted[down, right, c])
                if max(value - high, low - value) > most:
                    found += 1
                    break
    return found
