"""Print texels: area averages of linear, premultiplied light, as a box filter makes them."""

import numpy as np
import pytest
from PIL import Image

from blender.texture import print_texels, srgb_to_linear


@pytest.mark.parametrize(("height", "width", "per_cm"), [(64, 48, 8.0), (61, 47, 7.3), (30, 90, 2.9), (1, 5, 1.0)])
def test_texels_are_averages_as_a_box_filter_makes_them(height: int, width: int, per_cm: float) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 4), dtype=np.uint8)
    texels = print_texels(pixels, width / 10, height / 10, max_px_per_cm=per_cm)
    rows, columns = max(1, round(height / 10 * per_cm)), max(1, round(width / 10 * per_cm))
    alpha = pixels[..., 3:] / 255
    light = np.concatenate([srgb_to_linear(pixels[..., :3] / 255) * alpha, alpha], axis=2).astype(np.float32)
    planes = [Image.fromarray(light[..., c]).resize((columns, rows), Image.Resampling.BOX) for c in range(4)]
    np.testing.assert_allclose(texels, np.stack([np.asarray(one) for one in planes], axis=2), atol=2e-7)


def test_a_print_that_is_coarse_enough_keeps_its_texels() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 10, 4), dtype=np.uint8)
    texels = print_texels(pixels, 1.0, 2.0, max_px_per_cm=24.0)
    assert texels.shape == (20, 10, 4)
    np.testing.assert_array_equal(texels[..., 3], pixels[..., 3] * np.float32(1 / 255))
