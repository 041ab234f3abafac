"""Surroundings of 3 × 3 pixels: the compiled loops say what plain arrays would."""

import numpy as np

from farm.picture.neighbours import beyond, smoothed, strongest

RANDOM = np.random.default_rng(8)
COLOURS = RANDOM.random((20, 30, 3)).astype(np.float32)
INSIDE = RANDOM.random((20, 30)) < 0.7


def _around(array: np.ndarray, fill: float) -> np.ndarray:
    padded = np.pad(array, ((1, 1), (1, 1), (0, 0)), constant_values=fill)
    return np.stack([padded[y : y + 20, x : x + 30] for y in range(3) for x in range(3)])


def test_smoothed_is_the_mean_of_those_inside() -> None:
    there = INSIDE[..., None].astype(np.float64)
    wanted = _around(COLOURS * there, 0).sum(axis=0) / np.maximum(_around(there, 0).sum(axis=0), 1) * there
    np.testing.assert_allclose(smoothed(COLOURS, INSIDE), wanted, atol=1e-6)
    np.testing.assert_array_equal(smoothed(COLOURS, INSIDE, 2), smoothed(smoothed(COLOURS, INSIDE), INSIDE))


def test_beyond_counts_what_lies_outside_of_all_that_is_near_and_inside() -> None:
    seen = COLOURS + RANDOM.normal(0, 0.15, COLOURS.shape).astype(np.float32)
    there = INSIDE[..., None]
    high, low = (
        _around(np.where(there, COLOURS, -9), -9).max(axis=0),
        _around(np.where(there, COLOURS, 9), 9).min(axis=0),
    )
    off = np.maximum(seen - high, low - seen).max(axis=2) > 0.1
    assert 0.1 < off[INSIDE].mean() < 0.6
    assert beyond(seen, COLOURS, INSIDE, 0.1) == off[INSIDE].mean()


def test_a_shift_by_a_pixel_is_not_beyond() -> None:
    inside = np.ones((20, 29), bool)
    assert beyond(COLOURS[:, :-1].copy(), COLOURS[:, 1:].copy(), inside, 0.0) < 0.1  # at the border alone
    assert beyond(COLOURS[:, :-2].copy(), COLOURS[:, 2:].copy(), inside[:, 1:].copy(), 0.0) > 0.4


def test_strongest_is_the_greatest_of_three() -> None:
    np.testing.assert_array_equal(strongest(COLOURS - 0.5), np.abs(COLOURS - 0.5).max(axis=2))
