"""Packed bodies, however they are cut on their way; what they unpack to is bounded, whatever they say."""

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.adapters.unpacked import Unpackable, packing_of, unpacked


class TooLarge(Exception):
    pass


def plain(chunks: list[bytes], packing: str | None, limit_bytes: int = 10_000_000) -> bytes:
    return b"".join(unpacked(chunks, packing, limit_bytes=limit_bytes, too_large=TooLarge))


def bare(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


@given(
    st.binary(max_size=2000),
    st.sampled_from(["gzip", "members", "zlib", "bare", "long"]),
    st.integers(1, 400),
    st.sampled_from([b"", b"\0" * 40]),
)
def test_it_is_the_file_again_wherever_it_is_cut(data: bytes, kind: str, step: int, behind: bytes) -> None:
    if kind == "long":
        data = data * 500
    packed = {
        "gzip": gzip.compress,
        "long": gzip.compress,
        "members": lambda text: gzip.compress(text[:7]) + gzip.compress(text[7:]),
        "zlib": zlib.compress,
        "bare": bare,
    }[kind](data) + behind  # what stands behind the end is padding, as browsers take it
    chunks = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert plain(chunks, "deflate" if kind in ("zlib", "bare") else "gzip") == data


@given(st.integers(1, 200))
def test_one_that_ends_early_is_no_file(missing: int) -> None:
    packed = gzip.compress(bytes(range(256)))
    with pytest.raises(Unpackable):
        plain([packed[: max(0, len(packed) - missing)]], "gzip")


@given(st.binary(min_size=1))
def test_one_that_is_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(Unpackable):
        plain([b"x" + data], "gzip")


def test_a_bomb_is_left_when_it_passes_the_limit() -> None:
    def bomb() -> Iterator[bytes]:
        engine = zlib.compressobj(9, wbits=31)
        while True:  # as long as anybody reads
            taken.append(1)
            yield engine.compress(bytes(10_000_000))

    taken: list[int] = []
    came = unpacked(bomb(), "gzip", limit_bytes=20_000_000, too_large=TooLarge)
    lengths: list[int] = []
    with pytest.raises(TooLarge):
        lengths.extend(len(chunk) for chunk in came)
    assert max(lengths) <= 1 << 18, "memory is bounded by a chunk"
    assert len(taken) <= 4


def test_what_nobody_asked_for_is_refused_and_what_means_nothing_is_ignored() -> None:
    assert [packing_of(text) for text in ("", "identity", "aws-chunked", "aws-chunked, GZIP", "x-gzip", "deflate")] == [
        None, None, None, "gzip", "gzip", "deflate",
    ]  # fmt: skip
    for text in ("br", "zstd", "gzip, gzip", "compress", "ÿ"):
        with pytest.raises(Unpackable):
            packing_of(text)
