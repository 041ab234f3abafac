"""A swatch: what the cloth of one panel looks like, as the textures that a 3D viewer wants. Needs no Blender."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.protocol import PanelPrint
from blender.texture import linear_color, linear_to_srgb, load_print_within

RIM_PX = 24
"""Plain cloth round a print. Outside its texture a viewer repeats the outermost texels: they must be cloth, also in the
smaller copies of the texture that the viewer makes for a distant garment."""
_STRIP_ROWS = 256


def printed(wanted: PanelPrint, fabric_color: str, side_px: int) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """Print a picture on cloth, mixed in linear light.

    Args:
        wanted: The print.
        fabric_color: ``#rrggbb``, sRGB.
        side_px: The most pixels of the print's longer side; a coarser print keeps its own.

    Returns:
        ``(H, W, 3) uint8`` sRGB, row 0 at the top, and the rectangle it covers on the panel: x, y, width
        and height in cm.

    Raises:
        ProtocolError: The print cannot be read.
    """
    ink = load_print_within(wanted, side_px=side_px)
    rows, columns = ink.shape[:2]
    fabric = np.array(linear_color(fabric_color), np.float32)
    cloth = np.array([int(fabric_color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
    pixels = np.empty((rows + 2 * RIM_PX, columns + 2 * RIM_PX, 3), np.uint8)
    pixels[:] = cloth
    # In strips: linear light of a whole texture, in doubles, is a hundred megabytes.
    for first in range(0, rows, _STRIP_ROWS):
        strip = ink[first : first + _STRIP_ROWS]
        light = strip[..., :3] + fabric * (1 - strip[..., 3:])
        inner = pixels[RIM_PX + first : RIM_PX + first + len(strip), RIM_PX : RIM_PX + columns]
        inner[:] = np.rint(linear_to_srgb(light.astype(np.float64)) * 255)
    rim_x, rim_y = RIM_PX * wanted.width_cm / columns, RIM_PX * wanted.height_cm / rows
    return pixels, (
        wanted.x_cm - rim_x, wanted.y_cm - rim_y, wanted.width_cm + 2 * rim_x, wanted.height_cm + 2 * rim_y,
    )  # fmt: skip


def normals(relief: Path, *, width_cm: float, height_cm: float, depth_cm: float) -> NDArray[np.uint8]:
    """Turn a height map into a normal map.

    Args:
        relief: 8-bit grey, higher is nearer.
        width_cm: What the map covers on the cloth.
        height_cm: Downwards.
        depth_cm: Height between black and white.

    Returns:
        ``(H, W, 3) uint8``: right, up (green is up, as glTF wants it) and out, -1..1 in 0..255.
    """
    with Image.open(relief) as stored:
        heights = np.asarray(stored.convert("L"), np.float32) * np.float32(depth_cm / 255)
    down, right = np.gradient(heights, height_cm / heights.shape[0], width_cm / heights.shape[1])
    slopes = np.stack([-right, down, np.ones_like(right)], axis=-1)
    slopes /= np.linalg.norm(slopes, axis=-1, keepdims=True)
    return np.asarray(np.rint((slopes * 0.5 + 0.5) * 255), np.uint8)


def jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode ``(H, W, 3) uint8`` as a JPEG without colour subsampling: red print on navy has no brightness edge."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()
