"""What the farm normalised is read back as what it was."""

import numpy as np
import pytest

from farm.errors import DesignTruncated
from farm.picture.decode import DecodeLimits, Design, DesignFacts, decode, normalise
from farm.picture.own_png import own_pixels

FACTS = DesignFacts(format="png", mode="RGBA", width_px=1, height_px=1, had_icc=False, exif_orientation=1, bit_depth=8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (129, 64), (300, 257)])
@pytest.mark.parametrize("opaque", [True, False])
def test_it_reads_the_very_pixels_that_the_careful_decoder_reads(shape: tuple[int, int], opaque: bool) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (*shape, 4), dtype=np.uint8)
    pixels[..., 3] = 255 if opaque else np.where(pixels[..., 3] < 60, 0, pixels[..., 3])
    pixels[pixels[..., 3] == 0] = 0
    data = normalise(Design(pixels=pixels, facts=FACTS))
    found = own_pixels(data)
    np.testing.assert_array_equal(found, decode(data, limits=DecodeLimits()).pixels)
    np.testing.assert_array_equal(found, pixels)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_what_is_none_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(DesignTruncated):
        own_pixels(data)


def test_a_copy_that_ends_early_is_an_error_of_ours() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    data = normalise(Design(pixels=pixels, facts=FACTS))
    with pytest.raises(DesignTruncated):
        own_pixels(data[: len(data) // 2])
