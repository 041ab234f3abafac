"""Bodies that a server packed (``Content-Encoding``), unpacked as they come; what counts is their size afterwards."""

import zlib
from collections.abc import Callable, Iterable, Iterator

_CHUNK_BYTES = 1 << 18
_GZIP, _ZLIB, _BARE = 31, 15, -15
"""What zlib calls the three ways to wrap the same thing."""


class Unpackable(ValueError):
    """Why a body cannot be unpacked, as the end of a sentence."""


def packing_of(header: str) -> str | None:
    """How a body is packed, by its ``Content-Encoding``: ``gzip``, ``deflate`` or not at all.

    Raises:
        Unpackable: otherwise; only a server that packs unasked does so.
    """
    # Some buckets keep how the object was once sent to them; it has not been so since.
    given = [part for part in header.replace(" ", "").lower().split(",") if part not in ("", "identity", "aws-chunked")]
    if not given:
        return None
    if given in (["gzip"], ["x-gzip"]):
        return "gzip"
    if given == ["deflate"]:
        return "deflate"
    raise Unpackable(f"it is packed as {header[:40]!r}, which nobody asked for; serve it plain or with gzip")


def unpacked(
    chunks: Iterable[bytes], packing: str | None, *, limit_bytes: int, too_large: Callable[[], Exception]
) -> Iterator[bytes]:
    """The plain bytes, in chunks of bounded size.

    Args:
        limit_bytes: of the plain bytes; ``too_large`` makes what is raised behind it, before more is unpacked.

    Raises:
        Unpackable: when they are not what was announced, or end early.
    """
    if packing is None:
        yield from chunks
        return
    read, whole, over = 0, False, False
    engine = None
    for chunk in chunks:
        data, full = chunk, False
        while (data or full) and not over:
            if engine is None:
                over = whole and not data.startswith(b"\x1f\x8b")  # neither a further member: browsers ignore it too
                if over:
                    break
                engine, whole = zlib.decompressobj(_wrapping(packing, data)), False
            try:
                plain = engine.decompress(data, _CHUNK_BYTES)
            except zlib.error as error:
                raise Unpackable(f"its body is not the {packing} that it is said to be") from error
            read += len(plain)
            if read > limit_bytes:
                raise too_large()
            if plain:
                yield plain
            # What did not fit comes with the next call, though nothing may be left to be given to it.
            data, full = engine.unconsumed_tail, len(plain) == _CHUNK_BYTES
            if engine.eof:
                data, full, engine, whole = engine.unused_data, False, None, True
    if not whole:
        raise Unpackable("its packed body ended early")


def _wrapping(packing: str, data: bytes) -> int:
    if packing == "gzip":
        return _GZIP
    return _ZLIB if data[0] & 0x0F == 8 else _BARE
