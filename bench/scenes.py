"""Two hundred honest pictures: varied designs, places, cloths, sides, sizes, samples, backgrounds and formats."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.studio import Scene, Studio, example
from blender.protocol import VIEW_AZIMUTH_DEG
from farm.domain.panel import Rect
from farm.domain.placement import BlendMode, Fit, Panel, Placement
from farm.picture.compose import Layer

Pixels = NDArray[np.uint8]

CLOTHS = (
    "#ffffff", "#161616", "#1f2a44", "#c8102e", "#b3b4b8", "#21432d", "#dcd2be", "#000000", "#224d8f", "#eead1a",
    "#e4c6d4", "#42464c", "#f4633a", "#00ff00", "#ff00ff",
)  # fmt: skip
SIDES_PX = (128, 160, 192, 256, 160, 128, 256, 224, 320, 128, 384, 512)
SAMPLES = (1, 2, 4, 1, 8, 16, 2, 1, 4, 64)
BACKGROUNDS = (None, None, "#ffffff", None, "#eeeeee", None, "#000000", None, "#224d8f", "#ffd700")
FORMATS = ("png", "png", "webp", "jpeg")


def flat(colour: str, alpha: int = 255) -> Pixels:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return np.full((160, 120, 4), (red, green, blue, alpha), np.uint8)


def text(colour: str) -> Pixels:
    """Lettering, fine and bold."""
    picture = Image.new("RGBA", (900, 1200))
    draw = ImageDraw.Draw(picture)
    for row, size in enumerate((150, 40, 90, 24, 200, 60)):
        words = "HARBOUR 12 quick brown foxes jump over the lazy dog"
        draw.text((20, 20 + 195 * row), words[: 2400 // size], font=ImageFont.load_default(size), fill=colour)
    return np.asarray(picture)


def gradient(first: tuple[int, int, int], last: tuple[int, int, int]) -> Pixels:
    t = np.linspace(0, 1, 400)[:, None, None]
    colours = np.array(first) * (1 - t) + np.array(last) * t
    return np.dstack([np.broadcast_to(colours, (400, 300, 3)), np.full((400, 300, 1), 255)]).astype(np.uint8)


def fading(colour: str) -> Pixels:
    picture = np.repeat(np.repeat(flat(colour)[:1, :1], 400, axis=0), 300, axis=1)
    picture[..., 3] = np.linspace(0, 255, 300)[None, :]
    return picture


def stripes(colour: str, period: int) -> Pixels:
    picture = np.repeat(np.repeat(flat(colour)[:1, :1], 600, axis=0), 450, axis=1)
    y, x = np.mgrid[0:600, 0:450]
    picture[..., 3] = np.where((x + 2 * y) % period < period // 2, 255, 0)
    return picture


def badge(colour: str, other: str) -> Pixels:
    picture = Image.new("RGBA", (600, 600))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((10, 10, 590, 590), fill=colour)
    draw.polygon([(150, 480), (300, 110), (330, 470)], fill=other)
    draw.rectangle((370, 300, 500, 470), fill=other)
    return np.asarray(picture)


def clouds(seed: int) -> Pixels:
    """Soft coloured shapes with detail at every scale, like a photograph."""
    random = np.random.default_rng(seed)
    total = np.zeros((400, 300, 3))
    for octave in range(2, 7):
        coarse = random.random((2**octave, 2**octave, 3))
        layer = [Image.fromarray(coarse[..., i].astype(np.float32)).resize((300, 400), 2) for i in range(3)]
        total += np.stack([np.asarray(one) for one in layer], axis=-1) / octave
    total = (total - total.min()) / np.ptp(total)
    return np.dstack([total * 255, np.full((400, 300), 255)]).astype(np.uint8)


def grain(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (300, 225, 4), dtype=np.uint8)


@lru_cache(maxsize=1)
def designs() -> dict[str, Callable[[str], Pixels]]:
    """Designs by name; each may look at the cloth it is printed on."""
    nordlys, badge_file, dunes = (
        np.asarray(example(name).reduce(2)) for name in ("nordlys.png", "tidewater-badge.png", "dunes-photo.jpg")
    )
    return {
        "nordlys": lambda _: nordlys,
        "tidewater": lambda _: badge_file,
        "dunes": lambda _: dunes,
        "clouds": lambda _: clouds(4),
        "black text": lambda _: text("#101010"),
        "white text": lambda _: text("#ffffff"),
        "red to blue": lambda _: gradient((220, 20, 40), (20, 40, 220)),
        "black to white": lambda _: gradient((0, 0, 0), (255, 255, 255)),
        "fading teal": lambda _: fading("#0eb2b0"),
        "fine stripes": lambda _: stripes("#c8102e", 12),
        "broad stripes": lambda _: stripes("#224d8f", 90),
        "badge": lambda _: badge("#f4633a", "#101040"),
        "pale badge": lambda _: badge("#f0f0f0", "#d0d0d0"),
        "white": lambda _: flat("#ffffff"),
        "black": lambda _: flat("#000000"),
        "in the cloth's colour": lambda cloth: flat(cloth),
        "neon": lambda _: flat("#39ff14"),
        "half-transparent": lambda _: flat("#7a42d6", 120),
        "transparent": lambda _: flat("#ff0000", 0),
        "one pixel": lambda _: np.array([[[200, 16, 46, 255]]], np.uint8),
        "grain": lambda _: grain(1),
    }


def _preset(studio: Studio, name: str) -> Placement:
    return studio.garment.placements(name, (), 1)[0]


def layers(studio: Studio, number: int, design: Pixels, second: Pixels) -> tuple[Layer, ...]:
    """Where it goes: every preset, every panel, turned, cropped, layered, over the edge, all over, beside."""
    front, back = studio.panel("front").bounds, studio.panel("back").bounds
    presets = sorted(studio.garment.presets)
    left, right = Panel.SLEEVE_LEFT, Panel.SLEEVE_RIGHT
    small = Placement(y_cm=12, x_cm=8, width_cm=2.5)
    rules: list[tuple[Placement, ...]] = [
        *[(_preset(studio, name),) for name in presets],
        (small,),
        (Placement(panel=left, y_cm=9, width_cm=9), Placement(panel=right, y_cm=9, width_cm=9)),
        (_whole(Panel.FRONT, front),),
        (_whole(Panel.FRONT, front), _whole(Panel.BACK, back)),
        (Placement(y_cm=24, width_cm=22, rotation_deg=17),),
        (Placement(y_cm=30, x_cm=14, width_cm=30, rotation_deg=-40),),
        (Placement(y_cm=24, width_cm=26, height_cm=12, fit=Fit.COVER),),
        (Placement(y_cm=28, width_cm=28, opacity=0.6), Placement(y_cm=20, width_cm=10, blend=BlendMode.MULTIPLY)),
        (
            Placement(y_cm=26, width_cm=28),
            Placement(panel=Panel.BACK, y_cm=24, width_cm=30),
            Placement(panel=left, y_cm=8, width_cm=7),
        ),
        (Placement(y_cm=26, width_cm=28, blend=BlendMode.SCREEN), Placement(y_cm=40, width_cm=20, opacity=0.8)),
        (Placement(panel=Panel.BACK, y_cm=8, width_cm=9),),
        (Placement(x_cm=90, y_cm=26, width_cm=10),),
    ]
    chosen = rules[number % len(rules)]
    return tuple(Layer(pixels=second if i % 2 else design, placement=placement) for i, placement in enumerate(chosen))


def _whole(panel: Panel, bounds: Rect) -> Placement:
    return Placement(
        panel=panel,
        x_cm=bounds.x_cm + bounds.width_cm / 2,
        y_cm=bounds.y_cm + bounds.height_cm / 2,
        width_cm=bounds.width_cm,
        height_cm=bounds.height_cm,
        fit=Fit.COVER,
    )


def honest(studio: Studio, count: int = 200) -> list[Scene]:
    """The scenes. Each list is walked at its own pace, so that everything meets everything; nothing is random."""
    kinds, views = list(designs().items()), list(VIEW_AZIMUTH_DEG)
    scenes = []
    for i in range(count):
        cloth = CLOTHS[(i * 7 + i // 15) % len(CLOTHS)]
        name, design = kinds[(i * 8 + i // 21) % len(kinds)]
        _, second = kinds[(i * 5 + 3) % len(kinds)]
        form = FORMATS[(i * 3 + i // 7) % len(FORMATS)]
        background = BACKGROUNDS[(i * 3 + i // 10) % len(BACKGROUNDS)]
        size_px, samples = SIDES_PX[(i * 5 + i // 12) % len(SIDES_PX)], SAMPLES[(i * 3 + i // 9) % len(SAMPLES)]
        if i % 67 == 33:
            size_px, samples = 1024, 4
        scenes.append(
            Scene(
                name=f"{i:03d} {name} on {cloth}",
                layers=layers(studio, i * 7 + i // 6, design(cloth), second(cloth)),
                fabric=cloth,
                view=views[(i * 5 + i // 11) % len(views)] if i % 3 else views[(i // 3) % 2 * 4],
                size_px=size_px,
                samples=min(samples, 16) if size_px > 256 else samples,
                background=background or ("#ffffff" if form == "jpeg" else None),
                format=form,
            )
        )
    return scenes
