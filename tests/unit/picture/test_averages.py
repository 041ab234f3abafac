"""Averages are exact: the same cloth in other texels, and a sum by hand."""

import numpy as np

from farm.picture.averages import Squares, averages, ink_planes, light_planes


def _squares(x: float, y: float, side: float) -> Squares:
    return Squares(x=np.array([x]), y=np.array([y]), wide=side, high=side)


def test_finer_texels_of_the_same_cloth_have_the_same_averages() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.random((7, 9)).astype(np.float32)
    fine = np.kron(coarse, np.ones((5, 5), np.float32))
    x, y = rng.uniform(-1, 10, 200), rng.uniform(-1, 8, 200)
    one = averages([coarse], Squares(x=x, y=y, wide=1.3, high=0.4))
    other = averages([fine], Squares(x=5 * x, y=5 * y, wide=6.5, high=2.0))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_square_weighs_each_texel_by_what_it_covers_and_the_outside_as_nothing() -> None:
    plane = np.array([[1.0, 2.0], [4.0, 8.0]], np.float32)
    assert averages([plane], _squares(1.0, 1.0, 1.0))[0, 0] == np.float32(15 / 4)
    assert averages([plane], _squares(0.0, 0.5, 1.0))[0, 0] == np.float32(0.5)
    assert averages([plane], _squares(-3.0, 0.5, 1.0))[0, 0] == 0


def test_ink_is_premultiplied_and_light_is_linear() -> None:
    pixels = np.array([[[255, 0, 188, 51]]], np.uint8)
    np.testing.assert_allclose(
        averages(ink_planes(pixels), _squares(0.5, 0.5, 1.0))[0], [0.2, 0, 0.1006, 0.2], atol=1e-3
    )
    np.testing.assert_allclose(
        averages(light_planes(pixels[..., :3]), _squares(0.5, 0.5, 1.0))[0], [1, 0, 0.503], atol=1e-3
    )
