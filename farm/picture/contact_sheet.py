"""A contact sheet: all pictures of a job on one page, for people."""

import io
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

COLUMNS = 3
_CELL = 600
_GAP, _MARGIN, _HEAD, _LABEL, _RADIUS = 28, 72, 132, 64, 18
_FLATTEST, _TALLEST = 0.4, 1.6
_GLOW = 60
_PAPER, _CARD_TOP, _CARD_BOTTOM = (250, 250, 249), (228, 230, 232), (208, 210, 214)
_INK, _FAINT = (38, 38, 42), (128, 126, 122)
_NAMES = {
    "front_0deg": ("Front", "0°"),
    "left_90deg": ("Left", "90°"),
    "right_270deg": ("Right", "270°"),
    "back_180deg": ("Back", "180°"),
    "front_45deg_left": ("Front left", "45°"),
    "front_45deg_right": ("Front right", "315°"),
}


def contact_sheet(
    pictures: Sequence[tuple[str, NDArray[np.uint8] | Path]], *, title: str = "", caption: str = ""
) -> bytes:
    """Pictures with their views' names as one PNG, three in a row.

    Args:
        pictures: name of the view, and the picture: ``(H, W, 3 or 4) uint8`` sRGB straight alpha, or a file of it.
        title: left in the head, for instance the product.
        caption: right in the head, for instance the job's id and the fabric.
    """
    if not pictures:
        raise ValueError("a contact sheet needs at least one picture")
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    down = _cell_height(pictures)
    width = 2 * _MARGIN + columns * _CELL + (columns - 1) * _GAP
    # Side by side where both find room, else the caption below the title.
    room = width - 2 * _MARGIN
    stacked = bool(title and caption) and _tracked_width(caption, _font(24), 1) > room / 2
    head = (_HEAD + (36 if stacked else 0)) if title or caption else _MARGIN
    height = head + rows * (down + _LABEL) + (rows - 1) * _GAP + _MARGIN - 16
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    middle = _HEAD / 2 + 10
    if title:
        beside = 0 if stacked or not caption else _tracked_width(caption, _font(24), 1) + 60
        fitting = _fitting(title, _font(42), room - beside)
        draw.text((_MARGIN, middle), fitting, font=_font(42), fill=_INK, anchor="lm")
    if caption:
        text = _fitting(caption, _font(24), room - len(caption[:400]) if stacked else room)
        left = _MARGIN if stacked else width - _MARGIN - _tracked_width(text, _font(24), 1)
        _tracked(draw, (left, middle + (44 if stacked else 4)), text, _font(24), 1, _FAINT)
    mask = _corners(down)
    glow = _glow(mask)
    with ThreadPoolExecutor(min(len(pictures), os.process_cpu_count() or 1)) as pool:  # what Pillow does needs no lock
        cards = pool.map(lambda one: _card(down, one[1]), pictures)
        _laid_out(sheet, draw, (columns, head, down), zip(pictures, cards, strict=True), mask, glow)
    out = io.BytesIO()
    sheet.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _laid_out(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    measures: tuple[int, int, int],
    cards: Iterable[tuple[tuple[str, NDArray[np.uint8] | Path], Image.Image]],
    mask: Image.Image,
    glow: Image.Image,
) -> None:
    columns, head, down = measures
    for number, ((view, _), card) in enumerate(cards):
        row, column = divmod(number, columns)
        left = _MARGIN + column * (_CELL + _GAP)
        top = head + row * (down + _LABEL + _GAP)
        sheet.paste((70, 66, 60), (left - _GLOW, top - _GLOW), glow)
        sheet.paste(card, (left, top), mask)
        name, angle = _NAMES.get(view, (view.replace("_", " "), ""))
        _tracked(draw, (left + 4, top + down + 34), name, _font(26), 1, _INK)
        if angle:
            right = left + _CELL - 4 - _font(24).getlength(angle)
            draw.text((right, top + down + 34), angle, font=_font(24), fill=_FAINT, anchor="lm")


def _cell_height(pictures: Sequence[tuple[str, NDArray[np.uint8] | Path]]) -> int:
    """As high as the tallest picture is, all being as wide; within reason."""
    shapes = []
    for _, picture in pictures:
        if isinstance(picture, Path):
            with Image.open(picture) as file:
                shapes.append(file.height / file.width)
        else:
            shapes.append(picture.shape[0] / picture.shape[1])
    return round(_CELL * min(max([*shapes, _FLATTEST]), _TALLEST))


def _corners(down: int) -> Image.Image:
    """Where a card is, its corners rounded."""
    fine = 4
    corners = Image.new("L", (_CELL * fine, down * fine))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, _CELL * fine - 1, down * fine - 1), _RADIUS * fine, fill=255)
    return corners.reduce(fine)


def _glow(mask: Image.Image) -> Image.Image:
    """A card's soft shadow, `_GLOW` pixels wider than the card on each side."""
    shade = Image.new("L", (mask.width + 2 * _GLOW, mask.height + 2 * _GLOW))
    shade.paste(mask.point(lambda value: value * 0.16), (_GLOW, _GLOW + 8))
    return shade.filter(ImageFilter.GaussianBlur(16))


def _card(down: int, picture: NDArray[np.uint8] | Path) -> Image.Image:
    """One picture on a ground that falls off as in a studio."""
    fall = np.linspace(0, 1, down)[:, None, None] ** 1.4
    ground = np.asarray(_CARD_TOP) * (1 - fall) + np.asarray(_CARD_BOTTOM) * fall
    ground = np.broadcast_to(ground, (down, _CELL, 3))
    card = Image.fromarray(np.rint(ground).astype(np.uint8)).convert("RGBA")
    shown = _opened(picture)
    scale = min(_CELL / shown.width, down / shown.height)
    size = max(1, round(shown.width * scale)), max(1, round(shown.height * scale))
    # Premultiplied ("RGBa"), or the colour of transparent pixels would show along the garment's edge.
    small = shown.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    card.alpha_composite(small, ((_CELL - size[0]) // 2, (down - size[1]) // 2))
    return card.convert("RGB")


def _opened(picture: NDArray[np.uint8] | Path) -> Image.Image:
    if isinstance(picture, Path):
        with Image.open(picture) as file:
            return file.convert("RGBA")
    return Image.fromarray(picture).convert("RGBA")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    """The text, cut with an ellipsis where it is wider than ``room``; control characters become spaces."""
    text = "".join(character if character.isprintable() else " " for character in text)[:400]
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _tracked_width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, tracking: float) -> float:
    return sum(font.getlength(character) + tracking for character in text)


def _tracked(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    tracking: float,
    colour: tuple[int, int, int],
) -> None:
    """Text set a little wider than the font's own spacing, which small sizes need."""
    x, y = place
    for character in text:
        draw.text((x, y), character, font=font, fill=colour, anchor="lm")
        x += font.getlength(character) + tracking
