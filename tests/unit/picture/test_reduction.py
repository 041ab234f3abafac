"""What a verdict looks at: areas of a picture in linear light, and figures of all its pixels."""

import numpy as np
import pytest

from farm.picture.light import LINEAR_OF_BYTE
from farm.picture.reduction import _look, looked_at, resized, without_shadow


def _picture(side: int, channels: int) -> np.ndarray:
    return np.random.default_rng(side).integers(0, 256, (side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize("side", [8, 24, 25, 31, 57])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_pixel_counts_in_one_area_as_in_a_box_filter(side: int, channels: int) -> None:
    picture = _picture(side, channels)
    alpha = picture[..., 3:] / 255 if channels == 4 else np.ones((side, side, 1))
    linear = np.concatenate([LINEAR_OF_BYTE[picture[..., :3]] * alpha, alpha], axis=2)
    reduced, _ = looked_at(picture, 8)
    np.testing.assert_allclose(reduced, resized(linear, 8), atol=1e-5)


@pytest.mark.parametrize("channels", [3, 4])
def test_the_tally_is_of_the_visible_pixels(channels: int) -> None:
    picture = _picture(31, channels)
    picture[:4] = 255
    seen = picture[..., 3] > 127 if channels == 4 else np.ones((31, 31), bool)
    if channels == 4:
        picture[~seen, :3] = 255 - picture[~seen, :3] // 9  # what is hidden counts for nothing
    _, tally = looked_at(picture, 8)
    assert (tally.count, tally.visible) == (31 * 31, int(seen.sum()))
    assert tally.brightest == picture[seen][:, :3].max()
    assert tally.spread == pytest.approx(picture[seen][:, :3].std(axis=0).max())


def test_nothing_visible_has_no_figures() -> None:
    _, tally = looked_at(np.zeros((16, 16, 4), np.uint8), 8)
    assert (tally.visible, tally.spread, tally.brightest) == (0, 0.0, 0)


def test_pictures_that_can_be_written_to_and_such_that_cannot_need_one_loop() -> None:
    picture = _picture(24, 4)
    looked_at(picture, 8)
    before = len(_look.signatures)
    picture.setflags(write=False)
    looked_at(picture, 8)
    looked_at(np.asfortranarray(picture), 8)
    assert len(_look.signatures) == before == 1


def test_a_shadow_is_lifted_from_under_the_garment() -> None:
    random = np.random.default_rng(6)
    shadow = (random.random((40, 50)) * 0.5).astype(np.float32)
    garment = _picture(50, 4)[:40]
    garment[..., 3] = random.choice(np.array([0, 0, 90, 200, 255], np.uint8), (40, 50))
    own = garment[..., 3:] / 255
    total = own + (1 - own) * shadow[..., None]
    colour = np.divide(garment[..., :3] * own, total, out=np.zeros((40, 50, 3)), where=total > 0)
    picture = np.concatenate([np.rint(colour), np.rint(total * 255)], axis=2).astype(np.uint8)
    lifted = without_shadow(picture, shadow)
    assert np.abs(lifted[..., 3].astype(int) - garment[..., 3]).max() <= 2
    shown = garment[..., 3] > 0
    assert np.abs(lifted[shown][:, :3].astype(int) - garment[shown][:, :3]).max() <= 4
    assert not lifted[~shown].any()
    opaque = np.ascontiguousarray(picture[..., :3])
    assert without_shadow(opaque, shadow) is opaque
