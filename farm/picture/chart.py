"""The chart a bake is tried with: what is hard to relight, side by side on one print area."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from farm.picture.texture import PanelTexture

SOLIDS = ("#c8102e", "#00843d", "#0033a0", "#ffcd00", "#00ffff", "#ff00ff", "#101010", "#ffffff")
_TEXT = "The quick brown fox jumps over the lazy dog 0123456789 "
_POINT_CM = 2.54 / 72


def chart(panel: str, *, x_cm: float, y_cm: float, width_cm: float, height_cm: float, px_per_cm: float) -> PanelTexture:
    """Solids, a gradient, a photograph's noise, 8 point lettering and hairlines on that rectangle of a panel.

    The lower half has no ground, so that lettering and lines stand on the cloth.
    """
    width, height = max(8, round(width_cm * px_per_cm)), max(8, round(height_cm * px_per_cm))
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    band = height // 6
    step = width / len(SOLIDS)
    for number, colour in enumerate(SOLIDS):
        draw.rectangle((number * step, 0, (number + 1) * step - 1, band - 1), fill=colour)
    picture.paste(Image.fromarray(_gradient(width, band)), (0, band))
    picture.paste(Image.fromarray(_photograph(width, band)), (0, 2 * band))
    font = ImageFont.load_default(max(1.0, 8 * _POINT_CM * px_per_cm))  # smaller is no size for a font
    line_px = 10 * _POINT_CM * px_per_cm
    for part, (ink, top) in enumerate((("#101010", 3 * band), ("#ffffff", 4 * band))):
        row = 0
        while (row + 1) * line_px < band:
            draw.text((2 - 7 * row, top + row * line_px), _TEXT * 4, fill=ink, font=font)
            row += 1
        draw.line((0, top, width, top), fill=SOLIDS[part])
    for x in range(0, width, max(2, round(0.4 * px_per_cm))):
        draw.line((x, 5 * band, x + band, 6 * band), fill=SOLIDS[(x // 7) % len(SOLIDS)], width=1)
    return PanelTexture(
        panel=panel, pixels=np.asarray(picture), x_cm=x_cm, y_cm=y_cm, width_cm=width_cm, height_cm=height_cm
    )


def _gradient(width: int, height: int) -> NDArray[np.uint8]:
    across = np.broadcast_to(np.linspace(0, 1, width), (height, width))
    down = np.broadcast_to(np.linspace(0, 1, height)[:, None], (height, width))
    shades = np.stack([across, down, 1 - across, np.ones_like(across)], axis=2)
    return np.asarray(np.round(shades * 255), np.uint8)


def _photograph(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth noise of all sizes, as photographs have."""
    random = np.random.default_rng(7)
    total = np.zeros((height, width, 3))
    for cells in (4, 12, 36, 108):
        rows, columns = max(2, cells * height // width), cells
        for channel in range(3):
            grain = Image.fromarray(random.random((rows, columns)).astype(np.float32))
            total[..., channel] += np.asarray(grain.resize((width, height), Image.Resampling.BICUBIC)) / np.sqrt(cells)
    total -= total.min()
    shades = np.concatenate([total / total.max(), np.ones((height, width, 1))], axis=2)
    return np.asarray(np.round(shades * 255), np.uint8)
