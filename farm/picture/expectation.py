"""Expectation: the albedo that each part of a view's picture must show, told by the template's maps and the textures.

A template knows, for each view on 256 x 256 pixels, which point of which panel every pixel shows, how much of the
pixel is garment, how bright half-grey cloth is there, and how much of that its surface adds to every colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from farm.picture.coarse_texture import coarse_texture
from farm.picture.kernel import kernel
from farm.picture.texture import PanelTexture

Float = NDArray[np.float32]

_MEASURED_ON = 0.5028
"""Albedo of the grey on which ``shade`` was measured: sRGB 188."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewMaps:
    """What a template's ``verdict.npz`` says of one view, row 0 at the top; equal to itself alone.

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
        return np.asarray(np.clip(self.sheen[..., None] + albedo * self.diffuse[..., None], 0, 1), np.float32)

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

    @cached_property
    def diffuse(self) -> Float:
        """What cloth adds to the sheen for each part of its albedo, ``(H, W)``."""
        return np.asarray(np.maximum(self.shade - self.sheen, 0) / np.float32(_MEASURED_ON), np.float32)

    @cached_property
    def panels(self) -> Mapping[str, "SeenPanel"]:
        """The panels that the view shows."""
        return {
            name: SeenPanel.of(self, here)
            for number, name in enumerate(self.panel_order)
            if (here := self.panel == number).any()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPanel:
    """Where a view's maps show one panel.

    Attributes:
        here: ``(N,)``, the pixels, counted through.
        places: ``(N, 6) float32``: the panel point in a pixel's middle, x and y in cm, and how far one pixel to the
            right, and one down, moves on the panel.
    """

    here: NDArray[np.int64]
    places: Float

    @classmethod
    def of(cls, maps: ViewMaps, here: NDArray[np.bool_]) -> Self:
        """From the pixels that show it, ``(H, W)``."""
        across, down = _steps(maps, here)
        columns = (maps.x_cm, maps.y_cm, *across, *down)
        return cls(here=np.flatnonzero(here), places=np.stack([one[here] for one in columns], axis=1))


def expected_albedo(maps: ViewMaps, textures: Mapping[str, PanelTexture], fabric: tuple[float, float, float]) -> Float:
    """Albedo each pixel of the maps must show: ``(H, W, 3) float32``, linear Rec.709, filtered to the pixel."""
    return albedos(maps, textures, fabric)[0]


def albedos(
    maps: ViewMaps, textures: Mapping[str, PanelTexture], fabric: tuple[float, float, float]
) -> tuple[Float, Float]:
    """`expected_albedo`, and the same with every texture mirrored."""
    cloth = np.asarray(fabric, np.float32)
    upright = np.broadcast_to(cloth, (*maps.panel.shape, 3)).copy()
    mirrored = upright.copy()
    for name, texture in textures.items():
        seen = maps.panels.get(name)
        if seen is None:
            continue
        coarse, per_x, per_y = coarse_texture(texture)
        inks = np.zeros((2, len(seen.here), 4), np.float32)
        frame = np.array([texture.x_cm, texture.y_cm, texture.width_cm, per_x, per_y], np.float32)
        _print_seen(coarse, frame, seen.places, inks)
        for albedo, ink in zip((upright, mirrored), inks, strict=True):
            albedo.reshape(-1, 3)[seen.here] = cloth * (1 - ink[:, 3:]) + ink[:, :3]
    return upright, mirrored


@kernel
def _print_seen(coarse: Float, frame: Float, places: Float, inks: Float) -> None:
    """The mean of nine samples within each pixel, ``(N, 4)`` linear premultiplied, upright and mirrored."""
    left_cm, top_cm, width_cm, per_x, per_y = frame
    height, width = coarse.shape[:2]
    third, one, half = np.float32(1 / 3), np.float32(1), np.float32(0.5)
    for pixel in range(len(places)):
        for down in range(-1, 2):
            for right in range(-1, 2):
                u, v = right * third, down * third
                x_cm = places[pixel, 0] - left_cm + u * places[pixel, 2] + v * places[pixel, 4]
                y_cm = places[pixel, 1] - top_cm + u * places[pixel, 3] + v * places[pixel, 5]
                y = y_cm * per_y + half
                if y <= 0 or y >= height - one:
                    continue
                for turned in range(2):
                    x = (width_cm - x_cm if turned else x_cm) * per_x + half
                    if x <= 0 or x >= width - one:
                        continue
                    column, row = int(x), int(y)
                    fu, fv = x - np.float32(column), y - np.float32(row)
                    w0, w1, w2, w3 = (one - fu) * (one - fv), fu * (one - fv), (one - fu) * fv, fu * fv
                    for c in range(4):
                        inks[turned, pixel, c] += (
                            w0 * coarse[row, column, c]
                            + w1 * coarse[row, column + 1, c]
                            + w2 * coarse[row + 1, column, c]
                            + w3 * coarse[row + 1, column + 1, c]
                        )
        for turned in range(2):
            for c in range(4):
                inks[turned, pixel, c] /= np.float32(9)


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
