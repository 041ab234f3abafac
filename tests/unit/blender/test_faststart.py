"""A film's index moves to the front, and still points at its pictures."""

import struct

import pytest

from blender.faststart import faststart


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def film(offsets: list[int], wide: bool, *, moov_first: bool = False, pictures: bytes = b"ABCDEFGH") -> bytes:
    form = ">Q" if wide else ">I"
    table = struct.pack(">II", 0, len(offsets)) + b"".join(struct.pack(form, offset) for offset in offsets)
    index = box(b"co64" if wide else b"stco", table)
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        index = box(kind, index)
    head, data = box(b"ftyp", b"isom"), box(b"mdat", pictures)
    return head + (index + data if moov_first else data + index)


@pytest.mark.parametrize("wide", [False, True])
def test_the_index_moves_to_the_front_and_points_where_it_did(wide: bool) -> None:
    before = film([20, 24], wide)
    after = faststart(before)
    assert len(after) == len(before)
    assert after.index(b"moov") < after.index(b"mdat")
    size, kind = (8, b"co64") if wide else (4, b"stco")
    place = after.index(kind) + 12
    offsets = [int.from_bytes(after[place + size * i : place + size * (i + 1)]) for i in range(2)]
    assert [after[offset : offset + 4] for offset in offsets] == [b"ABCD", b"EFGH"]


def test_a_film_that_is_right_stays_as_it_is() -> None:
    assert faststart(film([1], False, moov_first=True)) == film([1], False, moov_first=True)


@pytest.mark.parametrize("broken", [b"", b"\0\0\0\x09ftypx", box(b"ftyp", b"isom"), film([20], False)[:-1], b"\0" * 20])
def test_what_is_no_whole_film_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"film|box"):
        faststart(broken)
