"""Pictures to print, as arrays: flat, patterned, with and without alpha."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def flat(colour: tuple[int, int, int], width: int = 120, height: int = 160, alpha: int = 255) -> Pixels:
    return np.full((height, width, 4), (*colour, alpha), np.uint8)


def checker(width: int, height: int, cell: int = 1, dark: int = 0, light: int = 255) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    grey = np.where((x // cell + y // cell) % 2, light, dark)
    return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1).astype(np.uint8)


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)


def quadrants(width: int = 120, height: int = 160) -> Pixels:
    """Red, green, blue and yellow quarters, clockwise from the top left; no two mirror images agree."""
    picture = flat((255, 0, 0), width, height)
    picture[: height // 2, width // 2 :, :3] = (0, 160, 0)
    picture[height // 2 :, width // 2 :, :3] = (0, 0, 255)
    picture[height // 2 :, : width // 2, :3] = (250, 210, 0)
    return picture


def disc(colour: tuple[int, int, int], size: int = 200) -> Pixels:
    """An antialiased disc on transparent ground."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    cover = np.clip(size * 0.4 - np.hypot(x - size / 2, y - size / 2) + 0.5, 0, 1)
    picture = flat(colour, size, size)
    picture[..., 3] = np.rint(cover * 255)
    return picture


def photo(width: int = 300, height: int = 400, seed: int = 4) -> Pixels:
    """Soft coloured clouds: detail at every scale, like a photograph."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for octave in range(2, 7):
        cells = 2**octave
        coarse = random.normal(size=(cells + 2, cells + 2, 3))
        y, x = np.linspace(0, cells, height), np.linspace(0, cells, width)
        top, left = y.astype(int), x.astype(int)
        v, u = (y - top)[:, None, None], (x - left)[None, :, None]
        rows = coarse[top][:, left] * (1 - u) + coarse[top][:, left + 1] * u
        below = coarse[top + 1][:, left] * (1 - u) + coarse[top + 1][:, left + 1] * u
        total += (rows * (1 - v) + below * v) / octave
    total = (total - total.min()) / (total.max() - total.min())
    return np.dstack([np.rint(total * 255), np.full((height, width), 255)]).astype(np.uint8)
