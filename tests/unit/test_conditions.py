"""Headers of readers, as they come: versions compared weakly, ranges of any length, lengths that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conditions import one_range, plain_ranges, stated_bytes, still_valid, unchanged

MANY = "9" * 5000
"""More digits than `int` takes."""


@pytest.mark.parametrize("etag", ['"a"', 'W/"a"'])
@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", W/"a"', True),
        ('"b",W/"c","a"', True),
        ("*", True),
        (" * ", True),
        ('"b"', False),
        ('"a', False),
        ("a", False),
        ('"x, \\"a\\""', False),
        ('"x,y"', False),
        ("", False),
        (None, False),
    ],
)
def test_versions_are_compared_weakly_in_lists_and_with_a_star(sent: str | None, etag: str, known: bool) -> None:
    assert unchanged(sent, etag) is known


def test_a_range_is_of_the_same_version_or_the_whole_is_sent() -> None:
    assert still_valid(None, '"a"')
    assert still_valid('"a"', '"a"')
    assert not still_valid('W/"a"', '"a"')
    assert not still_valid('W/"a"', 'W/"a"')
    assert not still_valid("Wed, 21 Oct 2015 07:28:00 GMT", '"a"')
    assert not still_valid('"a"', None)


@pytest.mark.parametrize(
    ("sent", "plain", "part"),
    [
        ("bytes=0-1", "bytes=0-1", (0, 2)),
        ("Bytes = 2-", "bytes=2-", (2, 100)),
        ("bytes=-5", "bytes=-5", (95, 100)),
        ("bytes=007-8", "bytes=7-8", (7, 9)),
        ("bytes=00-0", "bytes=0-0", (0, 1)),
        (f"bytes=0-{MANY}", f"bytes=0-{'9' * 18}", (0, 100)),
        (f"bytes=-{MANY}", f"bytes=-{'9' * 18}", (0, 100)),
        (f"bytes={MANY}-", f"bytes={'9' * 18}-", (int("9" * 18), 100)),
        ("bytes=-0", "bytes=-0", (100, 100)),
        ("bytes=0-1, 4-5,", "bytes=0-1,4-5", None),
        ("bytes=5-2", None, None),
        ("bytes=-", None, None),
        ("bytes=", None, None),
        ("bytes=a-b", None, None),
        ("bytes=0-1,x", None, None),
        ("bytes=1-2-3", None, None),
        ("bytes=²-3", None, None),
        ("bytes=-1-5", None, None),
        ("lines=0-1", None, None),
        ("0-1", None, None),
        (None, None, None),
    ],
)
def test_ranges(sent: str | None, plain: str | None, part: tuple[int, int] | None) -> None:
    assert plain_ranges(sent) == plain
    assert one_range(sent, 100) == part


@given(st.text(alphabet="bytes= -,0123456789x\t²", max_size=40), st.integers(0, 10**9))
def test_no_range_raises_anything_and_what_is_answered_lies_inside(sent: str, size_bytes: int) -> None:
    plain = plain_ranges(sent)
    assert plain is None or plain_ranges(plain) == plain
    part = one_range(sent, size_bytes)
    if part is not None and part[0] < part[1]:
        assert 0 <= part[0] < part[1] <= size_bytes


@pytest.mark.parametrize(
    ("sent", "bytes_"),
    [("12", 12), ("0", 0), (MANY, int("9" * 18)), ("²", 0), ("-1", 0), ("+5", 0), ("", 0), (None, 0)],
)
def test_a_stated_length_is_a_number_or_nothing(sent: str | None, bytes_: int) -> None:
    assert stated_bytes(sent) == bytes_
