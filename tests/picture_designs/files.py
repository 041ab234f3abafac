"""PNG and JPEG files written byte by byte, so that a test can say exactly what is in them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(width: int, height: int, *, depth: int = 8, colour: int = RGBA, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def rows(samples: Any, depth: int) -> bytes:
    """Unfiltered PNG rows of ``(H, W)`` or ``(H, W, channels)`` integers, before compression."""
    lines = []
    for line in np.atleast_3d(np.asarray(samples)):
        if depth == 16:
            packed = line.astype(">u2").tobytes()
        elif depth == 8:
            packed = line.astype(np.uint8).tobytes()
        else:
            bits = (line.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
            packed = np.packbits(bits.astype(np.uint8)).tobytes()
        lines.append(b"\0" + packed)
    return b"".join(lines)


def png(samples: Any, *, colour: int, depth: int = 8, extra: bytes = b"", tail: bytes = b"") -> bytes:
    """A whole PNG; ``extra`` are chunks between header and data, ``tail`` follows the end."""
    array = np.atleast_3d(np.asarray(samples))
    assert array.shape[2] == _CHANNELS[colour]
    data = zlib.compress(rows(array, depth))
    start = SIGNATURE + header(array.shape[1], array.shape[0], depth=depth, colour=colour)
    return start + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"") + tail


def encoded(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """Pillow's own file of an array or picture."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An RGB profile in which red and green have changed places: no conversion can be mistaken for none."""
    profile = bytearray(srgb_profile())
    count = struct.unpack_from(">I", profile, 128)[0]
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile))


def without_adobe_marker(jpeg: bytes) -> bytes:
    """The same JPEG with its Adobe segment (APP14) taken out."""
    at = jpeg.index(b"\xff\xee")
    size = int.from_bytes(jpeg[at + 2 : at + 4])
    return jpeg[:at] + jpeg[at + 2 + size :]


D50 = b"XYZ " + bytes(4) + bytes.fromhex("0000f6d6000100000000d32d")


def profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC v2 profile of the given tags."""
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    head[0:4] = struct.pack(">I", at + len(body))
    head[8:12] = bytes.fromhex("02100000")
    head[12:16], head[16:20], head[20:24], head[36:40] = kind, space, connection, b"acsp"
    head[68:80] = D50[8:]
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


def black_ink_profile() -> bytes:
    """A CMYK press whose colours depend on black ink alone: a lookup table with two steps an ink, into Lab."""
    identity = bytes(range(256))
    lab = b"".join(bytes([255 if corner % 2 == 0 else 0, 128, 128]) for corner in range(16))
    matrix = struct.pack(">9I", 65_536, 0, 0, 0, 65_536, 0, 0, 0, 65_536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + lab + identity * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": D50, b"A2B0": table})
