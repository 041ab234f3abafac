"""The plainest PNG there is: eight bits, no metadata, one filter for all rows, packed by libdeflate.

Designs, textures and pictures are written while somebody waits. Choosing a filter for each row and searching long for
repetitions takes four times as long, and gains a thirtieth at most.
"""

import struct
import zlib

import numpy as np
from imagecodecs import deflate_encode
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SRGB = (b"sRGB", b"\0")
"""The chunk without which some viewers show colours as the screen happens to have them."""
FAST, SMALL = 1, 4
"""Levels: the second takes a quarter longer for a fortieth less."""
_UP = 2
"""Each byte less the one above it: flat areas and gradients become zeros, and numpy does it in one pass."""
_COLOUR = {3: 2, 4: 6}
"""Channels to PNG's number for them."""
_PIECE_BYTES = 1 << 30
"""Of a chunk: PNG's lengths have 31 bits."""


def plain_png(pixels: NDArray[np.uint8], *, level: int = FAST, chunks: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """A picture as PNG; equal pixels give equal bytes.

    Args:
        pixels: ``(H, W, 3) or (H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top.
        level: how long libdeflate searches, 1 to 12.
        chunks: name and body of what shall stand before the picture's data.
    """
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels).reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0)
    packed = memoryview(deflate_encode(filtered, level=level))
    pieces = [packed[at : at + _PIECE_BYTES] for at in range(0, len(packed), _PIECE_BYTES)]
    every: list[tuple[bytes, bytes | memoryview]] = [
        (b"IHDR", header),
        *chunks,
        *((b"IDAT", piece) for piece in pieces),
        (b"IEND", b""),
    ]
    return b"".join((SIGNATURE, *(part for name, body in every for part in chunk(name, body))))


def chunk(name: bytes, body: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """A chunk's parts: length, name, body, checksum."""
    return struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
