"""Draw the meadow: ``python examples/meadow.py [folder]``. A botanical study in fine lines and two inks, 30 x 37.5 cm.

Every plant grows from rules: a stem is a curve, leaves stand along it, veins along those. Nothing is random.
"""

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FINE = 2400, 3000, 3
SAGE = (84, 146, 116)
POPPY = (222, 92, 62)

Point = tuple[float, float]


class Pen:
    """One ink: lines that swell and taper, drawn at three times the size and reduced."""

    def __init__(self) -> None:
        self._mask = Image.new("L", (WIDTH * FINE, HEIGHT * FINE))
        self._draw = ImageDraw.Draw(self._mask)

    def line(self, points: Sequence[Point], width: float, last: float | None = None) -> None:
        """A stroke from ``width`` to ``last`` pixels wide."""
        last = width if last is None else last
        count = max(1, len(points) - 1)
        for i, ((ax, ay), (bx, by)) in enumerate(pairwise(points)):
            w = FINE * (width + (last - width) * i / count)
            self._draw.line((ax * FINE, ay * FINE, bx * FINE, by * FINE), fill=255, width=max(1, round(w)))
            r = w / 2
            self._draw.ellipse((bx * FINE - r, by * FINE - r, bx * FINE + r, by * FINE + r), fill=255)

    def dot(self, at: Point, radius: float) -> None:
        x, y, r = at[0] * FINE, at[1] * FINE, radius * FINE
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=255)

    def clear(self, outline: Sequence[Point]) -> None:
        """Take away what lies behind a leaf or a petal."""
        self._draw.polygon([(x * FINE, y * FINE) for x, y in outline], fill=0)

    def write(self, text: str, middle: Point, size: int, spread: float) -> None:
        font = ImageFont.load_default(size * FINE)
        widths = [font.getlength(character) / FINE for character in text]
        at = middle[0] - (sum(widths) + spread * (len(text) - 1)) / 2
        for character, width in zip(text, widths, strict=True):
            self._draw.text((at * FINE, middle[1] * FINE), character, font=font, fill=255, anchor="lm")
            at += width + spread

    def cover(self) -> NDArray[np.float32]:
        return np.asarray(self._mask.reduce(FINE), np.float32) / np.float32(255)


class Study:
    """The sheet: two pens that hide each other's lines behind what stands in front."""

    def __init__(self) -> None:
        self.green, self.red = Pen(), Pen()

    def clear(self, outline: Sequence[Point]) -> None:
        self.green.clear(outline)
        self.red.clear(outline)


def curve(*controls: Point, steps: int = 60) -> list[Point]:
    """A Bézier curve of any degree."""
    points = np.array(controls, np.float64)
    t = np.linspace(0, 1, steps)[:, None]
    degree = len(points) - 1
    total = np.zeros((steps, 2))
    for i, point in enumerate(points):
        total += math.comb(degree, i) * t**i * (1 - t) ** (degree - i) * point
    return [(float(x), float(y)) for x, y in total]


def heading(path: Sequence[Point], i: int) -> float:
    (ax, ay), (bx, by) = path[max(0, i - 1)], path[min(len(path) - 1, i + 1)]
    return math.atan2(by - ay, bx - ax)


def polar(at: Point, angle: float, length: float) -> Point:
    return at[0] + length * math.cos(angle), at[1] + length * math.sin(angle)


def blade(base: Point, angle: float, length: float, width: float, bend: float = 0.0) -> tuple[list[Point], list[Point]]:
    """A leaf's outline, and its midrib: widest at two fifths, bent by ``bend`` radians towards the tip."""
    rib = curve(
        base, polar(base, angle, length * 0.5), polar(polar(base, angle, length * 0.5), angle + bend, length * 0.5)
    )
    left, right = [], []
    for i, point in enumerate(rib):
        t = i / (len(rib) - 1)
        half = width / 2 * math.sin(math.pi * t**0.72) ** 0.9 if 0 < t < 1 else 0.0
        turn = heading(rib, i) + math.pi / 2
        left.append(polar(point, turn, half))
        right.append(polar(point, turn, -half))
    return [*left, *right[::-1]], rib


def leaf(
    study: Study, base: Point, angle: float, length: float, width: float, *, bend: float = 0.0, veins: int = 6
) -> None:
    outline, rib = blade(base, angle, length, width, bend)
    study.clear(outline)
    half = len(outline) // 2
    study.green.line(outline[:half], 3.2, 5.0)
    study.green.line(outline[half:], 5.0, 3.2)
    study.green.line(rib[: int(len(rib) * 0.93)], 4.0, 1.8)
    for i in range(1, veins + 1):
        at = int(len(rib) * (0.12 + 0.7 * i / (veins + 1)))
        t = at / (len(rib) - 1)
        reach = width * 0.40 * math.sin(math.pi * t**0.72)
        for side in (-1, 1):
            turn = heading(rib, at) + side * 0.85
            study.green.line([rib[at], polar(rib[at], turn, reach)], 2.4, 1.5)


def fern(study: Study, stem: list[Point], size: float) -> None:
    """A frond: pairs of pinnae that shrink to the tip, each with leaflets of its own."""
    study.green.line(stem, 7.0, 2.6)
    pairs = 21
    for i in range(pairs):
        at = int(len(stem) * (0.24 + 0.75 * i / pairs))
        t = i / (pairs - 1)
        length = size * (0.30 + 1.15 * t) * (1 - t) ** 0.72 if t < 1 else 0
        for side in (-1, 1):
            angle = heading(stem, at) + side * (1.18 - 0.35 * t)
            rib = curve(
                stem[at],
                polar(stem[at], angle, length * 0.55),
                polar(stem[at], angle - side * 0.22, length),
                steps=24,
            )
            study.green.line(rib, 3.0, 1.8)
            leaflets = max(3, int(length / 17))
            for j in range(1, leaflets):
                k = int(len(rib) * j / leaflets)
                small = (8 + 0.115 * length) * (1 - 0.62 * j / leaflets)
                for way in (-1, 1):
                    outline, _ = blade(rib[k], heading(rib, k) + way * 1.05, small, small * 0.44)
                    study.green.line([*outline, outline[0]], 2.2)


def eucalyptus(study: Study, stem: list[Point], size: float) -> None:
    """Round leaves in pairs on a bowed branch."""
    study.green.line(stem, 7.5, 3.0)
    pairs = 8
    for i in range(pairs):
        at = int((len(stem) - 1) * (0.20 + 0.80 * i / (pairs - 1)))
        radius = size * (1 - 0.55 * i / pairs)
        for side in (-1, 1):
            angle = heading(stem, at) + side * (1.05 - 0.06 * i)
            leaf(study, polar(stem[at], angle, 10), angle, radius, radius * 0.82, bend=-0.15 * side, veins=4)


def lavender(study: Study, stem: list[Point]) -> None:
    """Whorls of small buds on a thin stem, in the second ink."""
    study.green.line(stem, 4.6, 2.4)
    whorls = 11
    for i in range(whorls):
        at = int((len(stem) - 1) * (0.60 + 0.40 * i / (whorls - 1)))
        size = 52 * (1 - 0.05 * i)
        for turn in (-1.15, -0.6, 0.6, 1.15) if i < whorls - 1 else (-0.5, 0.0, 0.5):
            outline, _ = blade(stem[at], heading(stem, at) + turn, size, size * 0.46)
            study.clear(outline)
            study.red.line([*outline, outline[0]], 2.8)
        study.red.dot(stem[at], 4.5)


def poppy(study: Study, at: Point, size: float, lean: float) -> None:
    """An open flower: six crinkled petals with rays, a crown of stamens, a seed head."""
    for ring, (petals, reach) in enumerate(((3, 1.0), (3, 0.86))):
        for k in range(petals):
            middle = lean + 2 * math.pi * (k + ring / 2) / petals
            rim = []
            for i in range(90):
                t = i / 89
                angle = middle + (t - 0.5) * 2.15
                swell = math.sin(math.pi * t) ** 0.42
                crinkle = 0.035 * math.sin(19 * t + 2.1 * k) + 0.022 * math.sin(43 * t + k)
                radius = size * reach * (0.16 + (0.84 + crinkle) * swell)
                rim.append(polar(at, angle, radius))
            # Seen a little from the side, a flower is wider than high.
            rim = [(x, at[1] + (y - at[1]) * 0.86) for x, y in rim]
            outline = [at, *rim, at]
            study.clear(outline)
            study.red.line(outline, 4.4)
            for i in range(5, 86, 5):
                foot = polar(at, math.atan2(rim[i][1] - at[1], rim[i][0] - at[0]), size * 0.24)
                share = 0.80 if i % 2 else 0.58
                tip = foot[0] + (rim[i][0] - foot[0]) * share, foot[1] + (rim[i][1] - foot[1]) * share
                study.red.line([foot, tip], 2.6, 1.4)
    ring_of = [polar(at, 2 * math.pi * i / 44, size * (0.27 if i % 2 else 0.335)) for i in range(44)]
    study.clear([polar(at, 2 * math.pi * i / 40, size * 0.22) for i in range(40)])
    for point in ring_of:
        inner = at[0] + (point[0] - at[0]) * 0.42, at[1] + (point[1] - at[1]) * 0.42
        study.green.line([inner, point], 2.2)
        study.green.dot(point, 5.6)
    head = [polar(at, 2 * math.pi * i / 60, size * 0.125) for i in range(61)]
    study.clear(head)
    study.green.line(head, 4.6)
    for i in range(8):
        study.green.line([at, polar(at, math.pi * i / 4 + 0.2, size * 0.108)], 3.0)


def bud(study: Study, stem: list[Point], size: float) -> None:
    """A closed poppy that still hangs its head."""
    study.green.line(stem, 5.2, 3.4)
    outline, rib = blade(stem[-1], heading(stem, len(stem) - 1), size, size * 0.62)
    study.clear(outline)
    study.green.line([*outline, outline[0]], 4.0)
    study.green.line(rib, 2.8)
    for i in range(8, len(outline) - 8, 5):
        hair = polar(outline[i], heading(outline, i) - math.pi / 2, 15)
        study.green.line([outline[i], hair], 1.8)
    for side in (-1, 1):
        study.red.line([polar(rib[-1], heading(rib, len(rib) - 1) + side * 0.9, r) for r in (0, 20, 34)], 3.6)


def seed_head(study: Study, stem: list[Point], size: float) -> None:
    """A ripe capsule with its crown."""
    study.green.line(stem, 5.0, 3.6)
    at, up = stem[-1], heading(stem, len(stem) - 1)
    shell = []
    for i in range(61):
        angle = 2 * math.pi * i / 60
        along, across = math.cos(angle) * size * 0.62 + size * 0.5, math.sin(angle) * size * 0.46
        shell.append(polar(polar(at, up, along), up + math.pi / 2, across))
    study.clear(shell)
    study.green.line(shell, 4.2)
    for k in (-0.55, -0.2, 0.2, 0.55):
        rib = curve(at, polar(polar(at, up, size * 0.55), up + math.pi / 2, k * size), polar(at, up, size * 1.1))
        study.green.line(rib, 2.2)
    top = polar(at, up, size * 1.14)
    rim = [polar(top, up + math.pi / 2, size * 0.42 * k / 6) for k in range(-6, 7)]
    study.green.line(rim, 6.0)
    for point in rim[::2]:
        study.green.line([point, polar(point, up, size * 0.13)], 3.2)


def meadow() -> Image.Image:
    """The whole sheet, RGBA."""
    study = Study()
    tie = (1200.0, 2180.0)

    def stem(tip: Point, bow: float, *, low: float = 0.0) -> list[Point]:
        """From below the tie to the tip, bowed to the side."""
        middle = (tie[0] + (tip[0] - tie[0]) * 0.25 + bow, (tie[1] + tip[1]) / 2 + low)
        return curve((tie[0] + (tie[0] - tip[0]) * 0.04, tie[1]), middle, tip, steps=90)

    fern(study, stem((330, 760), -60, low=60), 250)
    fern(study, stem((2080, 800), 60, low=80), 245)
    for tip, bow in (((640, 430), -30), ((905, 250), -10), ((1560, 260), 20), ((1810, 470), 50)):
        lavender(study, stem(tip, bow))
    eucalyptus(study, stem((420, 1560), -180, low=-40), 235)
    eucalyptus(study, stem((1985, 1540), 180, low=-40), 235)
    seed_head(study, stem((1235, 300), 20), 120)
    bud(study, [*stem((1500, 760), 60)[:80], *curve((1487, 800), (1540, 560), (1665, 600), (1668, 720), steps=40)], 190)
    for tip, bow in (((1330, 1010), 40), ((800, 900), -40), ((1640, 1330), 70), ((930, 1470), -20)):
        study.green.line(stem(tip, bow), 6.4, 5.0)
    leaf(study, (1000, 1890), -2.35, 430, 150, bend=0.4, veins=9)
    leaf(study, (1400, 1890), -0.80, 430, 150, bend=-0.4, veins=9)
    leaf(study, (1165, 1800), -1.95, 400, 130, bend=-0.35, veins=8)
    leaf(study, (1250, 1790), -1.20, 380, 125, bend=0.35, veins=8)
    poppy(study, (800, 900), 250, 0.5)
    poppy(study, (1640, 1330), 235, 2.2)
    poppy(study, (930, 1470), 205, 1.4)
    poppy(study, (1330, 1010), 330, 0.1)

    for i in range(11):
        # Cut ends, fanning out below the knot.
        end = (tie[0] + (i - 5) * 58.0, 2520.0 - 7.0 * abs(i - 5) ** 1.5)
        study.green.line(curve((tie[0] + (i - 5) * 9, tie[1] - 30), (tie[0] + (i - 5) * 16, 2330), end, steps=30), 5.2)
    band = [(1122.0, 2178.0), (1278.0, 2178.0), (1272.0, 2246.0), (1128.0, 2246.0)]
    study.clear(band)
    for k in range(5):
        study.red.line(curve((1120, 2180 + 16 * k), (1200, 2192 + 16 * k), (1280, 2176 + 16 * k)), 4.6)
    for side in (-1, 1):
        loop = curve(
            (1200, 2212), (1200 + side * 190, 2090), (1200 + side * 330, 2200), (1200 + side * 150, 2290), (1200, 2216)
        )
        tail = curve((1200, 2216), (1200 + side * 70, 2330), (1200 + side * 210, 2330), (1200 + side * 250, 2470))
        study.clear(loop)
        study.red.line(loop, 5.0)
        study.red.line(tail, 5.0, 2.6)

    study.green.write("WILD MEADOW", (WIDTH / 2, 2705), 118, 40)
    study.red.write("PAPAVER RHOEAS", (WIDTH / 2, 2850), 50, 22)
    for side in (-1, 1):
        study.red.line([(WIDTH / 2 + side * 390, 2852), (WIDTH / 2 + side * 640, 2852)], 3.4)

    green, red = study.green.cover(), study.red.cover()
    alpha = np.maximum(green, red)
    share = np.divide(red, green + red, out=np.zeros_like(red), where=green + red > 0)[..., None]
    colour = np.array(SAGE) * (1 - share) + np.array(POPPY) * share
    return Image.fromarray(np.dstack([np.rint(colour), np.rint(alpha * 255)]).astype(np.uint8))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    meadow().save(folder / "wild-meadow.png", optimize=True, dpi=(203, 203))


if __name__ == "__main__":
    main()
