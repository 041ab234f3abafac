import io

import numpy as np
import pytest
from PIL import Image

from farm.errors import DesignDecodeFailed, DesignNotAnImage, DesignTooLarge, DesignTooManyPixels, DesignTruncated
from farm.picture.decode import DecodeLimits, decode
from farm.picture.decode_server import DecodeServer

LIMITS = DecodeLimits(max_bytes=200_000, max_pixels=400_000)


def png(side: int = 40) -> bytes:
    pixels = np.random.default_rng(side).integers(0, 256, (side, side + 7, 4), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_one_child_decodes_many_as_a_child_for_each_would() -> None:
    with DecodeServer(LIMITS, 20.0) as server:
        for side in (10, 200, 33):
            assert np.array_equal(server.decode(png(side)).pixels, decode(png(side), limits=LIMITS).pixels)


def test_a_bad_design_is_refused_and_the_next_one_is_decoded() -> None:
    with DecodeServer(LIMITS, 20.0) as server:
        with pytest.raises(DesignNotAnImage):
            server.decode(b"GIF89a")
        with pytest.raises(DesignTruncated):
            server.decode(png()[:300])
        with pytest.raises(DesignTooLarge):
            server.decode(b"x" * 200_001)
        with pytest.raises(DesignTooManyPixels):
            server.decode(_huge())
        assert server.decode(png()).pixels.shape == (40, 47, 4)


def _huge() -> bytes:
    out = io.BytesIO()
    Image.new("1", (4000, 4000)).save(out, "PNG")
    return out.getvalue()


def test_a_child_that_is_too_slow_is_ended_and_replaced() -> None:
    with DecodeServer(LIMITS, 20.0) as server:
        server.decode(png())
        server._deadline_s = 0.0
        with pytest.raises(DesignDecodeFailed):
            server.decode(png())
        server._deadline_s = 20.0
        assert server.decode(png()).pixels.shape == (40, 47, 4)
