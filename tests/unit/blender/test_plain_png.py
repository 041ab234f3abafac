"""The plain PNG: every reader reads it, there is nothing in it but the picture, and it is small enough."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blender.plain_png import SMALL, SRGB, plain_png
from farm.picture.decode import DecodeLimits, decode
from farm.picture.png import SIGNATURE, parse_png


def picture(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (33, 65)])
def test_other_readers_find_the_same_pixels(height: int, width: int, channels: int) -> None:
    pixels = picture(height, width, channels)
    png = plain_png(pixels)
    with Image.open(io.BytesIO(png)) as read:
        read.load()  # with its checksums
        assert read.mode == {3: "RGB", 4: "RGBA"}[channels]
        assert np.array_equal(np.asarray(read), pixels)
    design = decode(png, limits=DecodeLimits()).pixels
    shown = design[..., 3] > 0  # colours that nobody sees are erased
    assert np.array_equal(design[shown][:, :channels], pixels[shown])


def test_nothing_else_is_in_it() -> None:
    png = plain_png(picture(20, 30, 4))
    names, at = [], len(SIGNATURE)
    while at < len(png):
        names.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    assert names == [b"IHDR", b"IDAT", b"IEND"]
    assert at == len(png)
    assert parse_png(png).bit_depth == 8


def test_a_chunk_that_is_asked_for_stands_before_the_data() -> None:
    pixels = picture(20, 30, 3)
    png = plain_png(pixels, level=SMALL, chunks=(SRGB,))
    assert png[len(SIGNATURE) + 25 :][4:8] == b"sRGB"
    with Image.open(io.BytesIO(png)) as read:
        read.load()
        assert read.info["srgb"] == 0
        assert np.array_equal(np.asarray(read), pixels)


def test_views_of_larger_pictures_are_written_as_they_look() -> None:
    whole = picture(9, 12, 4)
    for view in (whole[..., :3], whole[::2, 1:], whole[::-1]):
        assert plain_png(view) == plain_png(view.copy())


def test_a_drawing_takes_no_more_than_with_the_usual_settings() -> None:
    down, right = np.mgrid[0:400, 0:300]
    inside = (down - 200) ** 2 + (right - 150) ** 2 < 120**2
    drawing = np.zeros((400, 300, 4), np.uint8)
    drawing[inside] = (200, 30, 60, 255)
    drawing[250:, :, 0], drawing[250:, :, 3] = (right[250:] % 256), 255
    usual = io.BytesIO()
    Image.fromarray(drawing).save(usual, "PNG", compress_level=3)
    assert len(plain_png(drawing)) <= len(usual.getvalue())
