"""The designs that relighting is measured with: each is hard in its own way."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from farm.picture.texture import PanelTexture

ROOT = Path(__file__).parent.parent
PANELS = ("front", "back")
POINT_CM = 2.54 / 72
PANGRAM = "Sphinx of black quartz, judge my vow. 0123456789 "
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Design:
    """A print and the cloth it is on; ``draw`` takes width and height in cm and pixels per cm."""

    name: str
    fabric: str
    draw: Callable[[float, float, float], Pixels]
    whole_panel: bool = False

    def textures(self, template: Path, px_per_cm: float) -> list[PanelTexture]:
        """The print on the front's and the back's print area, or over all of both."""
        facts = json.loads((template / "template.json").read_text("utf-8"))
        return [_texture(self, name, facts["panels"][name], px_per_cm) for name in PANELS if name in facts["panels"]]


def _texture(design: Design, name: str, panel: dict[str, Any], px_per_cm: float) -> PanelTexture:
    area = panel["print_area"]
    if design.whole_panel:
        area = {
            "x_cm": panel["x_min_cm"],
            "y_cm": panel["y_min_cm"],
            "width_cm": panel["x_max_cm"] - panel["x_min_cm"],
            "height_cm": panel["y_max_cm"] - panel["y_min_cm"],
        }
    pixels = design.draw(area["width_cm"], area["height_cm"], px_per_cm)
    return PanelTexture(
        panel=name, pixels=pixels, x_cm=area["x_cm"], y_cm=area["y_cm"],
        width_cm=area["width_cm"], height_cm=area["height_cm"],
    )  # fmt: skip


def _blank(width_cm: float, height_cm: float, px_per_cm: float, fill: Any = (0, 0, 0, 0)) -> Image.Image:
    return Image.new("RGBA", (round(width_cm * px_per_cm), round(height_cm * px_per_cm)), fill)


def _solid(colour: str) -> Callable[[float, float, float], Pixels]:
    def draw(width_cm: float, height_cm: float, px_per_cm: float) -> Pixels:
        picture = _blank(width_cm, height_cm, px_per_cm)
        inset = px_per_cm
        ImageDraw.Draw(picture).rectangle((inset, inset, picture.width - inset, picture.height - inset), fill=colour)
        return np.asarray(picture)

    return draw


def _photo(width_cm: float, height_cm: float, px_per_cm: float) -> Pixels:
    with Image.open(ROOT / "examples" / "dunes-photo.jpg") as photo:
        size = _blank(width_cm, height_cm, px_per_cm).size
        return np.asarray(photo.convert("RGBA").resize(size, Image.Resampling.LANCZOS))


def _text(colour: str, points: float) -> Callable[[float, float, float], Pixels]:
    def draw(width_cm: float, height_cm: float, px_per_cm: float) -> Pixels:
        picture = _blank(width_cm, height_cm, px_per_cm)
        pen, font = ImageDraw.Draw(picture), ImageFont.load_default(points * POINT_CM * px_per_cm)
        line_px = 1.3 * points * POINT_CM * px_per_cm
        for line in range(int(picture.height / line_px)):
            pen.text((-3 * (line % 17), line * line_px), PANGRAM * 9, fill=colour, font=font)
        return np.asarray(picture)

    return draw


def _lines(width_cm: float, height_cm: float, px_per_cm: float) -> Pixels:
    """Lines of half a millimetre, 4 mm apart, straight and slanted."""
    picture = _blank(width_cm, height_cm, px_per_cm)
    pen, width = ImageDraw.Draw(picture), max(1, round(0.05 * px_per_cm))
    for x in np.arange(0.0, 2 * width_cm, 0.4) * px_per_cm:
        pen.line((x, 0, x, picture.height / 3), fill="#101010", width=width)
        pen.line((x, picture.height / 3, x - picture.height / 3, 2 * picture.height / 3), fill="#101010", width=width)
    for y in np.arange(2 * height_cm / 3, height_cm, 0.4) * px_per_cm:
        pen.line((0, y, picture.width, y), fill="#101010", width=width)
    return np.asarray(picture)


def _gradients(width_cm: float, height_cm: float, px_per_cm: float) -> Pixels:
    width, height = _blank(width_cm, height_cm, px_per_cm).size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    top = np.stack([x, y * 2, 1 - x, np.ones_like(x)], axis=2)
    bottom = np.stack([0.5 + 0.5 * np.sin(9 * x), 0.5 + 0.5 * np.cos(7 * y), x * y, np.clip(2 - 2 * y, 0, 1)], axis=2)
    return np.asarray(np.round(np.clip(np.where(y[..., None] < 0.5, top, bottom), 0, 1) * 255), np.uint8)


def _pattern(width_cm: float, height_cm: float, px_per_cm: float) -> Pixels:
    """Rings of many colours, over everything."""
    width, height = _blank(width_cm, height_cm, px_per_cm).size
    x, y = np.meshgrid(np.arange(width) / px_per_cm, np.arange(height) / px_per_cm)
    ring = np.hypot(x % 6 - 3, y % 6 - 3)
    cell = (x // 6).astype(int) * 5 + (y // 6).astype(int) * 3
    inks = np.array([[226, 61, 40], [255, 200, 44], [24, 128, 120], [36, 60, 140], [245, 240, 225]], np.uint8)
    shades = inks[(cell + (ring * 1.5).astype(int)) % len(inks)]
    return np.dstack([shades, np.full((height, width), 255, np.uint8)])


DESIGNS = (
    Design("saturated solid", "#ffffff", _solid("#c8102e")),
    Design("photo", "#ffffff", _photo),
    Design("8 pt text", "#ffffff", _text("#101010", 8)),
    Design("thin lines", "#ffffff", _lines),
    Design("gradients", "#ffffff", _gradients),
    Design("white on black shirt", "#101010", _text("#ffffff", 24)),
    Design("neon on navy", "#1f2a44", _solid("#39ff14")),
    Design("full-panel pattern", "#ffffff", _pattern, whole_panel=True),
)
