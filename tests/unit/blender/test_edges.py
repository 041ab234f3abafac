"""Silhouettes: the cut-out's rim takes the colour from inside, and coverage is even along it."""

import numpy as np
from numpy.typing import NDArray

from blender.edges import clean_edges


def _disc(radius_px: float, *, side_px: int = 64, soft_px: float = 1.0) -> NDArray[np.uint8]:
    y, x = np.mgrid[:side_px, :side_px] - (side_px - 1) / 2
    alpha = np.clip((radius_px - np.hypot(x, y)) / soft_px + 0.5, 0, 1)
    picture = np.zeros((side_px, side_px, 4), np.uint8)
    picture[..., :3] = (200, 120, 40)
    picture[..., 3] = np.round(alpha * 255)
    return picture


def test_dark_and_bright_lines_round_the_garment_go() -> None:
    picture = _disc(20)
    alpha = picture[..., 3].copy()
    picture[(alpha > 0) & (alpha < 250), :3] = 30
    clean_edges(picture)
    assert np.abs(picture[..., 3].astype(int) - alpha).max() < 36
    assert (picture[picture[..., 3] > 0][:, :3] == (200, 120, 40)).all()
    assert (picture[picture[..., 3] == 0] == 0).all()


def test_coverage_counted_by_a_few_samples_is_evened_out_along_the_edge() -> None:
    exact = _disc(100, side_px=256, soft_px=2.5)
    alpha = exact[..., 3] / 255.0
    noisy = exact.copy()
    noisy[..., 3] = np.round(np.random.default_rng(5).binomial(16, alpha) / 16 * 255)
    edge = (exact[..., 3] > 0) & (exact[..., 3] < 255)
    before = (noisy[..., 3].astype(int) - exact[..., 3])[edge].std()
    covered = noisy[..., 3].astype(int).sum()
    clean_edges(noisy)
    after = (noisy[..., 3].astype(int) - exact[..., 3])[edge].std()
    assert after < 0.55 * before
    assert abs(int(noisy[..., 3].astype(int).sum()) - covered) < 0.002 * covered


def test_inside_is_left_alone() -> None:
    picture = _disc(20)
    picture[30:34, 30:34, :3] = (0, 255, 0)
    clean_edges(picture)
    assert (picture[30:34, 30:34, :3] == (0, 255, 0)).all()


def test_what_is_too_thin_keeps_its_colour() -> None:
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[:, 7:9] = (10, 20, 30, 255)
    before = picture.copy()
    clean_edges(picture)
    assert (picture == before).all()


def test_picture_border_is_no_silhouette() -> None:
    picture = np.full((16, 16, 4), 255, np.uint8)
    picture[0, :, :3] = 9
    clean_edges(picture)
    assert (picture[0, :, :3] == 9).all()
