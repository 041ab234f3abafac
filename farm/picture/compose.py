"""Composing: the layers of a panel become one texture, in linear light and measured in centimetres."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from farm.domain.panel import PanelShape
from farm.domain.placement import BlendMode, Placement
from farm.picture import resample
from farm.picture.footprint import Footprint, inspect
from farm.picture.ink import blend_of
from farm.picture.kernel import read_only
from farm.picture.light import BYTE_OF_LINEAR, LINEAR_OF_BYTE
from farm.picture.notice import Notice
from farm.picture.texture import PanelTexture

__all__ = ["BORDER_PX", "LEAST_PX_PER_CM", "MAX_SIDE_PX", "Layer", "PanelTexture", "compose"]

MAX_SIDE_PX = 4096
BORDER_PX = 2
"""Transparent rim, so that a renderer's interpolation at the texture's edge meets no print."""
LEAST_PX_PER_CM = 24.0
"""A coarse design is magnified to this (61 DPI), else its rim would fade over the width of its own pixels."""
_STRIP_ROWS = 64
_MODES = {
    BlendMode.NORMAL: resample.NORMAL,
    BlendMode.MULTIPLY: resample.MULTIPLY,
    BlendMode.SCREEN: resample.SCREEN,
    BlendMode.OVERLAY: resample.OVERLAY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A design and where it goes: ``pixels (H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top."""

    pixels: NDArray[np.uint8]
    placement: Placement


@dataclass(frozen=True, slots=True)
class _Grid:
    """Texels over the panel: texel ``(0, 0)`` has its left top corner at ``x_cm, y_cm``."""

    x_cm: float
    y_cm: float
    across: float
    down: float
    width: int
    height: int


Strip = Callable[[NDArray[np.float32], int, int], None]
"""Draws a layer into rows ``first`` to ``last`` of the texture, given those rows."""


def compose(
    layers: Sequence[Layer],
    *,
    panel: PanelShape,
    fabric: tuple[float, float, float],
    px_per_cm: float,
    floor_dpi: float = 0.0,
    max_side_px: int = MAX_SIDE_PX,
    threads: int | None = None,
) -> PanelTexture:
    """Compose all layers of ``panel``, first one lowest, into one texture.

    The texel density is the finest design's own, but no more than ``px_per_cm`` and ``max_side_px`` allow. A single
    upright design that needs no scaling keeps its very pixels.

    Args:
        layers: at least one; each placement names this panel.
        fabric: linear Rec.709; matters only to blend modes other than normal.
        px_per_cm: what the picture's size can show.
        floor_dpi: the operator's least resolution.
        threads: strips worked on side by side; by default one a core.

    Raises:
        LowResolution: a layer is coarser than ``floor_dpi``.
        ValueError: no layers, or a layer of another panel.
    """
    if not layers or any(layer.placement.panel != panel.name for layer in layers):
        raise ValueError(f"compose() wants the layers of {panel.name!r} and at least one")
    turned = [_quarter_turns(layer) for layer in layers]
    warnings: list[Notice] = []
    for layer in layers:
        height, width = layer.pixels.shape[:2]
        footprint = Footprint.of(layer.placement, width, height)
        for notice in inspect(footprint, panel, floor_dpi=floor_dpi):
            if notice not in warnings:
                warnings.append(notice)
    grid = _grid([footprint for _, footprint in turned], panel, px_per_cm, max_side_px)
    pixels = np.empty((grid.height, grid.width, 4), np.uint8)
    cloth = np.array(fabric, np.float32)
    strips = [*range(0, grid.height, _STRIP_ROWS), grid.height]
    with ThreadPoolExecutor(threads or os.process_cpu_count() or 1) as pool:
        drawings: list[Strip] = []
        for layer, (source, footprint) in zip(layers, turned, strict=True):
            draw = _rotated if footprint.rotation_deg else _upright
            drawing = draw(source, footprint, grid, layer.placement, cloth, pool)
            if drawing is not None:
                drawings.append(drawing)

        def work(span: tuple[int, int]) -> None:
            first, last = span
            strip = np.zeros((last - first, grid.width, 4), np.float32)
            for drawing in drawings:
                drawing(strip, first, last)
            resample.encode_strip(strip, BYTE_OF_LINEAR, pixels[first:last])

        list(pool.map(work, pairwise(strips)))
        list(pool.map(lambda span: resample.bleed(pixels, *span), pairwise(strips)))
    return PanelTexture(
        panel=panel.name,
        pixels=pixels,
        x_cm=grid.x_cm,
        y_cm=grid.y_cm,
        width_cm=grid.width / grid.across,
        height_cm=grid.height / grid.down,
        warnings=tuple(warnings),
    )


def _quarter_turns(layer: Layer) -> tuple[NDArray[np.uint8], Footprint]:
    """Turns by 90, 180 and 270 degrees move pixels and lose nothing; what is left is resampled."""
    height, width = layer.pixels.shape[:2]
    footprint = Footprint.of(layer.placement, width, height)
    pixels = read_only(layer.pixels)
    turns = round(footprint.rotation_deg / 90)
    if turns % 4 and abs(footprint.rotation_deg - 90 * turns) < 1e-6:
        pixels = read_only(np.rot90(pixels, -turns))
        part = (footprint.left_px, footprint.top_px, footprint.right_px, footprint.bottom_px)
        width_cm, height_cm = footprint.width_cm, footprint.height_cm
        if turns % 2:
            part = (part[1], part[0], part[3], part[2])
            width_cm, height_cm = height_cm, width_cm
        left, top, right, bottom = part
        return pixels, Footprint(
            x_cm=footprint.x_cm,
            y_cm=footprint.y_cm,
            width_cm=width_cm,
            height_cm=height_cm,
            rotation_deg=0.0,
            left_px=left,
            top_px=top,
            right_px=right,
            bottom_px=bottom,
        )
    return pixels, footprint


def _grid(footprints: Sequence[Footprint], panel: PanelShape, px_per_cm: float, max_side_px: int) -> _Grid:
    """The texels: aligned with the largest upright layer, so that its edges fall between texels."""
    own = max(max(footprint.px_per_cm, LEAST_PX_PER_CM) for footprint in footprints)
    density = min(own, px_per_cm)
    upright = [footprint for footprint in footprints if not footprint.rotation_deg]
    anchor = max(upright or footprints, key=lambda one: one.width_cm * one.height_cm)
    bounds = panel.bounds
    xs = [x for footprint in footprints for x, _ in footprint.corners_cm()]
    ys = [y for footprint in footprints for _, y in footprint.corners_cm()]
    # Beyond the panel nothing shows; a centimetre is left for seams that are not quite straight.
    left, right = max(min(xs), bounds.x_cm - 1), min(max(xs), bounds.right_cm + 1)
    top, bottom = max(min(ys), bounds.y_cm - 1), min(max(ys), bounds.bottom_cm + 1)
    if left >= right or top >= bottom:
        left, top = bounds.x_cm, bounds.y_cm
        right, bottom = left + 0.1, top + 0.1
    while True:
        across = max(1, round(anchor.width_cm * density)) / anchor.width_cm
        down = max(1, round(anchor.height_cm * density)) / anchor.height_cm
        if anchor.width_cm * density < 1:
            across = density
        if anchor.height_cm * density < 1:
            down = density
        start_x, start_y = anchor.x_cm - anchor.width_cm / 2, anchor.y_cm - anchor.height_cm / 2
        first_x = math.floor((left - start_x) * across + 1e-6) - BORDER_PX
        first_y = math.floor((top - start_y) * down + 1e-6) - BORDER_PX
        width = math.ceil((right - start_x) * across - 1e-6) + BORDER_PX - first_x
        height = math.ceil((bottom - start_y) * down - 1e-6) + BORDER_PX - first_y
        longest = max(width, height)
        if longest <= max_side_px:
            break
        density *= min(0.999, (max_side_px - 2 * BORDER_PX - 1) / longest)
    return _Grid(start_x + first_x / across, start_y + first_y / down, across, down, width, height)


def _upright(
    source: NDArray[np.uint8],
    footprint: Footprint,
    grid: _Grid,
    placement: Placement,
    fabric: NDArray[np.float32],
    pool: ThreadPoolExecutor,
) -> Strip | None:
    """A layer without rotation is filtered straight onto the texture's texels, strip by strip."""
    height, width = source.shape[:2]
    scale_x = (footprint.right_px - footprint.left_px) / (footprint.width_cm * grid.across)
    scale_y = (footprint.bottom_px - footprint.top_px) / (footprint.height_cm * grid.down)
    offset_x = footprint.left_px + (grid.x_cm - footprint.x_cm + footprint.width_cm / 2) * grid.across * scale_x
    offset_y = footprint.top_px + (grid.y_cm - footprint.y_cm + footprint.height_cm / 2) * grid.down * scale_y
    x = resample.taps(grid.width, offset_x, scale_x, footprint.left_px, footprint.right_px, width)
    y = resample.taps(grid.height, offset_y, scale_y, footprint.top_px, footprint.bottom_px, height)
    columns, rows = np.flatnonzero(x.coverage), np.flatnonzero(y.coverage)
    if not columns.size or not rows.size:
        return None
    left, right, top, bottom = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    mode, opacity = _MODES[blend_of(placement)], placement.opacity

    def draw(strip: NDArray[np.float32], first: int, last: int) -> None:
        low, high = max(first, top), min(last, bottom)
        if low >= high:
            return
        layer = np.empty((high - low, right - left, 4), np.float32)
        resample.filter_strip(
            source,
            LINEAR_OF_BYTE,
            x.start[left:right],
            x.weights[left:right],
            y.start[low:high],
            y.weights[low:high],
            layer,
        )
        coverage = x.coverage[left:right], y.coverage[low:high]
        resample.blend_strip(strip[low - first : high - first], layer, left, *coverage, opacity, mode, fabric)

    return draw


def _rotated(
    source: NDArray[np.uint8],
    footprint: Footprint,
    grid: _Grid,
    placement: Placement,
    fabric: NDArray[np.float32],
    pool: ThreadPoolExecutor,
) -> Strip | None:
    """A rotated layer is first brought to about the texture's density, upright, and then turned."""
    own_width, own_height = footprint.right_px - footprint.left_px, footprint.bottom_px - footprint.top_px
    width = max(1, min(round(own_width), round(footprint.width_cm * grid.across)))
    height = max(1, min(round(own_height), round(footprint.height_cm * grid.down)))
    x = resample.taps(
        width, footprint.left_px, own_width / width, footprint.left_px, footprint.right_px, source.shape[1]
    )
    y = resample.taps(
        height, footprint.top_px, own_height / height, footprint.top_px, footprint.bottom_px, source.shape[0]
    )
    flat = np.empty((height, width, 4), np.float32)

    def fill(span: tuple[int, int]) -> None:
        first, last = span
        rows = y.start[first:last], y.weights[first:last]
        resample.filter_strip(source, LINEAR_OF_BYTE, x.start, x.weights, *rows, flat[first:last])

    list(pool.map(fill, pairwise([*range(0, height, _STRIP_ROWS), height])))

    cos, sin = math.cos(math.radians(footprint.rotation_deg)), math.sin(math.radians(footprint.rotation_deg))
    per_x, per_y = width / footprint.width_cm, height / footprint.height_cm
    away_x, away_y = grid.x_cm - footprint.x_cm, grid.y_cm - footprint.y_cm
    matrix = np.array(
        [
            [per_x * cos / grid.across, per_x * sin / grid.down, per_x * (cos * away_x + sin * away_y) + width / 2],
            [-per_y * sin / grid.across, per_y * cos / grid.down, per_y * (cos * away_y - sin * away_x) + height / 2],
        ]
    )
    corners = footprint.corners_cm()
    left = max(0, math.floor((min(x for x, _ in corners) - grid.x_cm) * grid.across) - 1)
    right = min(grid.width, math.ceil((max(x for x, _ in corners) - grid.x_cm) * grid.across) + 1)
    if left >= right:
        return None
    matrix[:, 2] += matrix[:, 0] * left
    mode, opacity = _MODES[blend_of(placement)], placement.opacity
    whole = np.ones(max(right - left, _STRIP_ROWS), np.float32)

    def draw(strip: NDArray[np.float32], first: int, last: int) -> None:
        layer = np.empty((last - first, right - left, 4), np.float32)
        resample.rotate_strip(flat, matrix, first, layer)
        coverage = whole[: right - left], whole[: last - first]
        resample.blend_strip(strip, layer, left, *coverage, opacity, mode, fabric)

    return draw
