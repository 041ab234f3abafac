"""Faststart: a film's index moved before its pictures, so that a browser plays it while it loads (ISO/IEC 14496-12)."""

import struct
from collections.abc import Iterator

_CONTAINERS = (b"trak", b"mdia", b"minf", b"stbl")


def faststart(film: bytes) -> bytes:
    """Return an MP4 with its ``moov`` box before its ``mdat`` boxes; one that has it so already is returned as it is.

    Raises:
        ValueError: It is no MP4, or its index is missing.
    """
    boxes = list(_boxes(film, 0, len(film)))
    kinds = [kind for kind, _, _ in boxes]
    if b"moov" not in kinds or b"mdat" not in kinds:
        raise ValueError("the film has no index, or no pictures")
    if kinds.index(b"moov") < kinds.index(b"mdat"):
        return film
    _, start, end = boxes[kinds.index(b"moov")]
    first = boxes[kinds.index(b"mdat")][1]
    moov = bytearray(film[start:end])
    # What the index points to moves back by the index's own length.
    _shift(moov, 8, len(moov), end - start)
    return film[:first] + bytes(moov) + film[first:start] + film[end:]


def _boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first and last byte of each box."""
    while start < end:
        try:
            length, kind = struct.unpack_from(">I4s", data, start)
            if length == 1:
                length = struct.unpack_from(">Q", data, start + 8)[0]
        except struct.error as exc:
            raise ValueError("a box ends early") from exc
        if length == 0:
            length = end - start
        if length < 8 or start + length > end:
            raise ValueError(f"box {kind!r} does not fit into the film")
        yield kind, start, start + length
        start += length


def _shift(index: bytearray, start: int, end: int, by: int) -> None:
    for kind, first, last in list(_boxes(index, start, end)):
        if kind in _CONTAINERS:
            _shift(index, first + 8, last, by)
        elif kind in (b"stco", b"co64"):
            form, size = (">I", 4) if kind == b"stco" else (">Q", 8)
            count = struct.unpack_from(">I", index, first + 12)[0]
            for place in range(first + 16, first + 16 + count * size, size):
                struct.pack_into(form, index, place, struct.unpack_from(form, index, place)[0] + by)
