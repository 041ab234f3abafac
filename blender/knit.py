"""Single jersey as seen from its right side: columns of small V, one period of it as a height map that repeats."""

import numpy as np
from numpy.typing import NDArray

from blender.relief import Heights

TILE_CM = 3.0
TILE_PX = 512
WALES_PER_CM = 8.0
COURSES_PER_CM = 10.0


def jersey(seed: int) -> Heights:
    """Return the tile, (TILE_PX, TILE_PX) float32 in 0..1: both edges meet their opposites, row 0 at the top.

    Each stitch is two legs that lean towards one another; yarn is thick here and thin there, and no column is straight.
    """
    random = np.random.default_rng(seed)
    wales, courses = round(WALES_PER_CM * TILE_CM), round(COURSES_PER_CM * TILE_CM)
    y, x = (np.mgrid[0:TILE_PX, 0:TILE_PX] + 0.5) / TILE_PX
    x = x + 0.06 / wales * _waves(random, 6, x, y)
    y = y + 0.10 / courses * _waves(random, 8, x, y)
    wale = (x * wales) % 1.0
    side = np.abs(wale - 0.5) * 2.0
    # A leg runs down and inwards: the phase along the column lags with the distance from its middle.
    leg = (y * courses + 0.62 * (1.0 - side)) % 1.0
    ridge = np.sqrt(np.maximum(0.0, 1.0 - ((side - 0.52) / 0.50) ** 2))
    crown = 0.5 - 0.5 * np.cos(2 * np.pi * leg)
    thick = 1.0 + 0.16 * _waves(random, 14, x, y) + 0.10 * _waves(random, 40, x, y)
    height = ridge * (0.45 + 0.55 * crown**0.7) * thick
    fuzz = random.normal(size=height.shape)
    fuzz = fuzz + sum(np.roll(fuzz, shift, axis) for axis in (0, 1) for shift in (-1, 1))
    height = height + 0.03 * fuzz
    low, high = np.percentile(height, (0.5, 99.5))
    tile: Heights = np.clip((height - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return tile


def _waves(
    random: np.random.Generator, most: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return smooth noise of unit strength that repeats with the tile, of up to ``most`` waves across it."""
    total: NDArray[np.float64] = np.zeros_like(x)
    for _ in range(12):
        across, along = random.integers(-most, most + 1, 2)
        total += np.sin(2 * np.pi * (across * x + along * y + random.uniform()))
    total /= np.sqrt(6)
    return total
