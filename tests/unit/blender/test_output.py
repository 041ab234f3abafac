"""Finished files: in the asked format, tagged sRGB, without a word about the machine they were made on."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from blender.output import srgb_profile, write_picture


def _written(folder: Path, form: str, background: str | None) -> bytes:
    pixels = np.zeros((40, 30, 4), np.uint8)
    pixels[5:35, 5:25] = (200, 16, 46, 255)
    out = folder / f"picture.{form}"
    write_picture(pixels, (10, 0, 40, 40), out, width_px=50, height_px=40, background=background, format=form)
    return out.read_bytes()


@pytest.mark.parametrize(
    ("form", "background", "mode"),
    [
        ("png", None, "RGBA"),
        ("png", "#eeeeee", "RGB"),
        ("jpeg", None, "RGB"),
        ("webp", None, "RGBA"),
        ("webp", "#102040", "RGB"),
    ],
)
def test_a_file_says_that_it_is_srgb_and_nothing_of_where_it_was_made(
    tmp_path: Path, form: str, background: str | None, mode: str
) -> None:
    data = _written(tmp_path, form, background)
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        assert (opened.format or "").lower() == form
        assert (opened.mode, opened.size) == (mode, (50, 40))
        if form == "png":
            assert opened.info["srgb"] == 0
        else:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
            assert "sRGB" in ImageCms.getProfileDescription(profile)
        assert not opened.getexif()
        red, green, blue, _ = opened.convert("RGBA").getpixel((25, 20))  # type: ignore[misc]
        assert max(abs(red - 200), abs(green - 16), abs(blue - 46)) <= 4
    assert str(tmp_path).encode() not in data
    assert _written(tmp_path, form, background) == data


def test_the_profile_has_no_date_of_its_own() -> None:
    assert srgb_profile()[24:36] == bytes((0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    assert len(srgb_profile()) < 1000
