"""sRGB and linear light: the tables and formulas of IEC 61966-2-1, in one place."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def to_linear(coded: ArrayLike) -> NDArray[np.float64]:
    """Linear Rec.709 light 0..1 of sRGB 0..1."""
    value = np.asarray(coded, np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: ArrayLike) -> NDArray[np.float64]:
    """The sRGB value 0..1 of linear Rec.709 light; clipped."""
    value = np.clip(np.asarray(linear, np.float64), 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0.0031308) ** (1 / 2.4) - 0.055)


LINEAR_OF_BYTE: NDArray[np.float32] = to_linear(np.arange(256) / 255).astype(np.float32)
"""Linear light of each sRGB byte."""

BYTE_OF_LINEAR: NDArray[np.uint8] = np.rint(to_srgb(np.arange(65_536) / 65_535) * 255).astype(np.uint8)
"""sRGB byte of linear light in 65,536 steps: twenty steps for each byte even next to black."""


def linear_rgb(colour: str) -> tuple[float, float, float]:
    """``#rrggbb`` as linear light."""
    red, green, blue = (float(LINEAR_OF_BYTE[int(colour[at : at + 2], 16)]) for at in (1, 3, 5))
    return red, green, blue
