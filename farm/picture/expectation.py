"""Expectation: the albedo that each part of a view's picture must show, told by the template's maps and the textures.

A template knows, for each view on 256 x 256 pixels, which point of which panel every pixel shows, how much of the
pixel is garment, how bright half-grey cloth is there, and how much of that its surface adds to every colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from farm.picture.light import LINEAR_OF_BYTE
from farm.picture.texture import PanelTexture

Float = NDArray[np.float32]

_MEASURED_ON = 0.5028
"""Albedo of the grey on which ``shade`` was measured: sRGB 188."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewMaps:
    """What a template's ``verdict.npz`` says of one view, row 0 at the top.

    Attributes:
        panel_order: names for the numbers in ``panel``.
        panel: ``(H, W) int8``, -1 where no garment is.
        x_cm, y_cm: ``(H, W) float32``, the panel point in the pixel's centre.
        coverage: ``(H, W) float32``, the garment's share of the pixel.
        shade: ``(H, W) float32``, linear luminance of cloth of albedo one half, not multiplied by coverage.
        sheen: ``(H, W) float32``, the same of cloth that swallows all light.
    """

    panel_order: tuple[str, ...]
    panel: NDArray[np.int8]
    x_cm: Float
    y_cm: Float
    coverage: Float
    shade: Float
    sheen: Float

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]], view: str, panel_order: tuple[str, ...]) -> Self:
        """From the arrays of a ``verdict.npz``."""
        shade = np.asarray(arrays[f"{view}/shade"], np.float32)
        # Templates of before the sheen was measured: what their cloth was found to add on average.
        sheen = arrays[f"{view}/sheen"] if f"{view}/sheen" in arrays else shade * np.float32(0.046)
        return cls(
            panel_order=panel_order,
            panel=np.asarray(arrays[f"{view}/panel"], np.int8),
            x_cm=np.asarray(arrays[f"{view}/x_cm"], np.float32),
            y_cm=np.asarray(arrays[f"{view}/y_cm"], np.float32),
            coverage=np.asarray(arrays[f"{view}/coverage"], np.float32),
            shade=shade,
            sheen=np.asarray(sheen, np.float32),
        )

    def light(self, albedo: Float) -> Float:
        """What cloth of an albedo ``(H, W, 3)`` sends to the camera, linear, as far as a picture can show it."""
        diffuse = np.maximum(self.shade - self.sheen, 0) / np.float32(_MEASURED_ON)
        return np.asarray(np.clip(self.sheen[..., None] + albedo * diffuse[..., None], 0, 1), np.float32)

    def cm_per_pixel(self) -> Float:
        """How much of its panel each pixel sees, the longer way, ``(H, W)``: great where cloth is seen along."""
        seen = np.zeros(self.panel.shape, np.float32)
        for axis in (0, 1):
            step = np.hypot(np.diff(self.x_cm, axis=axis), np.diff(self.y_cm, axis=axis))
            step[np.diff(self.panel, axis=axis) != 0] = 0
            before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
            before[axis], after[axis] = (1, 0), (0, 1)
            seen = np.maximum(seen, np.maximum(np.pad(step, before), np.pad(step, after)))
        return seen


def expected_albedo(maps: ViewMaps, textures: Mapping[str, PanelTexture], fabric: tuple[float, float, float]) -> Float:
    """Albedo each pixel of the maps must show: ``(H, W, 3) float32``, linear Rec.709, filtered to the pixel."""
    return albedos(maps, textures, fabric)[0]


def albedos(
    maps: ViewMaps, textures: Mapping[str, PanelTexture], fabric: tuple[float, float, float]
) -> tuple[Float, Float]:
    """`expected_albedo`, and the same with every texture mirrored."""
    upright = np.broadcast_to(np.asarray(fabric, np.float32), (*maps.panel.shape, 3)).copy()
    mirrored = upright.copy()
    offsets = (-1 / 3, 0.0, 1 / 3)
    for name, texture in textures.items():
        here = maps.panel == maps.panel_order.index(name) if name in maps.panel_order else None
        if here is None or not here.any():
            continue
        across, down = _steps(maps, here)
        coarse, per_x, per_y = coarse_texture(texture)
        x_cm, y_cm = maps.x_cm[here] - texture.x_cm, maps.y_cm[here] - texture.y_cm
        totals = np.zeros((2, x_cm.size, 4), np.float32)
        for v in offsets:
            for u in offsets:
                x = x_cm + u * across[0][here] + v * down[0][here]
                y = (y_cm + u * across[1][here] + v * down[1][here]) * per_y
                totals[0] += bilinear(coarse, x * per_x, y)
                totals[1] += bilinear(coarse, (texture.width_cm - x) * per_x, y)
        totals /= len(offsets) ** 2
        for albedo, total in zip((upright, mirrored), totals, strict=True):
            albedo[here] = albedo[here] * (1 - total[:, 3:]) + total[:, :3]
    return upright, mirrored


def _steps(maps: ViewMaps, here: NDArray[np.bool_]) -> tuple[tuple[Float, Float], tuple[Float, Float]]:
    """How far one pixel to the right, and one down, moves on the panel; nothing across a panel's edge."""
    steps = []
    for axis in (1, 0):
        near = np.zeros_like(here)
        inner: list[slice] = [slice(None), slice(None)]
        inner[axis] = slice(1, -1)
        sides = []
        for shift in (slice(2, None), slice(None, -2)):
            side: list[slice] = [slice(None), slice(None)]
            side[axis] = shift
            sides.append(tuple(side))
        near[tuple(inner)] = here[sides[0]] & here[sides[1]]
        moved = []
        for place in (maps.x_cm, maps.y_cm):
            slope = np.zeros_like(place)
            slope[tuple(inner)] = (place[sides[0]] - place[sides[1]]) / 2
            # Where cloth lies in front of cloth of the same panel the difference is a jump, not a slope.
            moved.append(np.where(near & (np.abs(slope) < 4.0), slope, 0).astype(np.float32))
        steps.append((moved[0], moved[1]))
    return steps[0], steps[1]


def coarse_texture(texture: PanelTexture) -> tuple[Float, float, float]:
    """The texture at about eight texels a centimetre, linear premultiplied, in a transparent rim; its texels per cm."""
    height, width = texture.pixels.shape[:2]
    block_x = max(1, int(width / texture.width_cm / 8))
    block_y = max(1, int(height / texture.height_cm / 8))
    columns, rows = -(-width // block_x), -(-height // block_y)
    result = np.zeros((rows + 2, columns + 2, 4), np.float32)
    # In bands, because a whole 4k texture in floats is a quarter of a gigabyte.
    at_once = max(1, 500_000 // (width * block_y))
    for row in range(0, rows, at_once):
        count = min(at_once, rows - row)
        band = texture.pixels[row * block_y : (row + count) * block_y]
        band = np.pad(band, ((0, count * block_y - band.shape[0]), (0, columns * block_x - width), (0, 0)))
        alpha = band[..., 3:].astype(np.float32) / np.float32(255)
        light = np.concatenate([LINEAR_OF_BYTE[band[..., :3]] * alpha, alpha], axis=2)
        blocks = light.reshape(count, block_y, columns, block_x, 4)
        result[row + 1 : row + count + 1, 1:-1] = blocks.mean(axis=(1, 3))
    return result, width / texture.width_cm / block_x, height / texture.height_cm / block_y


def bilinear(rimmed: Float, x: Float, y: Float) -> Float:
    """Samples at ``x, y``, in texels from the left top corner of the picture within its rim; nothing outside."""
    height, width = rimmed.shape[:2]
    x = np.clip(x + np.float32(0.5), 0, width - np.float32(1.001))
    y = np.clip(y + np.float32(0.5), 0, height - np.float32(1.001))
    left, top = x.astype(np.int32), y.astype(np.int32)
    u: Float = (x - left)[:, None]
    v: Float = (y - top)[:, None]
    flat, corner = rimmed.reshape(-1, rimmed.shape[2]), top * width + left
    upper: Float = flat[corner] * (1 - u) + flat[corner + 1] * u
    lower: Float = flat[corner + width] * (1 - u) + flat[corner + width + 1] * u
    return upper * (1 - v) + lower * v
