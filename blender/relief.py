"""Fine relief as height maps: stitches, seams and rib in panel centimetres, and the cotton's nap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from blender.pattern import HalfPanel, Pattern, Points, resample

Heights = NDArray[np.float32]

PIXELS_PER_CM = 20
RIB_PIXELS_PER_CM = 32
MARGIN_CM = 2.0
NAP = 0.06
TAPE_CM, TAPE_TOP_CM = 1.1, 0.2
"""Width of the neck tape, and where on the collar's height map it begins, below the seam."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A rectangle of a panel, in cm.

    Attributes:
        x_min_cm: Left edge.
        x_max_cm: Right edge.
        y_min_cm: Top edge.
        y_max_cm: Bottom edge.
    """

    x_min_cm: float
    x_max_cm: float
    y_min_cm: float
    y_max_cm: float


def _grid(extent: Extent, pixels_per_cm: int) -> Points:
    columns = round((extent.x_max_cm - extent.x_min_cm) * pixels_per_cm)
    rows = round((extent.y_max_cm - extent.y_min_cm) * pixels_per_cm)
    x = extent.x_min_cm + (np.arange(columns) + 0.5) * (extent.x_max_cm - extent.x_min_cm) / columns
    y = extent.y_min_cm + (np.arange(rows) + 0.5) * (extent.y_max_cm - extent.y_min_cm) / rows
    return np.stack(np.meshgrid(x, y), axis=-1)


def _groove(distance: NDArray[np.float64], width_cm: float) -> NDArray[np.float64]:
    return np.exp(-((distance / width_cm) ** 2))


def _step(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic step from 0 to 1."""
    return 0.5 + 0.5 * np.tanh(value / 2)


def _seam(half: HalfPanel, name: str, grid: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each pixel's distance to both copies of an edge, and the position along it, in cm."""
    line = half.edges[name]
    fine = resample(line, max(8, round(float(np.hypot(*np.diff(line, axis=0).T).sum()) * 20)))
    folded = np.abs(grid.reshape(-1, 2)) * (1, 0) + grid.reshape(-1, 2) * (0, 1)
    distance, index = cKDTree(fine).query(folded, distance_upper_bound=3.0)
    return np.minimum(distance, 9.0).reshape(grid.shape[:2]), (index / 20.0).reshape(grid.shape[:2])


def _stitch(offset: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """One row of lockstitch: a groove pressed into the cloth, a thread in it that dips every 3 mm."""
    thread = _groove(offset, 0.045) * (0.55 + 0.45 * np.cos(2 * np.pi * along / 0.32))
    return 0.8 * thread - 1.2 * _groove(offset, 0.12)


def _hem(half: HalfPanel, grid: Points, rows_cm: tuple[float, ...]) -> NDArray[np.float64]:
    height = np.zeros(grid.shape[:2])
    line = half.edges["hem"][::-1]
    up = np.interp(np.abs(grid[..., 0]), line[:, 0], line[:, 1]) - grid[..., 1]
    for row_cm in rows_cm:
        height += _stitch(up - row_cm, grid[..., 0])
    # Two layers of cloth below the stitches stand a little proud.
    return height + 0.5 * _step((rows_cm[-1] - up) / 0.06)


def body_relief(half: HalfPanel, extent: Extent) -> Heights:
    """Return the height map of the front or back, (H, W) float32 in 0..1, 0.5 = plain cloth, row 0 at the top."""
    grid = _grid(extent, PIXELS_PER_CM)
    height = _hem(half, grid, (2.0, 2.6))
    for name, width in (("side", 0.16), ("armhole", 0.18), ("shoulder", 0.16), ("neck", 0.18)):
        distance, along = _seam(half, name, grid)
        height -= 1.5 * _groove(distance, width)
        if name in ("neck", "shoulder"):
            height += 0.45 * _groove(distance - 0.33, 0.22)
            height += 0.8 * _stitch(distance - 0.55, along)
    height += NAP * nap(grid.shape[:2], pixels_per_cm=PIXELS_PER_CM, seed=len(height))
    return _packed(height)


def sleeve_relief(half: HalfPanel, extent: Extent) -> Heights:
    """Return the height map of a sleeve, as :func:`body_relief`."""
    grid = _grid(extent, PIXELS_PER_CM)
    height = _hem(half, grid, (1.8, 2.4))
    for name, width in (("cap", 0.18), ("underarm", 0.16)):
        distance, _ = _seam(half, name, grid)
        height -= 1.5 * _groove(distance, width)
        if name == "cap":
            height += 0.45 * _groove(distance - 0.35, 0.25)
    height += NAP * nap(grid.shape[:2], pixels_per_cm=PIXELS_PER_CM, seed=len(height))
    return _packed(height)


def rib_relief(pattern: Pattern, extent: Extent) -> Heights:
    """Return the height map of the collar: 1x1 rib, flattened at its fold, sunk at its seam; below it the neck tape."""
    grid = _grid(extent, RIB_PIXELS_PER_CM)
    ribs = round(pattern.rib_length_cm / 0.36)
    wave = np.cos(2 * np.pi * ribs * grid[..., 0] / pattern.rib_length_cm)
    height = 0.75 * np.sign(wave) * np.abs(wave) ** 0.7
    height *= _step((-grid[..., 1] - 0.12) / 0.05)
    height -= 1.0 * _groove(grid[..., 1], 0.12)
    return _packed(np.where(grid[..., 1] > TAPE_TOP_CM, _tape(grid), height))


def _tape(grid: Points) -> NDArray[np.float64]:
    """The neck tape below the seam: herringbone, and a row of stitches along each edge."""
    down = grid[..., 1] - TAPE_TOP_CM
    twill = np.cos(2 * np.pi * (grid[..., 0] + np.abs((down / 0.28) % 2.0 - 1.0) * 0.28) / 0.11)
    height = 0.10 * twill
    for row_cm in (0.17, TAPE_CM - 0.17):
        height += _stitch(down - row_cm, grid[..., 0])
    return height


def nap(shape: tuple[int, int], *, pixels_per_cm: int, seed: int) -> NDArray[np.float64]:
    """Return the cotton's own unevenness, (H, W): thick and thin yarn along the columns, a little fuzz."""
    random = np.random.default_rng(seed)
    rows, columns = shape
    fy = np.fft.fftfreq(rows, 1 / pixels_per_cm)[:, None]
    fx = np.fft.rfftfreq(columns, 1 / pixels_per_cm)[None, :]
    white = np.fft.rfft2(random.normal(size=shape))

    def band(across_cm: float, along_cm: float) -> NDArray[np.float64]:
        soft = np.fft.irfft2(white * np.exp(-((fx * across_cm) ** 2) - (fy * along_cm) ** 2), s=shape)
        return np.asarray(soft / soft.std())

    return 0.35 * band(0.08, 0.08) + 0.5 * band(0.07, 0.5) + 0.35 * band(0.5, 0.9)


def _packed(height: NDArray[np.float64]) -> Heights:
    return (np.clip(0.5 + 0.25 * height, 0.0, 1.0)).astype(np.float32)
