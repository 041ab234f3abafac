"""Designs as shops print them, by number: photographs, lettering, line art, gradients, patterns, marks."""

import io
import math
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = (
    "Nordlys",
    "Tidewater",
    "Basecamp 1986",
    "slow mornings",
    "Ø",
    "Kelp & Salt",
    "No. 7",
    "after the rain",
    "hertz",
)
KINDS = ("photo", "lettering", "lines", "gradient", "pattern", "badge", "white", "neon")


def design(number: int, *, salt: int = 0, longest_px: int = 1200) -> bytes:
    """A PNG.

    Args:
        salt: another one makes another design of the same kind.
        longest_px: its longer side is between half of this and this.
    """
    rng = Random(number * 1_000_003 + salt)
    height = rng.randint(longest_px // 2, longest_px)
    width = min(longest_px, max(longest_px // 3, int(height * rng.uniform(0.6, 1.3))))
    kind = KINDS[number % len(KINDS)]
    picture = {"photo": _photo, "gradient": _gradient, "pattern": _pattern}.get(kind, _drawing)(
        rng, width, height, kind
    )
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=4)
    return out.getvalue()


def write_designs(folder: Path, count: int, *, longest_px: int = 1200) -> list[str]:
    """``count`` designs as files, those that are not there yet; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        path = folder / f"{KINDS[number % len(KINDS)]}-{number:06d}.png"
        if not path.exists():
            path.write_bytes(design(number, longest_px=longest_px))
        names.append(path.name)
    return names


def _colour(rng: Random, saturation: float = 1.0) -> tuple[int, int, int]:
    hue, light = rng.random() * 6, rng.uniform(0.35, 0.95)
    parts = [light * (1 - saturation * min(1.0, max(0.0, abs((hue + k) % 6 - 3) - 1))) for k in (0, 4, 2)]
    red, green, blue = (round(255 * (light - part + light * 0.2)) for part in parts)
    return max(0, min(255, red)), max(0, min(255, green)), max(0, min(255, blue))


def _photo(rng: Random, width: int, height: int, _: str) -> Image.Image:
    """Soft shapes of many sizes with grain, as a photograph has them."""
    source = np.random.default_rng(rng.getrandbits(32))
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(6):
        side = 2 << octave
        noise = Image.fromarray(source.integers(0, 256, (side, side, 3), np.uint8).astype(np.uint8))
        total += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 2**octave
    total += source.normal(0, 6, total.shape).astype(np.float32)
    low, high = total.min(), total.max()
    return Image.fromarray(((total - low) * (255 / (high - low))).astype(np.uint8))


def _gradient(rng: Random, width: int, height: int, _: str) -> Image.Image:
    first, second = np.array(_colour(rng), np.float32), np.array(_colour(rng), np.float32)
    angle = rng.random() * math.tau
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    share = (x / width - 0.5) * math.cos(angle) + (y / height - 0.5) * math.sin(angle) + 0.5
    share = np.clip(share, 0, 1)[..., None]
    return Image.fromarray((first * (1 - share) + second * share).astype(np.uint8))


def _pattern(rng: Random, width: int, height: int, _: str) -> Image.Image:
    step = rng.randint(24, 90)
    y, x = np.mgrid[0:height, 0:width]
    mask = ((x // step + y // step) % 2 == 0) ^ ((x + y) % (2 * step) < step // 3)
    return Image.fromarray(np.where(mask[..., None], _colour(rng), _colour(rng)).astype(np.uint8))


def _drawing(rng: Random, width: int, height: int, kind: str) -> Image.Image:
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    ink = {"white": (255, 255, 255), "neon": rng.choice([(57, 255, 20), (255, 16, 240), (255, 255, 0)])}.get(kind)
    ink = ink or _colour(rng)
    if kind == "lines":
        for _ in range(rng.randint(20, 60)):
            points = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(3)]
            draw.line(points, fill=(*_colour(rng), 255), width=rng.choice([1, 1, 2, 3]))
    if kind in ("badge", "white", "neon"):
        inset = min(width, height) * 0.06
        draw.ellipse((inset, inset, width - inset, height - inset), outline=(*ink, 255), width=rng.randint(6, 40))
        if kind == "badge":
            draw.ellipse((4 * inset, 4 * inset, width - 4 * inset, height - 4 * inset), fill=(*_colour(rng), 230))
    for line in range(rng.randint(1, 4)):
        font = ImageFont.load_default(rng.choice([14, 28, 64, width // 6]))
        draw.text((width / 2, height * (line + 1) / 5), rng.choice(WORDS), fill=(*ink, 255), font=font, anchor="mm")
    return picture
