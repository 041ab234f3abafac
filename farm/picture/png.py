"""A PNG container, read by ourselves: what is not needed for the picture never reaches a parser.

Only the header, palette, transparency and the default image's data are kept, each with its checksum verified; text,
animation frames and whatever follows the end are left behind. The compressed rows then go to libspng in a container of
our own making. Where that does not know the format, or finds fault, they go to Pillow's ``zip`` codec, without Pillow's
own reading of chunks: it takes four times as long.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from imagecodecs import SpngError, spng_decode
from numpy.typing import NDArray
from PIL import Image

from blender.plain_png import SIGNATURE as SIGNATURE
from blender.plain_png import chunk
from farm.errors import DesignNotAnImage, DesignTruncated
from farm.picture.channels import opaque

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""The largest real profiles (printers' lookup tables) have about 2 MB; a compressed one may claim gigabytes."""

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGBA: (8, 16)}
_MODES = {_GREY: "L", _RGB: "RGB", _PALETTE: "P", _GREY_ALPHA: "LA", _RGBA: "RGBA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PngFile:
    """What a PNG says of itself, and its still compressed rows.

    Attributes:
        mode: ``L``, ``LA``, ``RGB``, ``RGBA`` or ``P``, as in the file.
        transparency: the ``tRNS`` chunk: alpha per palette entry, or the one transparent colour (16 bits a channel).
        profile: the ICC profile, decompressed; empty bytes when there is one that cannot be read.
        gamma: the ``gAMA`` exponent where nothing better (``sRGB``, ``iCCP``) is said.
        animated: other frames existed.
        damaged: names of optional chunks dropped because of a wrong checksum, the first few.
    """

    width_px: int
    height_px: int
    bit_depth: int
    mode: str
    interlaced: bool
    data: bytes
    palette: bytes = b""
    transparency: bytes | None = None
    profile: bytes | None = None
    gamma: float | None = None
    exif: bytes = b""
    animated: bool = False
    wide_gamut: bool = False
    damaged: tuple[str, ...] = ()

    @property
    def decoded_bytes(self) -> int:
        """Size of the rows once decompressed."""
        return (self.width_px * self.decoded_bits_per_pixel + 7) // 8 * self.height_px

    @property
    def decoded_bits_per_pixel(self) -> int:
        return {"L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4}[self.mode] * self.bit_depth


def parse_png(data: bytes) -> PngFile:
    """Read the container; decompresses nothing but a bounded colour profile.

    Raises:
        DesignNotAnImage: the signature is right and the header is not.
        DesignTruncated: a needed chunk is missing, cut off, or fails its checksum.
    """
    chunks = _chunks(data)
    try:
        name, body, intact = next(chunks)
    except StopIteration:
        raise DesignTruncated(reason="the PNG ends after its signature") from None
    if name != b"IHDR" or len(body) != 13:
        raise DesignNotAnImage(reason="the PNG does not begin with its header")
    if not intact:
        raise DesignTruncated(reason="the PNG's header fails its checksum")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise DesignNotAnImage(reason="the PNG's header names a pixel format that does not exist")
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise DesignNotAnImage(reason="the PNG's header gives it no size")

    found: dict[bytes, bytes] = {}
    rows: list[bytes] = []
    damaged: set[str] = set()
    ended = False
    for name, body, intact in chunks:
        critical = not name[0] & 0x20
        if not intact and critical:
            raise DesignTruncated(reason=f"the PNG's {name.decode('ascii')} chunk fails its checksum")
        if name == b"IEND":
            ended = True
            break
        if name == b"IDAT":
            rows.append(body)
        elif not intact:
            damaged.add(name.decode("ascii"))
        elif name in _WANTED:
            found.setdefault(name, body)
    if not rows:
        raise DesignTruncated(reason="the PNG has no picture data")
    if not ended:
        raise DesignTruncated(reason="the PNG has no end")
    if colour == _PALETTE and not 3 <= len(found.get(b"PLTE", b"")) <= 768:
        raise DesignTruncated(reason="the PNG's palette is missing")

    gamma = None
    if b"gAMA" in found and not found.keys() & {b"sRGB", b"iCCP", b"cICP"} and len(found[b"gAMA"]) == 4:
        gamma = int.from_bytes(found[b"gAMA"]) / 100_000
    return PngFile(
        width_px=width,
        height_px=height,
        bit_depth=depth,
        mode=_MODES[colour],
        interlaced=bool(interlace),
        data=b"".join(rows),
        palette=found.get(b"PLTE", b""),
        transparency=found.get(b"tRNS") if colour in (_GREY, _RGB, _PALETTE) else None,
        profile=_profile(found[b"iCCP"]) if b"iCCP" in found else None,
        gamma=gamma,
        exif=found.get(b"eXIf", b""),
        animated=b"acTL" in found,
        wide_gamut=b"cICP" in found and found[b"cICP"][:2] != b"\x01\x0d",
        damaged=tuple(sorted(damaged)[:5]),
    )


_WANTED = frozenset({b"PLTE", b"tRNS", b"iCCP", b"gAMA", b"sRGB", b"cICP", b"eXIf", b"acTL"})


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name, body and whether the checksum holds, up to the end of the file or a chunk that is cut off."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        name = data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            raise DesignTruncated(reason="the PNG is cut off in the middle")
        if not (name.isalpha() and name.isascii()):
            raise DesignTruncated(reason="the PNG's chunks have no names")
        body = data[at + 8 : at + 8 + size]
        stored = int.from_bytes(data[at + 8 + size : at + 12 + size])
        yield name, body, zlib.crc32(body, zlib.crc32(name)) == stored
        at += 12 + size


def _profile(body: bytes) -> bytes:
    """The profile of an ``iCCP`` chunk, or empty bytes when it is malformed or absurdly large."""
    _, _, rest = body.partition(b"\0")
    if len(rest) < 2 or rest[0] != 0:
        return b""
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if inflate.eof else b""


def decode_rows(png: PngFile) -> NDArray[np.uint8]:
    """The picture as it is coded: ``(H, W, 4) uint8``, file's own colour space, straight alpha, row 0 at the top.

    Sixteen-bit samples are rounded (not cut) to eight bits, after the file's ``gamma`` where it has one.

    Raises:
        DesignTruncated: the rows end early or do not decompress.
    """
    coded: NDArray[np.uint8] | NDArray[np.uint16] | None = _at_once(png)
    if coded is None:
        _check_rows(png)
        coded = _sixteen_bits(png) if png.bit_depth == 16 else _eight_bits(png)
    if png.bit_depth == 16:
        samples = _to_bytes(coded.astype(np.uint16, copy=False), png.gamma)
    else:
        samples = coded.astype(np.uint8, copy=False)
        if png.mode != "P" and (table := _gamma_table(png.gamma, 255)) is not None:
            samples = samples.copy()
            colours = 3 if samples.shape[2] > 2 else 1
            samples[..., :colours] = table[samples[..., :colours]]

    if png.mode == "RGBA":
        return samples if samples.flags.writeable else samples.copy()
    rgba = opaque(samples)
    if png.mode == "P":
        colours_table = np.zeros((256, 3), np.uint8)
        entries = np.frombuffer(png.palette[: len(png.palette) // 3 * 3], np.uint8).reshape(-1, 3)
        colours_table[: len(entries)] = entries
        if (table := _gamma_table(png.gamma, 255)) is not None:
            colours_table = table[colours_table]
        rgba[..., :3] = colours_table[samples[..., 0]]
        if png.transparency:
            alpha = np.full(256, 255, np.uint8)
            alpha[: len(png.transparency)] = np.frombuffer(png.transparency[:256], np.uint8)
            rgba[..., 3] = alpha[samples[..., 0]]
        return rgba
    if png.mode == "LA":
        rgba[..., 3] = samples[..., -1]
    elif png.transparency is not None and len(png.transparency) >= 2 * coded.shape[2]:
        key = np.frombuffer(png.transparency[: 2 * coded.shape[2]], ">u2").astype(np.uint16)
        if png.bit_depth < 8:
            # The codec spreads 1, 2 and 4 bits over 0..255; the key is still in the file's own steps.
            key = key * np.uint16(255 // (2**png.bit_depth - 1))
        rgba[(coded == key).all(axis=2), 3] = 0
    return rgba


def _at_once(png: PngFile) -> NDArray[np.uint8] | None:
    """Whole bytes of grey, RGB or RGBA, ``(H, W, channels)``; ``None`` when the slow way shall look, and tell."""
    if png.bit_depth != 8 or png.mode not in ("L", "RGB", "RGBA"):
        return None
    try:
        found: NDArray[np.uint8] = spng_decode(_container(png))
    except (SpngError, RuntimeError, ValueError):
        return None
    return found.reshape(png.height_px, png.width_px, len(png.mode))


def _container(png: PngFile) -> bytes:
    colour = next(number for number, mode in _MODES.items() if mode == png.mode)
    header = struct.pack(">IIBBBBB", png.width_px, png.height_px, png.bit_depth, colour, 0, 0, int(png.interlaced))
    return b"".join((SIGNATURE, *chunk(b"IHDR", header), *chunk(b"IDAT", png.data), *chunk(b"IEND", b"")))


def _check_rows(png: PngFile) -> None:
    """The codec leaves rows that never came black; so count what is there, holding no more than a megabyte of it."""
    wanted = png.decoded_bytes + png.height_px
    if png.interlaced:
        bits = png.decoded_bits_per_pixel
        wanted = 0
        for left, top, right, down in _ADAM7:
            across, lines = -(-(png.width_px - left) // right), -(-(png.height_px - top) // down)
            if across > 0 and lines > 0:
                wanted += (1 + (across * bits + 7) // 8) * lines
    inflate = zlib.decompressobj()
    rest, found = png.data, 0
    try:
        while found < wanted and not inflate.eof and rest:
            found += len(inflate.decompress(rest, 1 << 20))
            rest = inflate.unconsumed_tail
        if found < wanted:
            raise DesignTruncated(reason="the PNG's rows end early")
    except zlib.error as error:
        raise DesignTruncated(reason=f"the PNG's rows: {error}") from error


_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, column step, row step of each pass."""


def _unpack(png: PngFile, mode: str, raw: str) -> NDArray[np.uint8]:
    try:
        picture = Image.frombytes(mode, (png.width_px, png.height_px), png.data, "zip", raw, int(png.interlaced))
    except (ValueError, OSError) as error:
        raise DesignTruncated(reason=f"the PNG's rows: {error}") from error
    array = np.asarray(picture)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    return array if array.ndim == 3 else array[..., np.newaxis]


def _eight_bits(png: PngFile) -> NDArray[np.uint8]:
    if png.mode == "L":
        return _unpack(png, "1", "1") if png.bit_depth == 1 else _unpack(png, "L", _raw("L", png.bit_depth))
    if png.mode == "P":
        return _unpack(png, "P", _raw("P", png.bit_depth))
    return _unpack(png, png.mode, png.mode)


def _raw(mode: str, bit_depth: int) -> str:
    return mode if bit_depth == 8 else f"{mode};{bit_depth}"


def _sixteen_bits(png: PngFile) -> NDArray[np.uint16]:
    """``(H, W, channels) uint16``. Pillow keeps only the high byte of such samples, so both bytes are asked for.

    Grey and grey-alpha rows have 2 and 4 bytes a pixel, the same as 8-bit LA and RGBA, and are unpacked as those; of
    RGB and RGBA the high bytes (``;16B``) and then the low ones (``;16L``, which takes the second byte) are unpacked.
    """
    if png.mode == "L":
        return _join(_unpack(png, "LA", "LA"))
    if png.mode == "LA":
        return _join(_unpack(png, "RGBA", "RGBA"))
    high = _unpack(png, png.mode, f"{png.mode};16B")
    samples = high.astype(np.uint16)
    samples <<= 8
    del high
    samples |= _unpack(png, png.mode, f"{png.mode};16L")
    return samples


def _join(pairs: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return np.ascontiguousarray(pairs).view(">u2").astype(np.uint16)


def _to_bytes(samples: NDArray[np.uint16], gamma: float | None) -> NDArray[np.uint8]:
    rounded = ((np.arange(65_536, dtype=np.uint32) + 128) // 257).astype(np.uint8)
    table = _gamma_table(gamma, 65_535)
    if table is None:
        return rounded[samples]
    alpha = samples.shape[2] in (2, 4)
    result = table[samples]
    if alpha:
        result[..., -1] = rounded[samples[..., -1]]
    return result


def _gamma_table(gamma: float | None, top: int) -> NDArray[np.uint8] | None:
    """From samples coded with ``linear ** gamma`` to sRGB bytes; ``None`` where the samples are sRGB, near enough.

    0.45455 is what sRGB files write; values far outside are mistakes of the writer and are not believed.
    """
    if gamma is None or abs(gamma - 1 / 2.2) < 0.02 or not 0.2 <= gamma <= 1.5:
        return None
    linear = np.linspace(0.0, 1.0, top + 1) ** (1.0 / gamma)
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(coded * 255).astype(np.uint8)
