"""The table of files that must be refused, each with the code of its refusal."""

import zlib
from collections.abc import Callable

import numpy as np

from tests.picture_designs.files import GREY, PALETTE, RGB, RGBA, SIGNATURE, chunk, encoded, header, png, rows

END = chunk(b"IEND", b"")


def _gradient(width: int = 64, height: int = 48) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 4, y * 5, (x + y) * 2, np.full_like(x, 255)], axis=-1).astype(np.uint8)


def _bomb() -> bytes:
    """Two and a half gigabytes of nothing in a few hundred kilobytes."""
    squeeze = zlib.compressobj(9)
    packed = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(64)) + squeeze.flush()
    return SIGNATURE + header(25_000, 25_000) + chunk(b"IDAT", packed) + END


def _noisy_png() -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (60, 60, 4), dtype=np.uint8)
    return encoded(noise)


def _bad_checksum() -> bytes:
    whole = bytearray(_noisy_png())
    whole[whole.index(b"IDAT") + 40] ^= 0xFF
    return bytes(whole)


def _bad_stream() -> bytes:
    return SIGNATURE + header(8, 8) + chunk(b"IDAT", b"\x78\x9c" + b"\xff" * 80) + END


def _short_stream() -> bytes:
    half = zlib.compress(rows(_gradient(16, 8), 8))
    return SIGNATURE + header(16, 16) + chunk(b"IDAT", half) + END


def _jpeg() -> bytes:
    return encoded(_gradient()[..., :3], "JPEG")


def _huge_jpeg() -> bytes:
    """A small JPEG whose header claims 65,000 x 65,000."""
    whole = bytearray(_jpeg())
    at = whole.index(b"\xff\xc0")
    whole[at + 5 : at + 9] = (65_000).to_bytes(2) + (65_000).to_bytes(2)
    return bytes(whole)


def _sixteen_bit_giant() -> bytes:
    """Within the pixel limit, but twice the bytes."""
    return SIGNATURE + header(8_900, 8_900, depth=16) + chunk(b"IDAT", zlib.compress(b"\0")) + END


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "design_not_an_image"),
    "one_byte": (lambda: b"\x89", "design_not_an_image"),
    "signature_only": (lambda: SIGNATURE, "design_truncated"),
    "gif": (lambda: encoded(_gradient()[..., 0], "GIF"), "design_not_an_image"),
    "webp": (lambda: encoded(_gradient(), "WEBP"), "design_not_an_image"),
    "bmp": (lambda: encoded(_gradient()[..., :3], "BMP"), "design_not_an_image"),
    "tiff": (lambda: encoded(_gradient(), "TIFF"), "design_not_an_image"),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "design_not_an_image"),
    "html": (lambda: b"<!doctype html><script>alert(1)</script>", "design_not_an_image"),
    "pdf": (lambda: b"%PDF-1.7\n" + _noisy_png(), "design_not_an_image"),
    "eps_of_ghostscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "design_not_an_image"),
    "png_behind_a_newline": (lambda: b"\n" + _noisy_png(), "design_not_an_image"),
    "text": (lambda: b"hello", "design_not_an_image"),
    "bomb": (_bomb, "design_too_many_pixels"),
    "jpeg_claiming_4_gigapixels": (_huge_jpeg, "design_too_many_pixels"),
    "sixteen_bit_giant": (_sixteen_bit_giant, "design_too_many_pixels"),
    "header_of_no_size": (lambda: SIGNATURE + header(0, 5) + END, "design_not_an_image"),
    "header_with_top_bit": (lambda: SIGNATURE + header(2**31, 5) + END, "design_not_an_image"),
    "depth_3": (lambda: SIGNATURE + header(5, 5, depth=3) + END, "design_not_an_image"),
    "colour_type_5": (lambda: SIGNATURE + header(5, 5, colour=5) + END, "design_not_an_image"),
    "no_header": (lambda: SIGNATURE + chunk(b"IDAT", b"") + END, "design_not_an_image"),
    "no_data": (lambda: SIGNATURE + header(5, 5) + END, "design_truncated"),
    "no_end": (lambda: _noisy_png()[:-12], "design_truncated"),
    "png_cut_in_half": (lambda: _noisy_png()[: len(_noisy_png()) // 2], "design_truncated"),
    "png_cut_in_header": (lambda: _noisy_png()[:20], "design_truncated"),
    "png_bad_checksum": (_bad_checksum, "design_truncated"),
    "png_bad_stream": (_bad_stream, "design_truncated"),
    "png_short_stream": (_short_stream, "design_truncated"),
    "png_without_palette": (lambda: png([[0, 1]], colour=PALETTE), "design_truncated"),
    "chunk_longer_than_file": (lambda: SIGNATURE + header(5, 5) + b"\x7f\xff\xff\xffIDATxx" + END, "design_truncated"),
    "chunk_without_a_name": (lambda: png([[0]], colour=GREY, extra=chunk(b"\0\xff\n<", b"")), "design_truncated"),
    "jpeg_cut_in_half": (lambda: _jpeg()[: len(_jpeg()) // 2], "design_truncated"),
    "jpeg_cut_in_header": (lambda: _jpeg()[:30], "design_truncated"),
    "jpeg_signature_only": (lambda: b"\xff\xd8\xff\xe0", "design_truncated"),
}


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "one_pixel": lambda: png([[[1, 2, 3, 4]]], colour=RGBA),
    "wide_30000_by_10": lambda: encoded(np.full((10, 30_000, 3), 77, np.uint8)),
    "tall_10_by_30000": lambda: encoded(np.full((30_000, 10, 3), 77, np.uint8)),
    "zip_behind_png": lambda: png(np.zeros((4, 4)), colour=GREY, tail=b"PK\x03\x04" + bytes(1000)),
    "script_in_text": lambda: png(np.zeros((4, 4)), colour=GREY, extra=chunk(b"tEXt", b"a\0<script>alert(1)</script>")),
    "text_bomb": lambda: png(
        np.zeros((4, 4)), colour=GREY, extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))
    ),
    "profile_bomb": lambda: png(
        np.zeros((4, 4, 3)), colour=RGB, extra=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))
    ),
    "half_a_million_chunks": lambda: png([[0]], colour=GREY, extra=chunk(b"prIv", b"") * 500_000),
    "broken_text_checksum": lambda: png(np.zeros((4, 4)), colour=GREY, extra=chunk(b"tEXt", b"a\0b")[:-4] + b"oops"),
    "interlaced": lambda: _interlaced(),
}
"""Odd files that are pictures nevertheless, and must decode."""


def _interlaced() -> bytes:
    """A 2 x 1 Adam7 picture: two passes of one pixel each."""
    data = zlib.compress(b"\0\x0a\x0b\x0c\xff" + b"\0\x0d\x0e\x0f\xff")
    return SIGNATURE + header(2, 1, interlace=1) + chunk(b"IDAT", data) + END
