"""A picture on its ground: what is opaque stays, what is not lets the ground through, mixed in linear light."""

import numpy as np
import pytest
from PIL import Image

from blender.output import over
from blender.shadow import Shade
from blender.texture import linear_to_srgb, srgb_to_linear


@pytest.mark.parametrize("shadow", [False, True])
def test_every_pixel_is_the_garments_the_grounds_or_both_in_linear_light(*, shadow: bool) -> None:
    random = np.random.default_rng(4)
    pixels = random.integers(0, 256, (30, 41, 4), dtype=np.uint8)
    pixels[..., 3] = random.choice(np.array([0, 1, 90, 254, 255], np.uint8), (30, 41))
    shade = Shade(3, 5, random.random((20, 30), np.float32) / np.float32(2)) if shadow else None
    ground = np.broadcast_to(np.array([0x22, 0x4D, 0x8F], np.float64), (30, 41, 3)).copy()
    if shade is not None:
        ground[5:25, 3:33] = np.round(ground[5:25, 3:33] * (1 - shade.density[..., None]))
    alpha = pixels[..., 3:] / 255
    mixed = srgb_to_linear(pixels[..., :3] / 255) * alpha + srgb_to_linear(ground / 255) * (1 - alpha)
    wanted = np.round(linear_to_srgb(mixed) * 255)
    np.testing.assert_array_equal(np.asarray(over(Image.fromarray(pixels), "#224d8f", shade)), wanted)
