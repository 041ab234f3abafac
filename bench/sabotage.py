"""Twelve ways in which a renderer that says it finished may have answered with another picture."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.studio import Scene, Studio
from blender.protocol import VIEW_AZIMUTH_DEG
from farm.picture.light import LINEAR_OF_BYTE, to_srgb
from farm.picture.texture import PanelTexture

Bytes = NDArray[np.uint8]

COMPARED_PX = 128
VISIBLE_LEVELS = 26
VISIBLE_SHARE = 0.002
"""The rule: a sabotage counts where at least two parts in a thousand of the picture (a square of about 4 cm on the
cloth) differs by a tenth of the scale or more, both seen at 128 pixels over grey. What is under that, such as a white
print missing on white cloth, or the mirror image of a symmetric design, no eye and no camera could tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """One false answer: its bytes, and how much of the picture differs visibly; ``None`` when it is no such picture."""

    kind: str
    data: bytes
    differs: float | None

    @property
    def counts(self) -> bool:
        return self.differs is None or self.differs >= VISIBLE_SHARE


def sabotages(studio: Studio, scene: Scene, before: Scene, number: int) -> list[Sabotage]:
    """All twelve of an honest scene; ``before`` is the order that a stale texture is left from."""
    honest = studio.render(studio.order(scene))
    own = studio.textures(scene)
    views, fabric = list(VIEW_AZIMUTH_DEG), ("#ffffff", "#161616", "#1f2a44", "#c8102e", "#21432d", "#b3b4b8")
    other_view = views[(views.index(scene.view) + 1 + number % 5) % len(views)]
    other_cloth = next(one for one in fabric[number % 6 :] + fabric if one != scene.fabric)
    stale = replace(scene, layers=before.layers)
    rendered = {
        "stale texture": studio.order(stale),
        "missing print": studio.order(replace(scene, layers=())),
        "mirrored": studio.order(scene, {name: _mirrored(one) for name, one in own.items()}),
        "wrong colour": studio.order(scene, {name: _recoloured(one) for name, one in own.items()}),
        "wrong fabric": studio.order(replace(scene, fabric=other_cloth), own),
        "wrong view": studio.order(replace(scene, view=other_view), own),
    }
    found = [_compared(kind, honest, studio.render(order)) for kind, order in rendered.items()]
    with Image.open(io.BytesIO(honest)) as opened:
        pixels = np.asarray(opened.convert("RGBA"))
    ground = None if scene.background is None else pixels[0, 0, :3]
    cover = _cover(studio, scene, pixels)
    spoilt: dict[str, Callable[[], Bytes]] = {
        "blank": lambda: _blank(pixels, ground),
        "black": lambda: _lit(pixels, cover, 0.0),
        "clipped": lambda: _lit(pixels, cover, 8.0),
        "noise": lambda: _noisy(pixels, cover, number),
    }
    found += [_compared(kind, honest, _encoded(make(), scene.format)) for kind, make in spoilt.items()]
    found.append(Sabotage(kind="truncated", data=honest[: len(honest) * (3 + number % 6) // 10], differs=None))
    side = scene.size_px // 2 if number % 2 else scene.size_px + 1
    resized = np.asarray(Image.fromarray(pixels).resize((side, side)))
    found.append(Sabotage(kind="wrong size", data=_encoded(resized, scene.format), differs=None))
    return found


def _mirrored(texture: PanelTexture) -> PanelTexture:
    return replace(texture, pixels=np.ascontiguousarray(texture.pixels[:, ::-1]))


def _recoloured(texture: PanelTexture) -> PanelTexture:
    """Channels turned round, as a reader of BGR would; greys, which that leaves alone, inverted."""
    pixels = texture.pixels.copy()
    grey = np.ptp(pixels[..., :3], axis=2) < 24
    pixels[..., :3] = np.where(grey[..., None], 255 - pixels[..., :3], pixels[..., [2, 0, 1]])
    return replace(texture, pixels=pixels)


def _cover(studio: Studio, scene: Scene, pixels: Bytes) -> NDArray[np.float32]:
    """The garment's share of each pixel, from the same view without background."""
    if scene.background is None and scene.format != "jpeg":
        alpha = pixels
    else:
        data = studio.render(studio.order(replace(scene, background=None, format="png", samples=1, layers=())))
        with Image.open(io.BytesIO(data)) as opened:
            alpha = np.asarray(opened.convert("RGBA"))
    return alpha[..., 3:].astype(np.float32) / np.float32(255)


def _blank(pixels: Bytes, ground: Bytes | None) -> Bytes:
    blank = np.zeros_like(pixels)
    if ground is not None:
        blank[...] = (*ground, 255)
    return blank


def _lit(pixels: Bytes, cover: NDArray[np.float32], exposure: float) -> Bytes:
    """The garment, and not the background, in other light."""
    light = np.rint(to_srgb(LINEAR_OF_BYTE[pixels[..., :3]] * exposure) * 255)
    mixed = pixels[..., :3] * (1 - cover) + light * cover
    return np.dstack([np.rint(mixed), pixels[..., 3]]).astype(np.uint8)


def _noisy(pixels: Bytes, cover: NDArray[np.float32], seed: int) -> Bytes:
    """Every picture of noise alone, or with a tenth of the garment's pixels lost."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, pixels.shape, dtype=np.uint8)
    result = pixels.copy()
    if seed % 2:
        result[..., :3] = noise[..., :3]
    else:
        lost = (random.random(cover.shape[:2]) < 0.1) & (cover[..., 0] > 0.5)
        result[lost, :3] = noise[lost, :3]
    return result


def _encoded(pixels: Bytes, form: str) -> bytes:
    out = io.BytesIO()
    picture = Image.fromarray(pixels)
    if form == "jpeg":
        picture.convert("RGB").save(out, "JPEG", quality=93, subsampling=0)
    elif form == "webp":
        picture.save(out, "WEBP", quality=92, method=3)
    else:
        picture.save(out, "PNG")
    return out.getvalue()


def _compared(kind: str, honest: bytes, data: bytes) -> Sabotage:
    one, other = _seen(honest), _seen(data)
    differs = float((np.abs(one - other).max(axis=2) >= VISIBLE_LEVELS).mean())
    return Sabotage(kind=kind, data=data, differs=differs)


def _seen(data: bytes) -> NDArray[np.float32]:
    """A picture over grey at the size at which the rule compares, sRGB bytes."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGBA")
    ground = Image.new("RGBA", picture.size, (128, 128, 128, 255))
    ground.alpha_composite(picture)
    small = ground.convert("RGB").resize((COMPARED_PX, COMPARED_PX), Image.Resampling.BOX)
    return np.asarray(small, np.float32)
