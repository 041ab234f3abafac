"""Relight: a new print on baked cloth, shaded as the path tracer would, in a fraction of its time.

The print is the very float texture the path tracer gets, interpolated as it does, filtered as its pixels are.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from blender.texture import linear_color, print_texels
from farm.picture import shading
from farm.picture.baked_view import BakedView
from farm.picture.light import BYTE_OF_LINEAR
from farm.picture.shading import Atlas
from farm.picture.texture import PanelTexture
from farm.picture.transport import Window

Float = NDArray[np.float32]

ROUND_ABOUT_CM = 6.0
"""How far round a point the cloth lies whose light reaches it."""
_WIDE_PER_CM = 1.0
_STRIP_ROWS = 48
AT_ONCE_BYTES = 64 << 20
"""Of pixels that are shaded together: twenty-five pictures of 1024 px, or one of 4096."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """Textures ready for shading, on every view of a bake at one picture size.

    Attributes:
        near: the texels, as the path tracer gets them.
        wide: the same as cloth round about sees them.
    """

    near: Atlas
    wide: Atlas


def print_for(baked: BakedView, textures: Sequence[PanelTexture], *, width_px: int, height_px: int) -> Print:
    """Prepare the printed panels for pictures of that size; it serves all views of one bake.

    Args:
        textures: a panel the bake does not know is an error of the caller's.
    """
    gain = np.float32(baked.facts["albedo_gain"])
    sharpest = float(baked.facts["texels_per_cm"]) * min(width_px, height_px) / baked.size_px
    inks = [_inked(texture, sharpest, gain) for texture in textures]
    return Print(near=_atlas(inks, baked.panels), wide=_atlas([_wide(ink) for ink in inks], baked.panels))


def relight_view(
    baked: BakedView,
    textures: Sequence[PanelTexture] | Print,
    fabric: str,
    *,
    width_px: int,
    height_px: int,
    threads: int = 1,
) -> tuple[NDArray[np.uint8], Window]:
    """Shade a view in one fabric, see `relight_views`."""
    ((pixels, window),) = relight_views(
        baked, textures, [fabric], width_px=width_px, height_px=height_px, threads=threads
    )
    return pixels, window


def relight_views(
    baked: BakedView,
    textures: Sequence[PanelTexture] | Print,
    fabrics: Sequence[str],
    *,
    width_px: int,
    height_px: int,
    threads: int = 1,
) -> Iterator[tuple[NDArray[np.uint8], Window]]:
    """Shade a view in several fabrics: what is gathered of print and light serves all of them.

    Args:
        textures: the printed panels, or what `print_for` made of them for this size.
        fabrics: ``#rrggbb``, sRGB.
        width_px, height_px: of the whole picture.
        threads: cores to use.

    Yields:
        Of each fabric the picture's window, ``(h, w, 4) uint8``, sRGB, straight alpha, for
        `blender.output.write_picture`, byte for byte as of that fabric alone; and where it lies in the picture.

    Raises:
        BakeTooSmall: for pictures whose shorter side is longer than the bake's.
    """
    transport = baked.at(width_px, height_px)
    if not isinstance(textures, Print):
        textures = print_for(baked, textures, width_px=width_px, height_px=height_px)
    near, wide, points = textures.near, textures.wide, transport.points
    gain = np.float32(baked.facts["albedo_gain"])
    cloths = np.array([linear_color(fabric) for fabric in fabrics], np.float32).reshape(-1, 3) * gain
    height, width = transport.alpha.shape
    at_once = max(1, AT_ONCE_BYTES // max(1, 4 * height * width))

    def strip(rows: tuple[int, int]) -> None:
        shading.shade(
            *rows, points.panel, points.place, points.slope, points.mixed_panel, points.mixed_place,
            points.first_mixed, points.extents, points.density, transport.down.start, transport.down.weights,
            transport.across.start, transport.across.weights, transport.per_cover, transport.block_row,
            transport.block_column, near.texels, near.shape, near.frame, wide.texels, wide.shape, wide.frame,
            transport.light, transport.alpha, some, BYTE_OF_LINEAR, pixels,
        )  # fmt: skip

    strips = list(pairwise([*range(0, height, _STRIP_ROWS), height]))
    for begin in range(0, len(cloths), at_once):
        some = cloths[begin : begin + at_once]
        pixels = np.empty((len(some), height, width, 4), np.uint8)
        if threads == 1:
            for rows in strips:
                strip(rows)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(strip, strips))
        for picture in pixels:
            yield picture, transport.window


def printed(baked: BakedView, textures: Sequence[PanelTexture], *, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """Pixels of the whole picture, ``(height_px, width_px)``, whose middle lies on one of the printed rectangles."""
    transport = baked.at(width_px, height_px)
    rows, columns = transport.block_row[:, None], transport.block_column
    points = transport.points
    panel, place = points.panel[rows, columns], points.place[rows, columns] / 65535.0
    inside = np.zeros(panel.shape, bool)
    for texture in textures:
        number = baked.panels.index(texture.panel)
        x_cm, y_cm = np.moveaxis(points.extents[number, :2] + place * points.extents[number, 2:], -1, 0)
        within = (np.abs(x_cm - texture.x_cm - texture.width_cm / 2) < texture.width_cm / 2) & (
            np.abs(y_cm - texture.y_cm - texture.height_cm / 2) < texture.height_cm / 2
        )
        inside |= (panel == number) & within
    left, top, right, bottom = transport.window
    whole = np.zeros((height_px, width_px), bool)
    whole[top:bottom, left:right] = inside
    return whole


class _Ink:
    """Float texels on a panel: linear, premultiplied; ``x_cm, y_cm`` their left top corner."""

    __slots__ = ("panel", "per_x", "per_y", "texels", "x_cm", "y_cm")

    def __init__(self, panel: str, texels: Float, x_cm: float, y_cm: float, per_x: float, per_y: float) -> None:
        self.panel, self.texels, self.x_cm, self.y_cm, self.per_x, self.per_y = panel, texels, x_cm, y_cm, per_x, per_y


def _inked(texture: PanelTexture, texels_per_cm: float, gain: np.float32) -> _Ink:
    texels = print_texels(texture.pixels, texture.width_cm, texture.height_cm, max_px_per_cm=texels_per_cm)
    texels[..., :3] *= gain
    height, width = texels.shape[:2]
    return _Ink(texture.panel, texels, texture.x_cm, texture.y_cm, width / texture.width_cm, height / texture.height_cm)


def _wide(ink: _Ink) -> _Ink:
    """The print as cloth round about sees it: blurred, and reaching beyond its edges."""
    height, width = ink.texels.shape[:2]
    rows = max(1, min(height, round(height / ink.per_y * _WIDE_PER_CM)))
    columns = max(1, min(width, round(width / ink.per_x * _WIDE_PER_CM)))
    small = _shrunk(ink.texels, rows, columns)
    per_y, per_x = rows * ink.per_y / height, columns * ink.per_x / width
    margin = int(2 * ROUND_ABOUT_CM * _WIDE_PER_CM)
    sigma = ROUND_ABOUT_CM / 2.355
    padded = np.pad(small, ((margin, margin), (margin, margin), (0, 0)))
    blurred = gaussian_filter(padded, (sigma * per_y, sigma * per_x, 0), mode="constant")
    return _Ink(ink.panel, blurred, ink.x_cm - margin / per_x, ink.y_cm - margin / per_y, per_x, per_y)


def _shrunk(texels: Float, rows: int, columns: int) -> Float:
    """Averages over blocks of nearly equal size."""
    height, width = texels.shape[:2]
    y = np.minimum(np.arange(rows) * height // rows, height - 1)
    x = np.minimum(np.arange(columns) * width // columns, width - 1)
    total = np.add.reduceat(np.add.reduceat(texels, y, axis=0), x, axis=1)
    count = np.diff([*y, height])[:, None] * np.diff([*x, width])
    return np.asarray(total / count[..., None], np.float32)


def _atlas(inks: Sequence[_Ink], panels: Sequence[str]) -> Atlas:
    shape, frame = np.zeros((len(panels), 3), np.int64), np.zeros((len(panels), 4), np.float32)
    parts, begin = [np.zeros((1, 4), np.float32)], 1
    for ink in inks:
        number = panels.index(ink.panel)
        height, width = ink.texels.shape[:2]
        shape[number] = begin, height, width
        frame[number] = ink.per_x, -ink.x_cm * ink.per_x - 0.5, ink.per_y, -ink.y_cm * ink.per_y - 0.5
        parts.append(ink.texels.reshape(-1, 4))
        begin += height * width
    return Atlas(texels=parts[0] if len(parts) == 1 else np.concatenate(parts), shape=shape, frame=frame)
