"""From a window of pixels to the file a shop gets: edges, background, format. Knows neither Blender nor the farm."""

import functools
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from blender.edges import clean_edges
from blender.shadow import Shade
from blender.texture import linear_to_srgb, srgb_to_linear

Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the whole picture; right and bottom are the first that no longer belong."""


def write_picture(
    pixels: NDArray[np.uint8],
    window: Window,
    out: Path | BinaryIO,
    *,
    width_px: int,
    height_px: int,
    background: str | None,
    format: str,
    shade: Shade | None = None,
) -> None:
    """Put a window of pixels into the whole picture, over the background, in the format.

    Whatever made the pixels, path tracer or relighting, comes through here, so that the two differ in light alone.

    Args:
        pixels: (H, W, 4) uint8, sRGB, straight alpha, row 0 at the top; its edges are cleaned in place.
        background: ``#rrggbb``, exactly this colour behind the garment, or ``None`` for transparent.
        format: ``png``, ``jpeg`` (on white where no background is named), ``avif`` or ``webp``.
        shade: the garment's shadow, or ``None``.

    Raises:
        ValueError: The pixels do not fill the window.
    """
    if pixels.shape[:2] != (window[3] - window[1], window[2] - window[0]):
        raise ValueError(f"{pixels.shape[1]}×{pixels.shape[0]} pixels for the window {window}")
    clean_edges(pixels)
    picture = Image.new("RGBA", (width_px, height_px))
    picture.paste(Image.fromarray(pixels), window[:2])
    background = background or ("#ffffff" if format == "jpeg" else None)
    if background is not None:
        picture = over(picture, background, shade)
    elif shade is not None:
        picture = with_shadow(picture, shade)
    if format == "png":
        chunks = PngInfo()
        chunks.add(b"sRGB", b"\0")  # Without it, some viewers show the colours as the screen happens to have them.
        picture.save(out, "PNG", compress_level=4, pnginfo=chunks)
    elif format == "jpeg":
        picture.save(out, "JPEG", quality=93, subsampling=0, icc_profile=srgb_profile())
    elif format == "avif":
        picture.save(out, "AVIF", quality=80, speed=8, icc_profile=srgb_profile())
    else:
        picture.save(out, "WEBP", quality=92, method=3, icc_profile=srgb_profile())


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, the same bytes each time: the date of its making is left out."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def over(picture: Image.Image, color: str, shade: Shade | None = None) -> Image.Image:
    """Return an RGB picture over exactly this sRGB colour, darkened where the shadow is, mixed in linear light."""
    pixels = np.asarray(picture)
    ground = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
    grounds = np.broadcast_to(ground, (*pixels.shape[:2], 3))
    if shade is not None:
        darkened = grounds.copy()
        rows, columns = _place(shade)
        darkened[rows, columns] = np.round(ground * (1 - shade.density[..., None])).astype(np.uint8)
        grounds = darkened
    result = np.where(pixels[..., 3:] == 255, pixels[..., :3], grounds)
    edge = (pixels[..., 3] > 0) & (pixels[..., 3] < 255)
    alpha = pixels[edge][:, 3:] / 255.0
    mixed = srgb_to_linear(pixels[edge][:, :3] / 255.0) * alpha + srgb_to_linear(grounds[edge] / 255.0) * (1 - alpha)
    result[edge] = np.round(linear_to_srgb(mixed) * 255.0)
    return Image.fromarray(result)


def with_shadow(picture: Image.Image, shade: Shade) -> Image.Image:
    """Return the picture with its shadow in the alpha channel: black under the garment, mixed as viewers will."""
    pixels = np.array(picture)
    rows, columns = _place(shade)
    part = pixels[rows, columns]
    garment = part[..., 3:] / 255.0
    total = garment + (1 - garment) * shade.density[..., None]
    color = np.divide(part[..., :3] * garment, total, out=np.zeros((*total.shape[:2], 3)), where=total > 0)
    pixels[rows, columns] = np.concatenate([np.round(color), np.round(total * 255)], axis=2).astype(np.uint8)
    return Image.fromarray(pixels)


def _place(shade: Shade) -> tuple[slice, slice]:
    height, width = shade.density.shape
    return slice(shade.top, shade.top + height), slice(shade.left, shade.left + width)
