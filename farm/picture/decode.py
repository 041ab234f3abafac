"""An upload becomes a design: sRGB pixels with straight alpha, whatever the file was.

The format is told by its magic bytes alone. Sizes are checked on the header, before anything is decompressed.
Hostile files are met twice: here by reading only what is needed, and by `farm.picture.decode_child`, which runs this
module in a process of its own with limits on memory and time.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from blender.plain_png import plain_png
from farm.errors import BadDesign, DesignNotAnImage, DesignTooLarge, DesignTooManyPixels, DesignTruncated
from farm.picture.channels import colours
from farm.picture.jpeg import SIGNATURE as JPEG_SIGNATURE
from farm.picture.jpeg import orientation, parse_jpeg
from farm.picture.notice import Notice
from farm.picture.png import SIGNATURE as PNG_SIGNATURE
from farm.picture.png import decode_rows, parse_png

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What an operator lets in.

    Attributes:
        max_bytes: size of the file.
        max_pixels: width times height.
        max_decoded_bytes: size of the pixels as the file codes them (16-bit files weigh double).
    """

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 80_000_000
    max_decoded_bytes: int = 320_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignFacts:
    """What the file was.

    Attributes:
        format: ``png`` or ``jpeg``.
        mode: the file's own pixel format: ``L``, ``LA``, ``RGB``, ``RGBA``, ``P`` or ``CMYK``.
        width_px, height_px: of the design as it will be printed, after the camera's rotation.
        had_icc: a colour profile stood in the file, usable or not.
        exif_orientation: 1 to 8; 1 is upright.
        bit_depth: bits per sample in the file.
    """

    format: str
    mode: str
    width_px: int
    height_px: int
    had_icc: bool
    exif_orientation: int
    bit_depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A decoded design: pixels ``(H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top."""

    pixels: NDArray[np.uint8]
    facts: DesignFacts
    warnings: tuple[Notice, ...] = ()


def decode(data: bytes, *, limits: DecodeLimits) -> Design:
    """Decode a PNG or JPEG.

    Of an animated PNG the default image is taken, with a warning. Colours hidden under fully transparent pixels are
    erased, so that equal pictures become equal bytes and nothing unseen is published.

    Raises:
        DesignTooLarge: the file itself.
        DesignNotAnImage: neither PNG nor JPEG by its first bytes.
        DesignTooManyPixels: the header claims more than ``limits`` allow.
        DesignTruncated: cut off or damaged.
        BadDesign: a kind of PNG or JPEG that no shop uses (12-bit JPEG, arithmetic coding, …).
    """
    if len(data) > limits.max_bytes:
        raise DesignTooLarge(size_bytes=len(data), limit_bytes=limits.max_bytes)
    if data.startswith(PNG_SIGNATURE):
        design = _decode_png(data, limits)
    elif data.startswith(JPEG_SIGNATURE):
        design = _decode_jpeg(data, limits)
    else:
        raise DesignNotAnImage(reason=_guess(data))
    hidden = design.pixels[..., 3] == 0
    if hidden.any():
        design.pixels[hidden] = 0
    return design


def normalise(design: Design) -> bytes:
    """The design as a plain 8-bit PNG without metadata; equal pixels give equal bytes.

    An opaque design is written without alpha, which is smaller and decodes to the same pixels.
    """
    return plain_png(colours(design.pixels) if design.pixels[..., 3].min() == 255 else design.pixels)


def _guess(data: bytes) -> str:
    """What the file probably is, for the sender to see their mistake."""
    head = data[:512].lstrip().lower()
    if not data:
        return "the file is empty"
    if PNG_SIGNATURE.startswith(data[:8]) or JPEG_SIGNATURE.startswith(data[:3]):
        return f"the file ends after {len(data)} bytes"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "it looks like a WebP picture"
    if data[4:8] == b"ftyp":
        return "it looks like a HEIC or AVIF picture"
    looks = {
        b"gif8": "a GIF",
        b"%pdf": "a PDF",
        b"<svg": "an SVG drawing",
        b"<?xml": "an SVG or XML file",
        b"<!doctype": "a web page",
        b"<html": "a web page",
        b"8bps": "a Photoshop file",
        b"ii*\0": "a TIFF",
        b"mm\0*": "a TIFF",
        b"bm": "a BMP",
        b"pk\x03\x04": "a ZIP archive",
    }
    return next(
        (f"it looks like {what}" for magic, what in looks.items() if head.startswith(magic)), "unknown file type"
    )


def _check_size(width_px: int, height_px: int, decoded_bytes: int, limits: DecodeLimits) -> None:
    if width_px * height_px > limits.max_pixels:
        raise DesignTooManyPixels(width_px=width_px, height_px=height_px, limit_px=limits.max_pixels)
    if decoded_bytes > limits.max_decoded_bytes:
        fitting = width_px * height_px * limits.max_decoded_bytes // decoded_bytes
        raise DesignTooManyPixels(width_px=width_px, height_px=height_px, limit_px=fitting)


def _decode_png(data: bytes, limits: DecodeLimits) -> Design:
    png = parse_png(data)
    _check_size(png.width_px, png.height_px, png.decoded_bytes, limits)
    warnings: list[Notice] = []
    if png.animated:
        warnings.append(
            Notice(code="design_animated", message="The PNG is animated; only its still picture is printed.")
        )
    if png.damaged:
        message = f"Damaged parts of the PNG were ignored: {', '.join(png.damaged)}."
        warnings.append(Notice(code="design_metadata_damaged", message=message))
    if png.wide_gamut:
        message = "The PNG asks for a wide-gamut or HDR colour space (cICP), which is not supported: read as sRGB."
        warnings.append(Notice(code="design_profile_ignored", message=message))
    pixels = decode_rows(png)
    if png.profile is not None:
        grey = png.mode in ("L", "LA")
        colour = Image.fromarray(np.ascontiguousarray(pixels[..., 0]) if grey else colours(pixels))
        converted = _convert(colour, png.profile, warnings)
        if converted is not colour:
            pixels[..., :3] = np.asarray(converted.convert("RGB"))
    turn = _turn(png.exif, warnings)
    if turn != 1:
        pixels = np.array(Image.fromarray(pixels).transpose(_TURNS[turn]))
    facts = DesignFacts(
        format="png",
        mode=png.mode,
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        had_icc=png.profile is not None,
        exif_orientation=turn,
        bit_depth=png.bit_depth,
    )
    return Design(pixels=pixels, facts=facts, warnings=tuple(warnings))


def _decode_jpeg(data: bytes, limits: DecodeLimits) -> Design:
    warnings: list[Notice] = []
    jpeg = parse_jpeg(data)
    try:
        picture = JpegImageFile(io.BytesIO(jpeg.data))
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as error:
        raise DesignTruncated(reason="the JPEG's header cannot be read") from error
    mode, profile = picture.mode, picture.info.get("icc_profile")
    if mode not in ("L", "RGB", "CMYK"):
        raise BadDesign(reason=f"a JPEG of the unusual kind {mode!r}")
    width, height = picture.size
    _check_size(width, height, width * height * len(picture.getbands()), limits)
    try:
        picture.load()
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as error:
        raise DesignTruncated(reason=f"the JPEG's picture: {error}") from error
    loaded: Image.Image = picture
    if mode == "CMYK":
        loaded = _upright_ink(loaded, adobe="adobe" in picture.info)
    if profile is not None:
        loaded = _convert(loaded, profile, warnings)
    if loaded.mode == "CMYK":
        message = "The JPEG is CMYK without a usable profile: its colours were converted by a plain formula."
        warnings.append(Notice(code="design_cmyk_without_profile", message=message))
    loaded = loaded.convert("RGB")
    turn = _turn(jpeg.exif, warnings)
    if turn != 1:
        loaded = loaded.transpose(_TURNS[turn])
    pixels = np.array(loaded.convert("RGBA"))
    facts = DesignFacts(
        format="jpeg",
        mode=mode,
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        had_icc=profile is not None,
        exif_orientation=turn,
        bit_depth=8,
    )
    return Design(pixels=pixels, facts=facts, warnings=tuple(warnings))


def _upright_ink(picture: Image.Image, *, adobe: bool) -> Image.Image:
    """CMYK with 255 as full ink. Pillow turns every CMYK JPEG round as Adobe writes it; others are turned back here."""
    if adobe:
        return picture
    return Image.frombytes("CMYK", picture.size, np.bitwise_not(np.asarray(picture)).tobytes())


def _convert(picture: Image.Image, profile: bytes, warnings: list[Notice]) -> Image.Image:
    from farm.picture.icc import UnusableProfile, to_srgb  # few designs need it, and each child would pay its import

    try:
        if not profile:
            raise UnusableProfile("it cannot be read")
        return to_srgb(picture, profile)
    except UnusableProfile as error:
        message = f"The colour profile was ignored ({error}): colours are read as sRGB."
        warnings.append(Notice(code="design_profile_ignored", message=message))
        return picture


def _turn(exif: bytes, warnings: list[Notice]) -> int:
    if not exif:
        return 1
    turn = orientation(exif)
    if turn is None:
        warnings.append(
            Notice(code="design_metadata_damaged", message="The EXIF data could not be read and was ignored.")
        )
        return 1
    return turn
