"""Draw the example designs: ``python examples/draw.py [folder]``. Everything here is computed; nothing is random.

The pictures are made of signed distances (negative inside) in pixels, so that every edge is antialiased exactly:
coverage is ``clip(0.5 - distance, 0, 1)``.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Field = NDArray[np.float32]

NIGHT = (13, 18, 52)
INDIGO = (38, 42, 112)
VIOLET = (122, 66, 214)
TEAL = (14, 178, 176)
MINT = (112, 250, 178)
CORAL = (255, 92, 70)
GOLD = (255, 190, 66)
CREAM = (255, 243, 220)
PINE = (8, 34, 48)
SLATE = (30, 60, 104)


class Canvas:
    """A picture on transparent ground: linear light, premultiplied, ``(H, W, 4) float32``."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self.x, self.y = x + 0.5, y + 0.5
        self.light = np.zeros((height, width, 4), np.float32)

    def paint(self, cover: NDArray[np.floating], colour: tuple[int, int, int] | Field) -> None:
        """Lay a colour (bytes, or linear ``(H, W, 3)``) over the picture where ``cover`` says."""
        light = linear(colour) if isinstance(colour, tuple) else colour
        a = cover[..., None]
        self.light[..., :3] = self.light[..., :3] * (1 - a) + light * a
        self.light[..., 3:] = self.light[..., 3:] * (1 - a) + a

    def pixels(self) -> NDArray[np.uint8]:
        alpha = self.light[..., 3:]
        colour = np.divide(self.light[..., :3], alpha, out=np.zeros_like(self.light[..., :3]), where=alpha > 0)
        return np.asarray(np.rint(np.dstack([coded(colour), alpha]) * 255), np.uint8)


def linear(colour: tuple[int, int, int]) -> Field:
    value = np.asarray(colour, np.float32) / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4), np.float32)


def coded(linear_light: NDArray[np.floating]) -> Field:
    light = np.clip(linear_light, 0, 1).astype(np.float32)
    return np.asarray(np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055), np.float32)


def inside(distance: NDArray[np.floating]) -> Field:
    return np.asarray(np.clip(0.5 - distance, 0, 1), np.float32)


def ramp(t: Field, *stops: tuple[float, tuple[int, int, int]]) -> Field:
    """A smooth path through colours, mixed in linear light."""
    places = [place for place, _ in stops]
    lights = np.stack([linear(colour) for _, colour in stops])
    return np.stack([np.interp(t, places, lights[:, i]) for i in range(3)], axis=-1).astype(np.float32)


def polygon(canvas: Canvas, points: list[tuple[float, float]]) -> Field:
    """Coverage of a polygon, sixteen samples a pixel."""
    fine = 4
    mask = Image.new("L", (canvas.width * fine, canvas.height * fine))
    ImageDraw.Draw(mask).polygon([(x * fine, y * fine) for x, y in points], fill=255)
    return np.asarray(mask.reduce(fine), np.float32) / np.float32(255)


def waves(t: NDArray[np.float64] | Field, seed: float, octaves: int = 4) -> NDArray[np.float64]:
    """A wandering line in about -1..1: a few sines that do not line up."""
    total = np.zeros_like(np.asarray(t, np.float64))
    for octave in range(octaves):
        total += np.sin(t * 1.93**octave + seed * (octave + 1.7) ** 1.4) * 0.62**octave
    return total / 2


def ridge(points: list[tuple[float, float]], rough: float, seed: float) -> list[tuple[float, float]]:
    """A skyline through ``points``, broken up as rock is."""
    xs = np.linspace(points[0][0], points[-1][0], 420)
    ys = np.interp(xs, [x for x, _ in points], [y for _, y in points])
    teeth = waves(xs / 19, seed, 5) + 0.5 * np.abs(waves(xs / 6.1, seed + 2, 3))
    return list(zip(xs.tolist(), (ys + rough * teeth).tolist(), strict=True))


def stroke(canvas: Canvas, paths: list[list[tuple[float, float]]]) -> Field:
    """Distance to the nearest of several polylines, in pixels."""
    nearest = np.full((canvas.height, canvas.width), 1e9, np.float32)
    for path in paths:
        for (ax, ay), (bx, by) in pairwise(path):
            pad = 90
            left, right = int(max(0, min(ax, bx) - pad)), int(min(canvas.width, max(ax, bx) + pad))
            top, bottom = int(max(0, min(ay, by) - pad)), int(min(canvas.height, max(ay, by) + pad))
            px, py = canvas.x[top:bottom, left:right] - ax, canvas.y[top:bottom, left:right] - ay
            dx, dy = bx - ax, by - ay
            along = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
            window = nearest[top:bottom, left:right]
            np.minimum(window, np.hypot(px - along * dx, py - along * dy), out=window)
    return nearest


def arc(cx: float, cy: float, rx: float, ry: float, start_deg: float, end_deg: float) -> list[tuple[float, float]]:
    angles = np.radians(np.linspace(start_deg, end_deg, 28))
    return [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]


def letter(name: str, x: float, y: float, w: float, h: float) -> list[list[tuple[float, float]]]:
    """The skeleton of a capital in the box ``x, y, w, h``: lines and arcs, as a sign painter would lay it out."""
    r, b, m = x + w, y + h, y + h / 2
    half, bowl = w / 2, h / 4
    shapes = {
        "N": [[(x, b), (x, y), (r, b), (r, y)]],
        "O": [
            [
                *arc(x + half, y + half, half, half, 180, 360),
                *arc(x + half, b - half, half, half, 0, 180),
                (x, y + half),
            ],
        ],
        "R": [
            [(x, b), (x, y), (r - bowl, y), *arc(r - bowl, y + bowl, bowl, bowl, -90, 90), (x, m)],
            [(x + half * 0.9, m), (r, b)],
        ],
        "D": [
            [
                (x, y),
                (r - half, y),
                *arc(r - half, y + half, half, half, -90, 0),
                *arc(r - half, b - half, half, half, 0, 90),
                (x, b),
                (x, y),
            ]
        ],
        "L": [[(x, y), (x, b), (r, b)]],
        "Y": [[(x, y), (x + half, m + h * 0.06), (r, y)], [(x + half, m + h * 0.06), (x + half, b)]],
        "S": [
            [
                *arc(r - half, y + bowl, half, bowl, -20, -90),
                *arc(x + half, y + bowl, half, bowl, -90, -180),
                *arc(x + half, y + bowl, half, bowl, 180, 90),
                *arc(x + half, b - bowl, half, bowl, -90, 0),
                *arc(x + half, b - bowl, half, bowl, 0, 160),
            ]
        ],
    }
    return shapes[name]


def pine(x: float, ground: float, height: float) -> list[tuple[float, float]]:
    """A spruce: boughs that grow wider downwards, each with a hanging tip."""
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    tiers = 9
    for tier in range(tiers):
        top = ground - height * (1 - tier / tiers) ** 1.08
        tip = ground - height * (1 - (tier + 1.12) / tiers) if tier < tiers - 1 else ground - height * 0.03
        spread = height * (0.035 + 0.185 * ((tier + 1) / tiers) ** 0.9)
        left += [(x - spread * 0.30, top + height * 0.028), (x - spread, tip)]
        right += [(x + spread * 0.30, top + height * 0.028), (x + spread * 0.96, tip - height * 0.006)]
    return [(x, ground - height * 1.05), *right, (x + height * 0.02, ground), (x - height * 0.02, ground), *left[::-1]]


def nordlys() -> Canvas:
    """NORDLYS: northern lights over a fjord, in engraved lines, for print at 30 x 37.5 cm (200 DPI)."""
    art = Canvas(2400, 3000)
    x, y = art.x, art.y
    centre, radius, arch_y, base = 1200.0, 860.0, 1000.0, 2190.0
    straight = np.maximum(np.abs(x - centre) - radius, y - base)
    window = np.where(y < arch_y, np.hypot(x - centre, y - arch_y) - radius, straight).astype(np.float32)
    frame = inside(window)
    horizon = 1600.0

    # The sky: night above, a last glow in seven bands over the horizon.
    glow = np.clip((y - 120) / (horizon - 120), 0, 1)
    art.paint(frame, ramp(glow, (0, NIGHT), (0.45, (20, 26, 76)), (0.75, INDIGO), (1, (70, 52, 140))))
    for band in range(7):
        radius_band = 640 - 78 * band
        t = band / 6
        colour = ramp(np.float32(t)[None, None], (0, (92, 48, 150)), (0.4, (214, 62, 120)), (0.75, CORAL), (1, GOLD))[
            0, 0
        ]
        disc = np.hypot(x - centre, (y - horizon - 30) * 1.18) - radius_band
        art.paint(inside(disc) * frame, np.broadcast_to(colour, (art.height, art.width, 3)))

    stars(art, frame)
    aurora(art, frame, hole=(1570.0, 540.0, 150.0))
    moon(art, frame, 1570.0, 540.0)

    far = [
        (300.0, 1470.0),
        (470.0, 1330.0),
        (590.0, 1400.0),
        (760.0, 1215.0),
        (900.0, 1360.0),
        (1010.0, 1310.0),
        (1180.0, 1440.0),
        (1330.0, 1360.0),
        (1520.0, 1180.0),
        (1650.0, 1300.0),
        (1800.0, 1230.0),
        (2100.0, 1420.0),
    ]
    massif(art, frame, far, horizon, SLATE, (172, 196, 236), 9.0, 1.3)
    near = [
        (300.0, 1360.0),
        (420.0, 1290.0),
        (560.0, 1420.0),
        (700.0, 1500.0),
        (860.0, 1560.0),
        (1100.0, 1600.0),
        (1380.0, 1600.0),
        (1540.0, 1550.0),
        (1700.0, 1450.0),
        (1850.0, 1330.0),
        (1960.0, 1390.0),
        (2100.0, 1300.0),
    ]
    massif(art, frame, near, horizon, (16, 34, 78), (118, 150, 214), 8.0, 4.1)

    fjord(art, frame, horizon, base)
    for place, ground, height in (
        (330, 2230, 640), (430, 2240, 470), (520, 2240, 560), (620, 2245, 360), (705, 2245, 270), (790, 2250, 190),
        (2075, 2230, 690), (1985, 2240, 480), (1890, 2240, 580), (1800, 2245, 390), (1715, 2245, 250),
        (1630, 2250, 170),
    ):  # fmt: skip
        art.paint(polygon(art, pine(place, ground, height)) * frame, PINE)
    bank = base - 40 + 14 * waves(x[0] / 90, 8.0)[None, :] - 55 * (np.abs(x - centre) / radius) ** 3
    art.paint(inside((bank - y).astype(np.float32)) * frame, PINE)

    for offset, width, colour in ((34, 9, CORAL), (58, 6, GOLD), (76, 3.5, TEAL)):
        art.paint(inside(np.abs(window - offset) - width), colour)

    lettering(art, 2385.0, 330.0)
    small_print(art, "69\N{DEGREE SIGN} NORTH", 2888.0)
    return art


def stars(art: Canvas, frame: Field) -> None:
    for i in range(150):
        # Golden-ratio steps spread points evenly without a random generator.
        sx, sy = 360 + 1680 * ((i * 0.754877666) % 1), 190 + 860 * ((i * 0.569840291) % 1)
        if np.hypot(sx - 1570, sy - 540) < 330:
            continue
        size = 1.6 + 3.4 * ((i * 0.3819660113) % 1) ** 3
        left, top, pad = int(sx) - 60, int(sy) - 60, 120
        part = np.s_[max(top, 0) : top + pad, max(left, 0) : left + pad]
        dx, dy = np.abs(art.x[part] - sx), np.abs(art.y[part] - sy)
        if i % 17 == 0:
            reach = 30 + 14 * (i % 3)
            shape = np.sqrt(dx / reach) + np.sqrt(dy / reach) - 1
            distance = shape * 14
        else:
            distance = np.hypot(dx, dy) - size
        cover = inside(distance) * frame[part]
        a = cover[..., None]
        art.light[part][..., :3] = art.light[part][..., :3] * (1 - a) + linear(CREAM) * a


def moon(art: Canvas, frame: Field, cx: float, cy: float) -> None:
    distance = np.hypot(art.x - cx, art.y - cy)
    for ring in range(6):
        art.paint(inside(np.abs(distance - 150 - 26 * ring) - (5.2 - 0.74 * ring)) * frame, GOLD)
    art.paint(inside(distance - 120) * frame, CREAM)
    for dx, dy, size in ((-38, -30, 27), (30, 34, 36), (44, -46, 16), (-44, 48, 13), (-4, 2, 11)):
        crater = np.hypot(art.x - cx - dx, art.y - cy - dy) - size
        art.paint(inside(crater) * frame, (248, 220, 176))


def aurora(art: Canvas, frame: Field, hole: tuple[float, float, float]) -> None:
    """Curtains of light, engraved: vertical lines whose thickness is the brightness."""
    period = 13.0
    column = np.floor(art.x[0] / period)
    middle = (column + 0.5) * period
    frame = frame * inside(hole[2] - np.hypot(art.x - hole[0], art.y - hole[1]))
    curtains = ((1030.0, 190.0, 600.0, 0.7, 0.0), (800.0, 150.0, 430.0, 3.3, 0.5))
    for level, sway, height, seed, shift in curtains:
        place = middle + shift * period
        base = level + sway * waves(place / 330, seed, 3)
        tall = height * (0.72 + 0.42 * waves(place / 61, seed + 1, 4))
        bright = np.clip(0.66 + 0.5 * waves(place / 105, seed + 5, 4), 0.12, 1)
        up = (base[None, :] - art.y) / tall[None, :]
        strength = np.where(up < 0, np.exp(up * 16), np.exp(-up * 2.1) * np.clip(1.12 - up, 0, 1))
        thick = np.clip(strength * bright[None, :], 0, 1) * period * 0.52
        cover = np.clip(thick - np.abs(art.x - place[None, :].astype(np.float32)), 0, 1) * np.clip(thick, 0, 1)
        colour = ramp(
            np.clip(up, -0.1, 1), (-0.1, (214, 255, 214)), (0.08, MINT), (0.36, TEAL), (0.7, VIOLET), (1, VIOLET)
        )
        art.paint((cover * frame).astype(np.float32), colour)


def massif(
    art: Canvas, frame: Field, points: list[tuple[float, float]], horizon: float, rock: tuple[int, int, int],
    snow: tuple[int, int, int], rough: float, seed: float,
) -> None:  # fmt: skip
    """A range: rock below a broken skyline, snow on the sides that face the moon, hatched where it thins out."""
    skyline = ridge(points, rough, seed)
    body = polygon(art, [*skyline, (points[-1][0], horizon + 4), (points[0][0], horizon + 4)]) * frame
    art.paint(body, rock)
    tops = np.interp(art.x[0], [p[0] for p in skyline], [p[1] for p in skyline])
    slope = np.interp(art.x[0], [p[0] for p in points], np.gradient([p[1] for p in points], [p[0] for p in points]))
    below = art.y - tops[None, :].astype(np.float32)
    ragged = 26 * waves(art.x[0] / 23, seed + 3, 4)[None, :] + 12 * waves(art.y[:, 0] / 9, seed + 6, 3)[:, None]
    lit = np.clip(slope * 0.9 + 0.55, 0.06, 1)[None, :]
    depth = below / (lit * 190) + ragged / 150
    hatch = np.abs(((art.x * 0.83 - art.y * 0.56) / 11.0) % 1 - 0.5) * 2
    cover = np.clip((1.02 - depth - 0.62 * hatch * np.clip(depth * 1.6, 0, 1)) * 9, 0, 1)
    art.paint((cover * body).astype(np.float32), snow)


def fjord(art: Canvas, frame: Field, horizon: float, base: float) -> None:
    """Water: the sky and the mountains upside down, cut into lines that widen towards us."""
    first, last = int(horizon), int(base)
    depth = (art.y[first:last, 0] - horizon) / (base - horizon)
    source = np.clip(horizon - 8 - (art.y[first:last, 0] - horizon) * 1.72, 0, art.height - 1)
    sway = 34 * depth * waves(art.y[first:last, 0] / 8.5, 2.0, 3)
    columns = np.clip(art.x[0][None, :] + sway[:, None], 0, art.width - 1).astype(int)
    mirrored = art.light[source.astype(int)[:, None], columns, :3]
    tint = linear((10, 40, 82))
    water = np.zeros((art.height, art.width, 3), np.float32)
    water[first:last] = mirrored * (0.80 - 0.25 * depth[:, None, None]) + tint * (0.12 + 0.25 * depth[:, None, None])
    mask = np.zeros_like(frame)
    mask[first:last] = 1
    art.paint(mask * frame, water)
    # Lines of perspective: their phase runs with the logarithm of the depth.
    phase = np.log1p(depth * 9) * 8.5
    drift = 0.5 * waves(art.x[0] / 260, 1.0, 3)[None, :] * (0.3 + depth[:, None])
    line = np.abs((phase[:, None] + drift) % 1 - 0.5) * 2
    cut = np.zeros_like(frame)
    cut[first:last] = np.clip((line - 0.80) * 16 * (0.35 + depth[:, None]), 0, 1)
    art.paint(cut * frame, NIGHT)
    glint = np.clip(1 - np.abs(art.x[first:last] - 1570) / (40 + 210 * depth[:, None]), 0, 1)
    sparkle = np.zeros_like(frame)
    sparkle[first:last] = np.clip(
        (glint * 0.9 - 0.42 + 0.3 * waves(art.x[0] / 21, 3.0)[None, :] - (line - 0.25)) * 7, 0, 1
    )
    art.paint((sparkle * frame).astype(np.float32), GOLD)


def lettering(art: Canvas, top: float, height: float) -> None:
    """The word in three parallel lines, as on a running shoe of 1976."""
    word, width, gap, kern = "NORDLYS", 190.0, 90.0, {"LY": -78.0, "RD": -6.0, "DL": 4.0}
    total = len(word) * width + (len(word) - 1) * gap + sum(kern.values())
    paths: list[list[tuple[float, float]]] = []
    at = (art.width - total) / 2
    for i, name in enumerate(word):
        paths += letter(name, at, top, width, height)
        at += width + gap + kern.get(word[i : i + 2], 0.0)
    distance = stroke(art, paths)
    art.paint(inside(np.abs(distance - 33) - 5.5), TEAL)
    art.paint(inside(np.abs(distance - 16.5) - 5.5), GOLD)
    art.paint(inside(distance - 6), CORAL)


def small_print(art: Canvas, text: str, middle: float) -> None:
    font = ImageFont.load_default(78)
    spread = 26
    widths = [font.getlength(character) for character in text]
    total = sum(widths) + spread * (len(text) - 1)
    mask = Image.new("L", (art.width, art.height))
    draw = ImageDraw.Draw(mask)
    at = (art.width - total) / 2
    for character, width in zip(text, widths, strict=True):
        draw.text((at, middle), character, font=font, fill=255, anchor="lm")
        at += width + spread
    art.paint(np.asarray(mask, np.float32) / 255, CORAL)
    reach = total / 2 + 70
    for i, half in enumerate((5.0, 3.5, 2.2)):
        for side in (-1, 1):
            start, end = art.width / 2 + side * reach, art.width / 2 + side * 905
            across = np.maximum(np.minimum(start, end) - art.x, art.x - np.maximum(start, end))
            bar = np.maximum(across, np.abs(art.y - middle + 18 - 18 * i) - half)
            art.paint(inside(bar.astype(np.float32)), (CORAL, GOLD, TEAL)[i])


def tidewater() -> Canvas:
    """TIDEWATER: a small round badge for the chest, 9 cm wide at 300 DPI; two inks."""
    art = Canvas(1064, 1064)
    x, y, c = art.x, art.y, 532.0
    distance = np.hypot(x - c, y - c)
    art.paint(inside(distance - 520), (10, 74, 92))
    for ring, width in ((498.0, 5.0), (350.0, 6.5), (334.0, 2.5)):
        art.paint(inside(np.abs(distance - ring) - width), CREAM)
    heart = inside(distance - 322)
    sun = np.hypot(x - c, y - 500) - 150
    rays = np.abs((y - 350) % 30 - 15) - (9.5 - 0.018 * (y - 350))
    art.paint(inside(np.maximum(sun, np.where(y > 470, -rays, -9.0))) * heart, CORAL)
    for i in range(7):
        crest = 560 + 42 * i + 15 * np.sin(x / 44 + 1.9 * i)
        depth = (y - crest).astype(np.float32)
        art.paint(inside(-depth) * heart, (10, 74, 92))
        art.paint(inside(np.abs(depth - 9) - (7.5 - 0.45 * i)) * heart, CREAM)
    for bx, by, size in ((432, 392, 62), (640, 352, 46), (700, 424, 34)):
        for side in (-1, 1):
            wing = arc(
                bx + side * size * 0.55, by + size * 0.32, size * 0.55, size * 0.42, -90 - 88 * side, -90 + 62 * side
            )
            art.paint(inside(stroke(art, [wing]) - size * 0.085), CREAM)
    around(art, "TIDEWATER", c, 424.0, top=True, size=112, spread_deg=15.4)
    around(art, "SURF CLUB", c, 424.0, top=False, size=84, spread_deg=11.6)
    for side in (-1, 1):
        dx, dy = np.abs(x - c - side * 424), np.abs(y - c - 18)
        art.paint(inside((np.sqrt(dx / 26) + np.sqrt(dy / 26) - 1) * 12), CORAL)
    return art


def around(art: Canvas, text: str, centre: float, radius: float, *, top: bool, size: int, spread_deg: float) -> None:
    """Lettering on a circle, upright at the top and at the bottom."""
    font = ImageFont.load_default(size * 4)
    box = size * 8
    pad = box // 8
    mask = np.zeros((art.height + 2 * pad, art.width + 2 * pad), np.float32)
    for i, character in enumerate(text):
        turn = (i - (len(text) - 1) / 2) * spread_deg * (1 if top else -1)
        glyph = Image.new("L", (box, box))
        pen = ImageDraw.Draw(glyph)
        pen.text((box / 2, box / 2 + size * 1.42), character, font=font, fill=255, anchor="ms", stroke_width=size // 10)
        glyph = glyph.rotate(-turn, Image.Resampling.BICUBIC).reduce(4)
        angle = np.radians(turn + (-90 if top else 90))
        left = round(centre + radius * float(np.cos(angle)) - box / 8) + pad
        upper = round(centre + radius * float(np.sin(angle)) - box / 8) + pad
        part = np.s_[upper : upper + box // 4, left : left + box // 4]
        mask[part] = np.maximum(mask[part], np.asarray(glyph, np.float32) / 255)
    art.paint(mask[pad:-pad, pad:-pad], CREAM)


def dunes() -> NDArray[np.uint8]:
    """A photograph that never was: dunes at dusk, ``(1600, 2000, 3) uint8`` sRGB."""
    height, width = 1600, 2000
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = ramp(y / 900, (0, (38, 58, 120)), (0.45, (196, 120, 140)), (0.8, (255, 176, 110)), (1, (255, 214, 150)))
    light += linear(GOLD) * (1.6 * np.exp(-((np.hypot(x - 1390, (y - 640) * 1.15) / 150) ** 2)))[..., None]
    light += linear(CORAL) * (0.5 * np.exp(-np.hypot(x - 1390, y - 640) / 420))[..., None]
    light = np.where((np.hypot(x - 1390, y - 640) < 62)[..., None], linear((255, 248, 226)) * 1.1, light)
    for i in range(6):
        far = 1 - i / 5
        crest = 640 + 150 * i + (46 + 22 * i) * waves(x[0] / (330 - 22 * i), 3.7 * i + 1.0, 3)
        below = y - crest[None, :].astype(np.float32)
        slope = np.gradient(crest)[None, :]
        ripple = np.sin(below / (3.5 + 3.6 * i) + 5 * waves(x / 260 + below / 310, i * 2.0, 2)) * (0.05 + 0.02 * i)
        face = np.clip(
            0.62 + slope * (0.9 + 0.1 * i) * np.exp(-below / 260) + ripple - below / (900 + 160 * i), 0.05, 1.15
        )
        sand = ramp(face, (0, (44, 26, 62)), (0.35, (128, 62, 70)), (0.75, (232, 142, 84)), (1.1, (255, 214, 160)))
        haze = (0.62 * far * np.exp(-below / 420))[..., None]
        light = light + np.clip(below + 0.5, 0, 1)[..., None] * (
            sand * (1 - haze) + linear((255, 170, 120)) * haze - light
        )
    corner = 1 - 0.42 * (np.hypot((x - width / 2) / width, (y - height / 2) / height) * 1.3) ** 2.4
    grain = np.sin(x * 12.9898 + y * 78.233).astype(np.float64) * 43758.5453
    grain = ((grain - np.floor(grain)) - 0.5)[..., None] * 0.018
    return np.asarray(np.rint(np.clip(coded(light * corner[..., None]) + grain, 0, 1) * 255), np.uint8)


def main() -> None:
    """Write every example into the folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    Image.fromarray(nordlys().pixels()).save(folder / "nordlys.png", optimize=True, dpi=(203, 203))
    Image.fromarray(tidewater().pixels()).save(folder / "tidewater-badge.png", optimize=True, dpi=(300, 300))
    # As a phone held on its side writes it: the sensor's rows, and a note to turn them.
    turned = Image.Exif()
    turned[0x0112] = 6
    sensor = Image.fromarray(dunes()).transpose(Image.Transpose.ROTATE_90)
    sensor.save(folder / "dunes-photo.jpg", quality=88, exif=turned)


if __name__ == "__main__":
    main()
