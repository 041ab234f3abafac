"""Light transport at one picture size: the bake's own, or filtered down as the path tracer's pixel filter would."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.picture import shading

Float = NDArray[np.float32]
Window = tuple[int, int, int, int]

FILTER_PX = 3.0
"""Total width of the path tracer's pixel filter, a Blackman-Harris window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """One axis of a filter: output ``i`` weighs what comes from ``start[i]`` on by ``weights[i]``."""

    start: NDArray[np.int64]
    weights: Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """A baked view at one picture size; ``h`` × ``w`` pixels of its window.

    Attributes:
        window: left, top, right, bottom in the whole picture.
        light: ``(h, w, 3, 1 or 3) float32``: specular, diffuse, mutual, in grey or three channels.
        alpha: ``(h, w) uint8``.
        points: where the sub-samples lie on the panels.
        down, across: the pixel filter over the sub-samples.
        per_cover: ``(h, w) float32``, one over the filtered cover of the sub-samples; 0 where there is none.
        block_row, block_column: the bake's pixel in the middle of each pixel, ``(h,)`` and ``(w,)``.
    """

    window: Window
    light: Float
    alpha: NDArray[np.uint8]
    points: shading.Points
    down: Taps
    across: Taps
    per_cover: Float
    block_row: NDArray[np.int64]
    block_column: NDArray[np.int64]

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What it holds; of a picture no larger than the bake, some of it is the bake's own."""
        return (self.light, self.alpha, self.per_cover, *self.points.arrays)


def fit(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], width_px: int, height_px: int) -> Transport:
    """Bring a bake to a picture's size, whose shorter side must not be longer than the bake's.

    The shorter side shows what the bake shows, a longer one more studio on both sides.
    """
    baked_px = int(facts["size_px"])
    left, top, right, bottom = (int(edge) for edge in facts["window"])
    scale = min(width_px, height_px) / baked_px
    x = _Axis.of(left, right, scale, (width_px - baked_px * scale) / 2)
    y = _Axis.of(top, bottom, scale, (height_px - baked_px * scale) / 2)
    light = np.stack([np.asarray(arrays[name], np.float32) for name in ("specular", "diffuse", "mutual")], axis=2)
    light = light.reshape(*light.shape[:3], -1)
    cover = arrays["alpha"].astype(np.float32) / np.float32(255)
    if not (x.same and y.same):
        # What is filtered twice has the sum of both variances: the bake's own filter and this one make the picture's.
        width = FILTER_PX * float(np.sqrt(max(0.0, 1 / scale**2 - 1)))
        rows, columns = y.finer(width), x.finer(width)

        def smaller(plane: Float) -> Float:
            return shading.filtered(plane, rows.start, rows.weights, columns.start, columns.weights)

        planes = light.reshape(*cover.shape, -1) * cover[..., None]
        small = np.stack([smaller(planes[..., number]) for number in range(planes.shape[2])], axis=2)
        light = small.reshape(*small.shape[:2], *light.shape[2:])
        cover = smaller(cover)
        light = np.divide(light, cover[..., None, None], out=np.zeros_like(light), where=cover[..., None, None] > 1e-4)
    points = shading.Points.of(arrays, density=_density(scale))
    down, across = y.taps(points.density), x.taps(points.density)
    total = shading.cover(points, down.start, down.weights, across.start, across.weights)
    return Transport(
        window=(x.first, y.first, x.last, y.last),
        light=np.ascontiguousarray(light, np.float32),
        alpha=np.round(np.clip(cover, 0, 1) * 255).astype(np.uint8),
        points=points,
        down=down,
        across=across,
        per_cover=np.divide(1, total, out=np.zeros_like(total), where=total > 1e-4),
        block_row=y.middles(),
        block_column=x.middles(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """One axis of a picture and its bake: position in the picture = position in the bake × scale + shift.

    Attributes:
        begin, end: of the bake's window.
        first, last: of the picture's.
    """

    begin: int
    end: int
    scale: float
    shift: float
    first: int
    last: int

    @classmethod
    def of(cls, begin: int, end: int, scale: float, shift: float) -> "_Axis":
        first, last = int(np.floor(begin * scale + shift)), int(np.ceil(end * scale + shift))
        return cls(begin=begin, end=end, scale=scale, shift=shift, first=first, last=last)

    @property
    def same(self) -> bool:
        """Whether the picture's pixels are the bake's."""
        return self.scale == 1 and self.shift == int(self.shift)

    @property
    def pixels(self) -> NDArray[np.float64]:
        """The middles of the picture's pixels."""
        return np.arange(self.first, self.last, dtype=np.float64) + 0.5

    def taps(self, density: int) -> Taps:
        """The pixel filter over the sub-samples, counted from ``begin``; those beyond the ends do not exist."""
        many = (self.end - self.begin) * density
        count = min(int(np.ceil(FILTER_PX / self.scale * density)) + 1, many)
        leftmost = (self.pixels - FILTER_PX / 2 - self.shift) / self.scale - self.begin
        start = np.clip(np.ceil(leftmost * density - 0.5).astype(np.int64), 0, many - count)
        at = ((start[:, None] + np.arange(count) + 0.5) / density + self.begin) * self.scale + self.shift
        weights = blackman_harris(at - self.pixels[:, None], FILTER_PX) * self.scale / density
        return Taps(start=start, weights=weights.astype(np.float32))

    def finer(self, width: float) -> Taps:
        """A filter of that width, in baked pixels, from them to the picture's; a row's sum is 1 over endless cloth."""
        width = max(width, 1.001)
        middle = (self.pixels - self.shift) / self.scale
        weights = blackman_harris(np.arange(self.begin, self.end) + 0.5 - middle[:, None], width)
        reach = int(width) + 2
        whole = np.arange(-reach, reach + 1) + 0.5 - (middle - np.floor(middle))[:, None]
        weights = weights / blackman_harris(whole, width).sum(axis=1)[:, None]
        count = min(int(np.ceil(width)) + 1, weights.shape[1])
        start = np.clip(np.argmax(weights != 0, axis=1), 0, weights.shape[1] - count)
        taken = np.take_along_axis(weights, start[:, None] + np.arange(count), axis=1)
        return Taps(start=start.astype(np.int64), weights=taken.astype(np.float32))

    def middles(self) -> NDArray[np.int64]:
        """The bake's pixel in the middle of each of the picture's, counted from ``begin``."""
        middle = np.floor((self.pixels - self.shift) / self.scale).astype(np.int64) - self.begin
        return np.clip(middle, 0, self.end - self.begin - 1)


def filter_taps(count: int, density: int) -> Taps:
    """The pixel filter of one axis of a window at the bake's own size, over ``density`` sub-samples a pixel."""
    return _Axis.of(0, count, 1.0, 0.0).taps(density)


def _density(scale: float) -> int:
    """Points along a baked pixel's side, so that a pixel of the picture has at least two.

    Its filter is three pixels wide and smooth: more points change nothing that a byte can show.
    """
    return 1 if scale <= 0.5 else 2


def blackman_harris(distance: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """The window at a distance from its middle, its integral one; 0 outside its width."""
    phase = 2 * np.pi * (distance / width + 0.5)
    height = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
    return np.where(np.abs(distance) < width / 2, height, 0.0) / (0.35875 * width)
