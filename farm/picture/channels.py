"""Pixels with and without their alpha channel: channel by channel, which takes a third of what numpy does at once."""

import numpy as np
from numpy.typing import NDArray


def opaque(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB, or grey in the first channel of fewer, with an alpha of 255: ``(H, W, 4) uint8``."""
    pixels = np.empty((*colours.shape[:2], 4), np.uint8)
    for channel in range(3):
        pixels[..., channel] = colours[..., channel if colours.shape[2] > 2 else 0]
    pixels[..., 3] = 255
    return pixels


def colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(H, W, 4)`` without its alpha: ``(H, W, 3) uint8`` of its own."""
    bare = np.empty((*pixels.shape[:2], 3), np.uint8)
    for channel in range(3):
        bare[..., channel] = pixels[..., channel]
    return bare
