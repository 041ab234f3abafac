"""Larger than baked: exact places, light of the own piece of cloth, and no more than what was measured."""

import numpy as np
import pytest
from numpy.typing import NDArray

from blender.pixel_places import condensed
from farm.errors import BakeTooSmall
from farm.picture.baked_view import Arrays, BakedView
from farm.picture.enlarged import RIM_PX, enlarged, window_at
from farm.picture.light_file import packed
from farm.picture.relight import relight_view
from farm.picture.texture import PanelTexture
from farm.picture.transport import Window
from tests.unit.picture.baked import GAIN

BAKED_PX = 64
SIDE_CM = 16.0
WINDOW = (8, 8, 56, 56)
BOXES_CM = ((0.0, 0.0, SIDE_CM, SIDE_CM), (0.0, 0.0, SIDE_CM, SIDE_CM))
FRONT, BACK = 0, 1


class Flap:
    """Two panels seen straight on: the back fills a square, the front lies on it left of a slanted edge."""

    def at(self, azimuth_deg: float, size_px: int, window: Window) -> Arrays:
        which, at_cm = flap(size_px, window)
        return condensed(which, at_cm, BOXES_CM, size_px / SIDE_CM)


def edge_cm(y_cm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(6.0 + 0.3 * y_cm)


def flap(size_px: int, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    left, top, right, bottom = window
    x_cm, y_cm = np.meshgrid(
        (np.arange(4 * left, 4 * right) + 0.5) / 4 * SIDE_CM / size_px,
        (np.arange(4 * top, 4 * bottom) + 0.5) / 4 * SIDE_CM / size_px,
    )
    which = np.where(x_cm < edge_cm(y_cm), FRONT, BACK).astype(np.uint8)
    rim = np.maximum(np.abs(x_cm - SIDE_CM / 2), np.abs(y_cm - SIDE_CM / 2)) > 5.9
    which[rim] = 255
    return which, np.stack([x_cm, y_cm], axis=-1).astype(np.float32)


def bright(x_cm: NDArray[np.floating], which: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The front's light rises from left to right, the back lies in its shade."""
    return np.asarray(np.where(which == FRONT, 0.5 + 0.02 * x_cm, 0.2))


def light_of_flap() -> dict[str, NDArray[np.float32] | NDArray[np.uint8]]:
    which, at_cm = flap(BAKED_PX, WINDOW)
    cloth = which != 255
    side = WINDOW[2] - WINDOW[0]

    def pixels(fine: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(fine.reshape(side, 4, side, 4).mean(axis=(1, 3)))

    cover = pixels(cloth.astype(np.float64))
    diffuse = pixels(np.where(cloth, bright(at_cm[..., 0], which), 0.0)) / np.maximum(cover, 1e-6)
    flat = np.zeros((side, side), np.float32)
    return {
        "specular": flat,
        "diffuse": diffuse.astype(np.float32),
        "mutual": flat,
        "alpha": np.round(cover * 255).astype(np.uint8),
    }


def flap_baked() -> BakedView:
    facts = {
        "schema": 2, "template": "0" * 64, "view": "front_0deg", "azimuth_deg": 0.0, "size_px": BAKED_PX, "samples": 1,
        "window": list(WINDOW), "panels": ["front", "back"], "albedo_gain": GAIN, "texels_per_cm": 8.0,
    }  # fmt: skip
    return BakedView.read(packed(light_of_flap(), facts), Flap())


@pytest.mark.parametrize("size_px", [96, 128, 200, 256])
def test_each_piece_of_cloth_keeps_its_own_light(size_px: int) -> None:
    baked = flap_baked()
    window = window_at(WINDOW, size_px / BAKED_PX, size_px)
    made, facts = enlarged(baked.arrays, baked.facts, Flap().at(0.0, size_px, window), size_px)
    assert (facts["size_px"], facts["window"]) == (size_px, list(window))
    left, top, right, bottom = window
    x_cm, y_cm = np.meshgrid(
        (np.arange(left, right) + 0.5) * SIDE_CM / size_px, (np.arange(top, bottom) + 0.5) * SIDE_CM / size_px
    )
    inside = np.maximum(np.abs(x_cm - SIDE_CM / 2), np.abs(y_cm - SIDE_CM / 2)) < 5.5
    far_px = (x_cm - edge_cm(y_cm)) / SIDE_CM * size_px
    own = np.where(far_px < 0, 0.5 + 0.02 * x_cm, 0.2)
    clear = inside & (np.abs(far_px) > 2)
    assert np.abs(made["diffuse"] - own)[clear].max() < 0.012
    rough = inside & ~clear
    assert made["diffuse"][rough].min() > 0.19
    assert made["diffuse"][rough].max() < 0.5 + 0.02 * SIDE_CM
    middle = inside & (np.abs(far_px) < 0.15)
    assert np.abs(made["diffuse"] - (0.7 + 0.02 * x_cm) / 2)[middle].mean() < 0.06, "an edge is a mixture of both"
    assert (made["alpha"][inside] == 255).all()
    assert made["alpha"][:RIM_PX].max() <= 2


def test_a_print_is_as_sharp_as_the_larger_picture() -> None:
    """A line of one pixel of the bake is black in one of twice its size, and has a clean edge."""
    ink = np.zeros((512, 512, 4), np.uint8)
    ink[..., 3] = 255
    bar = PanelTexture(panel="front", pixels=ink, x_cm=4.0, y_cm=4.0, width_cm=0.25, height_cm=4.0)
    baked = flap_baked()
    small, _ = relight_view(baked, [bar], "#ffffff", width_px=BAKED_PX, height_px=BAKED_PX)
    large, window = relight_view(baked, [bar], "#ffffff", width_px=4 * BAKED_PX, height_px=4 * BAKED_PX)
    assert window == window_at(WINDOW, 4.0, 4 * BAKED_PX)
    row = large[round(6.0 / SIDE_CM * 4 * BAKED_PX) - window[1], :, 0].astype(int)
    at = round(4.125 / SIDE_CM * 4 * BAKED_PX) - window[0]
    assert row[at - 1 : at + 1].max() < 12
    assert row[at - 5] > 150
    assert row[at + 5] > 150
    assert small[..., 0][small[..., 3] == 255].min() > 12, "which the small one cannot show"


def test_what_is_too_large_and_what_has_its_own_places_is_refused() -> None:
    baked = flap_baked()
    assert baked.most_px == 4 * BAKED_PX
    with pytest.raises(BakeTooSmall) as refused:
        baked.at(4 * BAKED_PX + 1, 4 * BAKED_PX + 1)
    assert f"{4 * BAKED_PX} px" in refused.value.message
    held = packed({**light_of_flap(), **Flap().at(0.0, BAKED_PX, WINDOW)}, dict(baked.facts))
    with pytest.raises(BakeTooSmall):
        BakedView.read(held, Flap()).at(BAKED_PX + 1, BAKED_PX + 1)
