"""From a window of pixels to the file a shop gets: edges, background, format. Knows neither Blender nor the farm."""

import functools
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from blender.edges import clean_edges
from blender.kernel import kernel
from blender.plain_png import SMALL, SRGB, plain_png
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
    background = background or ("#ffffff" if format == "jpeg" else None)
    if background is not None:
        picture = Image.fromarray(_on_ground(pixels, window, width_px, height_px, background, shade))
    else:
        whole = np.zeros((height_px, width_px, 4), np.uint8)
        whole[window[1] : window[3], window[0] : window[2]] = pixels
        picture = Image.fromarray(whole)
        if shade is not None:
            picture = with_shadow(picture, shade)
    if format == "png":
        data = plain_png(np.asarray(picture), level=SMALL, chunks=(SRGB,))
        if isinstance(out, Path):
            out.write_bytes(data)
        else:
            out.write(data)
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
    return Image.fromarray(
        _on_ground(np.asarray(picture), (0, 0, *picture.size), picture.width, picture.height, color, shade)
    )


def _on_ground(
    pixels: NDArray[np.uint8], window: Window, width_px: int, height_px: int, color: str, shade: Shade | None
) -> NDArray[np.uint8]:
    """Return (height_px, width_px, 3): the window's pixels over the ground; only those are looked at."""
    ground = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
    result = np.empty((height_px, width_px, 3), np.uint8)
    result.reshape(height_px, -1)[:] = np.tile(ground, width_px)  # whole rows: three times as fast
    if shade is not None:
        rows, columns = _place(shade)
        result[rows, columns] = np.round(ground * (1 - shade.density[..., None])).astype(np.uint8)
    left, top, right, bottom = window
    part = result[top:bottom, left:right]
    rows_px, columns_px = _lay(pixels, part)
    edge = pixels[rows_px, columns_px]
    alpha = edge[:, 3:] / 255.0
    below = part[rows_px, columns_px]
    mixed = _LINEAR[edge[:, :3]] * alpha + _LINEAR[below] * (1 - alpha)
    part[rows_px, columns_px] = np.round(linear_to_srgb(mixed) * 255.0)
    return result


_LINEAR = srgb_to_linear(np.arange(256) / 255.0)


@kernel
def _lay(pixels: NDArray[np.uint8], result: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Copy what is opaque into (H, W, 3); return rows and columns of what shows the ground through it."""
    height, width = result.shape[:2]
    rows, columns = np.empty(height * width, np.int64), np.empty(height * width, np.int64)
    found = 0
    for y in range(height):
        for x in range(width):
            alpha = pixels[y, x, 3]
            if alpha == 255:
                result[y, x, 0], result[y, x, 1], result[y, x, 2] = pixels[y, x, 0], pixels[y, x, 1], pixels[y, x, 2]
            elif alpha > 0:
                rows[found], columns[found] = y, x
                found += 1
    return rows[:found], columns[:found]


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
