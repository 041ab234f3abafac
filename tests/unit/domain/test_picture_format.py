"""Which format a browser gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.domain.picture_format import PictureFormat, negotiated


@pytest.mark.parametrize(
    ("accept", "opaque", "format"),
    [
        (None, True, "jpeg"),
        (None, False, "png"),
        ("*/*", True, "jpeg"),
        ("image/*", False, "png"),
        ("image/avif,image/webp,*/*", True, "webp"),
        ("image/avif,image/webp;q=0.5", True, "avif"),
        ("IMAGE/AVIF", False, "avif"),
        ("image/jpeg,image/png;q=0.1", True, "jpeg"),
        ("image/jpeg", False, "png"),
        ("image/webp;q=0", True, "jpeg"),
        ("image/webp;q=nan,image/png", True, "png"),
        ("image/webp;q=1e999", True, "webp"),
    ],
)
def test_the_best_that_is_named_else_what_everything_shows(accept: str | None, opaque: bool, format: str) -> None:
    assert negotiated(accept, opaque=opaque) == format


@given(st.text(), st.booleans())
def test_whatever_stands_there_gets_a_picture(accept: str, opaque: bool) -> None:
    found = negotiated(accept, opaque=opaque)
    assert isinstance(found, PictureFormat)
    assert opaque or found.has_alpha
