"""The verdict's view of a print: block means in linear light, made once for all views."""

import gc
import weakref

import numpy as np

from farm.picture.coarse_texture import PER_CM, coarse_texture
from farm.picture.light import LINEAR_OF_BYTE
from farm.picture.texture import PanelTexture


def _texture(pixels: np.ndarray, width_cm: float) -> PanelTexture:
    height_cm = width_cm * pixels.shape[0] / pixels.shape[1]
    return PanelTexture(panel="front", pixels=pixels, x_cm=0, y_cm=0, width_cm=width_cm, height_cm=height_cm)


def test_blocks_are_means_of_premultiplied_light_in_a_transparent_rim() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (50, 65, 4), dtype=np.uint8)
    coarse, per_x, per_y = coarse_texture(_texture(pixels, 65 / (3 * PER_CM)))
    assert coarse.shape == (-(-50 // 3) + 2, -(-65 // 3) + 2, 4)
    assert (per_x, per_y) == (PER_CM, PER_CM)
    alpha = pixels[..., 3:] / 255
    light = np.concatenate([LINEAR_OF_BYTE[pixels[..., :3]] * alpha, alpha], axis=2)
    padded = np.pad(light, ((0, 1), (0, 1), (0, 0))).reshape(17, 3, 22, 3, 4)
    np.testing.assert_allclose(coarse[1:-1, 1:-1], padded.mean(axis=(1, 3)), atol=1e-6)
    assert not coarse[0].any()
    assert not coarse[-1].any()
    assert not coarse[:, 0].any()
    assert not coarse[:, -1].any()


def test_a_texture_is_looked_at_once_and_holds_nobodys_memory() -> None:
    texture = _texture(np.full((40, 40, 4), 200, np.uint8), 4)
    assert coarse_texture(texture)[0] is coarse_texture(texture)[0]
    other = _texture(np.full((40, 40, 4), 90, np.uint8), 4)
    assert coarse_texture(other)[0] is not coarse_texture(texture)[0]
    pixels = weakref.ref(texture.pixels)
    del texture
    gc.collect()
    assert pixels() is None
