"""The verdict: does a picture show this garment, from this side, in this colour, with this print?

The template's maps, the textures and the fabric's colour say what every part of the picture must look like, up to
noise, sheen and light between folds (`farm.picture.expectation`). A renderer that answers with the texture of another
job, without the print, or from another side says that it finished; this is the witness.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.picture.expectation import Float, ViewMaps, albedos, expected_albedo
from farm.picture.light import LINEAR_OF_BYTE, to_linear, to_srgb
from farm.picture.texture import PanelTexture

__all__ = ["Verdict", "ViewMaps", "expected_albedo", "judge"]

# The limits stand well above the worst of two hundred honest pictures of the crew tee, and below the mildest of the
# sabotaged ones that a person could tell. Both are made and measured anew by `python -m bench.verdict`.
MOST_SILHOUETTE_ERROR = 0.015
OUTLINE_NOISE_PX = 1.6
"""Area in which the outline differs, over the outline's own: the first, and the second divided by the side in pixels,
since one sample jitters the outline's pixels. That is 0.021 at 256 px (honest: 0.007; front taken for back: 0.05) and
0.04 at 64 px (honest: 0.026)."""
MOST_BACKGROUND_ERROR = 0.02
"""Part of the background that has another colour. Honest: 0.000."""
MOST_MISFIT = 0.01
"""Part of the cloth that looks plainly other than expected. Honest: 0.008, transparent ink on a neon
side view at 256 px."""
MOST_TINTED = 0.08
"""Part of the cloth that looks somewhat other than expected. Honest: 0.06, neon cloth from the side; a print in a
neighbouring colour: 0.19."""
MOST_FABRIC_ERROR = 0.035
"""Median difference, in encoded light, over the cloth without print. Honest: 0.017; black cloth unlit: 0.047."""
MOST_PRINT_ERROR = 0.5
"""Squared error inside the print, over the squared contrast of print and fabric, both smoothed. Honest: 0.26, for a
sliver of print seen along the outline; print missing: 0.87."""
MOST_CLIPPED = 0.02
"""Part of the cloth burnt out where it should not be."""
MOST_BRIGHTENED = 0.12
"""By what part a picture of one sample may be brighter as a whole, in linear light; of more samples, by as much less.
Honest, at one sample and 128 px: 0.1; at four: 0.01."""
_MIRRORED = 0.7
"""A print whose mirror image fits with less than this part of the error is mirrored. Honest: 1.2."""
_VISIBLE = 0.10
"""A difference in encoded light that a person sees at a glance; smaller ones are noise and folds."""
_TINT = 0.06
"""The least difference that stands out over an area."""
_CONTRAST = 0.05
_SEEN_ALONG_CM = 1.2
"""Where one pixel of 256 sees more of its panel than this, cloth is seen along its surface, and no print can be told;
facing the camera it is 0.35."""
_ENOUGH_PIXELS = 12
_ENOUGH_TO_MIRROR = 0.001
"""Part of the picture."""
_TOE = 0.01
_FAR = 9.0
_DARK = 0.15
"""Where half-grey cloth is darker than this, light goes astray in folds, and colours with it."""
LIMITS = {
    "silhouette_error": MOST_SILHOUETTE_ERROR,
    "misfit": MOST_MISFIT,
    "tinted": MOST_TINTED,
    "fabric_error": MOST_FABRIC_ERROR,
    "print_error": MOST_PRINT_ERROR,
    "clipped": MOST_CLIPPED,
    "background_error": MOST_BACKGROUND_ERROR,
}
"""By the name of the measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, and what it rests on.

    Attributes:
        code: ``ok``, or the first reason's: ``blank``, ``black``, ``clipped``, ``wrong_silhouette``,
            ``wrong_background``, ``wrong_colours``, ``wrong_print``.
        reasons: sentences for a person, none when ``ok``.
        measures: the figures behind it, for logs and reports.
        difference: ``(h, 3 w, 4) uint8``: what was expected, what came, where they differ.
    """

    ok: bool
    code: str
    reasons: tuple[str, ...]
    measures: Mapping[str, float] = field(default_factory=dict)
    difference: NDArray[np.uint8] | None = None


def judge(
    picture: NDArray[np.uint8],
    *,
    maps: ViewMaps | None,
    textures: Mapping[str, PanelTexture],
    fabric: tuple[float, float, float],
    background: tuple[float, float, float] | None = None,
    shadow: Float | None = None,
    samples: int | None = None,
) -> Verdict:
    """Judge a decoded picture.

    Args:
        picture: ``(H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top; square.
        maps: of the view; without them (frames of a film) only blank and black pictures are told.
        textures: by panel name; may be empty.
        fabric: linear Rec.709.
        background: linear Rec.709, or ``None`` for a transparent picture.
        shadow: ``(H, W)``, the share of the ground's sRGB value that the garment's shadow takes away.
        samples: per pixel, if it was path-traced: a denoiser makes what one sample saw brighter as a whole.
    """
    measures: dict[str, float] = {}
    if shadow is not None and background is None:
        picture = _without_shadow(picture, shadow)
    failures = _plain_failures(picture, background, measures)
    if maps is None or failures:
        return _verdict(failures, measures, None)
    side = min(maps.panel.shape[0], *picture.shape[:2])
    seen, coverage = _reduced(picture, side), _resized(maps.coverage, side)

    if background is None:
        # Noise at one sample jitters every pixel of the outline; a wrong outline is wrong over an area.
        alpha, cover = _blurred(seen[..., 3]), _blurred(coverage)
        error = float(np.abs(alpha - cover).sum() / max(cover.sum(), 1e-6))
        measures["silhouette_error"] = error
        if error > MOST_SILHOUETTE_ERROR + OUTLINE_NOISE_PX / side:
            reason = f"{error:.0%} of the outline's area is not the garment seen from this side"
            failures.append(("wrong_silhouette", reason))
    else:
        outside = _eroded(coverage < 0.004)
        ground = np.asarray(background, np.float32)
        if shadow is not None:
            ground = to_linear(to_srgb(ground) * _resized(1 - shadow, side)[..., None]).astype(np.float32)
        distance = np.abs(_encoded(seen[..., :3]) - _encoded(ground)).max(axis=2)
        error = float((distance[outside] > _VISIBLE).mean()) if outside.any() else 0.0
        measures["background_error"] = error
        if error > MOST_BACKGROUND_ERROR:
            failures.append(("wrong_background", f"{error:.0%} of the background has another colour"))

    colour = seen[..., :3] if background is not None else _straight(seen)
    upright, mirrored = albedos(maps, textures, fabric)
    wanted, turned = _shown(maps, upright, side), _shown(maps, mirrored, side)
    bare = _shown(maps, expected_albedo(maps, {}, fabric), side)
    whole = _resized(maps.coverage * (maps.panel >= 0), side) > 0.98
    whole &= _resized(maps.shade, side) > _DARK
    inner = _eroded(whole)
    facing = _resized((maps.cm_per_pixel() <= _SEEN_ALONG_CM).astype(np.float32), side) > 0.98
    if samples is not None:
        gain = _gain(colour[inner], wanted[inner], 1 + MOST_BRIGHTENED / samples)
        measures["gain"] = gain
        wanted, turned, bare = (np.minimum(one * np.float32(gain), 1) for one in (wanted, turned, bare))
    failures += _cloth_failures(_Cloth(colour, wanted, bare, turned, whole, inner, facing), measures)
    misfit = np.where(inner, np.abs(_encoded(colour) - _encoded(wanted)).max(axis=2), 0)
    return _verdict(failures, measures, _difference(wanted, colour, coverage, misfit))


def _without_shadow(picture: NDArray[np.uint8], shadow: Float) -> NDArray[np.uint8]:
    """A transparent picture before its shadow was put under the garment; what is all garment stays as it is."""
    total = picture[..., 3].astype(np.float32) / np.float32(255)
    garment = np.clip((total - shadow) / np.maximum(1 - shadow, np.float32(1e-3)), 0, 1)
    # Half a step of alpha is no garment.
    garment[garment * 255 < 1.5] = 0
    color = np.divide(
        picture[..., :3] * total[..., None], garment[..., None], out=np.zeros((*picture.shape[:2], 3), np.float32),
        where=garment[..., None] > 0,
    )  # fmt: skip
    parts = [np.clip(np.rint(color), 0, 255), np.rint(garment[..., None] * 255)]
    return np.concatenate(parts, axis=2).astype(np.uint8)


def _gain(seen: Float, wanted: Float, most: float) -> float:
    """By how much the picture is brighter as a whole than wanted, from 1 to ``most``."""
    lit = wanted.sum(axis=1) > _TOE
    if not lit.any():
        return 1.0
    ratio = float(np.median(seen[lit].sum(axis=1) / wanted[lit].sum(axis=1)))
    return min(max(ratio, 1.0), most)


def _shown(maps: ViewMaps, albedo: Float, side: int) -> Float:
    """What a picture shows of an albedo, clipped as pictures are: ``(side, side, 3)``, linear, 0 off the cloth."""
    cloth = maps.coverage * (maps.panel >= 0)
    share = _resized(cloth, side)[..., None]
    shown = _resized(maps.light(albedo) * cloth[..., None], side)
    return np.divide(shown, share, out=np.zeros_like(shown), where=share > 0.5)


@dataclass(frozen=True, slots=True)
class _Cloth:
    """What is compared, ``(side, side, 3)`` in linear light, and where, ``(side, side)``.

    Attributes:
        bare, mirrored: what is wanted, without the print and with it mirrored.
        whole: all of the pixel is cloth.
        inner: and so it is two pixels around.
        facing: the cloth is not seen along its surface.
    """

    seen: Float
    wanted: Float
    bare: Float
    mirrored: Float
    whole: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    facing: NDArray[np.bool_]


def _plain_failures(
    picture: NDArray[np.uint8], background: tuple[float, float, float] | None, measures: dict[str, float]
) -> list[tuple[str, str]]:
    """What can be told of any picture, whatever it should show."""
    visible = picture[..., 3] > 127
    measures["covered"] = float(visible.mean())
    if not visible.any() or (background is None and measures["covered"] < 0.01):
        return [("blank", "the picture is transparent")]
    if background is None and measures["covered"] > 0.97:
        return [("wrong_silhouette", "the picture has no transparent background")]
    if background is not None and not visible.all():
        return [("wrong_background", "the picture is transparent where it should not be")]
    shown = picture[..., :3][visible]
    measures["spread"] = float(shown.astype(np.float32).std(axis=0).max())
    measures["brightest"] = float(shown.max())
    if measures["brightest"] == 0:
        # No cloth is quite without sheen: even black on black shows a few steps.
        return [("black", "the picture is black")]
    if measures["spread"] < 0.2:
        return [("blank", "the picture has one colour everywhere")]
    return []


def _cloth_failures(cloth: _Cloth, measures: dict[str, float]) -> list[tuple[str, str]]:
    """Whether the cloth has the colours it must have, and the print in particular."""
    inner = cloth.inner
    if not inner.any():
        return []
    failures: list[tuple[str, str]] = []
    burnt = (cloth.seen.min(axis=2) > 0.99) & (np.maximum(cloth.wanted, cloth.bare).min(axis=2) < 0.7)
    measures["clipped"] = float(burnt[inner].mean())
    if measures["clipped"] > MOST_CLIPPED:
        failures.append(("clipped", f"{measures['clipped']:.0%} of the cloth is burnt out"))

    seen, wanted, bare, mirrored = (_encoded(one) for one in (cloth.seen, cloth.wanted, cloth.bare, cloth.mirrored))
    contrast = wanted - bare
    inked = cloth.whole & (np.abs(contrast).max(axis=2) > _CONTRAST)
    plain = inner & ~inked
    printed = inked & cloth.facing
    plain = plain if plain.sum() >= _ENOUGH_PIXELS else inner
    residual = _smooth(seen - wanted, inner)
    measures["fabric_error"] = float(np.abs(np.median(residual[plain], axis=0)).max())
    for name, visible, times in (("misfit", _VISIBLE, 1), ("tinted", _TINT, 2)):
        beyond = _beyond(_smooth(seen, inner, times), _smooth(wanted, inner, times), inner)
        measures[name] = float((np.abs(beyond).max(axis=2)[inner] > visible).mean())
    if measures["misfit"] > MOST_MISFIT or measures["tinted"] > MOST_TINTED:
        part = measures["misfit"] if measures["misfit"] > MOST_MISFIT else measures["tinted"]
        failures.append(("wrong_colours", f"{part:.1%} of the cloth has another colour than it must have"))
    elif measures["fabric_error"] > MOST_FABRIC_ERROR:
        failures.append(("wrong_colours", "the cloth as a whole has another colour than it must have"))

    measures["print_pixels"] = float(printed.sum())
    if measures["print_pixels"] >= _ENOUGH_PIXELS:
        # Fine print a fraction of a pixel beside itself differs everywhere; over some pixels it is the same ink.
        told = _smooth(contrast, cloth.whole, times=2)[printed]
        missed = _smooth(seen - wanted, cloth.whole, times=2)[printed]
        energy = float((told**2).sum())
        measures["print_error"] = float((missed**2).sum()) / energy
        measures["print_strength"] = 1 + float((missed * told).sum()) / energy
        if measures["print_error"] > MOST_PRINT_ERROR:
            failures.append(("wrong_print", "the print that must show here is missing, another one, or misplaced"))
    telling = inner & (np.abs(wanted - mirrored).max(axis=2) > _CONTRAST)
    if telling.sum() >= max(_ENOUGH_PIXELS, _ENOUGH_TO_MIRROR * inner.size):
        straight = float(((seen - wanted)[telling] ** 2).sum())
        measures["mirror_ratio"] = float(((seen - mirrored)[telling] ** 2).sum()) / max(straight, 1e-9)
        if measures["mirror_ratio"] < _MIRRORED:
            failures.append(("wrong_print", "the print is mirrored"))
    return failures


def _beyond(seen: Float, wanted: Float, inside: NDArray[np.bool_]) -> Float:
    """How far each pixel lies outside of all that is wanted within a pixel around it: a shift is no error."""
    there = inside[..., None]
    high = _extreme(np.where(there, wanted, -_FAR), np.maximum)
    low = _extreme(np.where(there, wanted, _FAR), np.minimum)
    return np.where(there, np.maximum(seen - high, 0) - np.maximum(low - seen, 0), 0).astype(np.float32)


def _extreme(array: NDArray[np.floating], choose: Callable[..., Any]) -> NDArray[np.floating]:
    """The greatest or the least of 3 x 3 pixels."""
    padded = np.pad(array, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = choose(choose(padded[:-2], padded[1:-1]), padded[2:])
    return np.asarray(choose(choose(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))


def _smooth(colours: Float, inside: NDArray[np.bool_], times: int = 1) -> Float:
    for _ in range(times):
        colours = np.stack([_blurred(np.where(inside, colours[..., i], 0), inside) for i in range(3)], axis=-1)
    return colours


def _verdict(
    failures: list[tuple[str, str]], measures: dict[str, float], difference: NDArray[np.uint8] | None
) -> Verdict:
    return Verdict(
        ok=not failures,
        code=failures[0][0] if failures else "ok",
        reasons=tuple(reason for _, reason in failures),
        measures=measures,
        difference=difference,
    )


def _encoded(linear: NDArray[np.floating]) -> Float:
    """Light as the eye grades it, with a toe that keeps noise and sheen in black from counting."""
    return np.asarray((np.maximum(linear, 0) + _TOE) ** 0.45, np.float32)


def _reduced(picture: NDArray[np.uint8], side: int) -> Float:
    """``(side, side, 4) float32``, linear premultiplied, area-averaged."""
    alpha = picture[..., 3:].astype(np.float32) / np.float32(255)
    return _resized(np.concatenate([LINEAR_OF_BYTE[picture[..., :3]] * alpha, alpha], axis=2), side)


def _resized(array: NDArray[np.floating], side: int) -> Float:
    array = np.asarray(array, np.float32)
    if array.shape[:2] == (side, side):
        return array
    if array.ndim == 3:
        return np.stack([_resized(np.ascontiguousarray(array[..., i]), side) for i in range(array.shape[2])], axis=-1)
    return np.asarray(Image.fromarray(array).resize((side, side), Image.Resampling.BOX))


def _straight(premultiplied: Float) -> Float:
    alpha = premultiplied[..., 3:]
    return np.divide(premultiplied[..., :3], alpha, out=np.zeros_like(premultiplied[..., :3]), where=alpha > 0.01)


def _blurred(array: Float, inside: NDArray[np.bool_] | None = None) -> Float:
    """The mean of 3 x 3 pixels; with ``inside``, of those of them that lie there."""
    total = _box(array)
    if inside is None:
        return total / np.float32(9)
    return np.divide(total, _box(inside.astype(np.float32)), out=np.zeros_like(total), where=inside)


def _box(array: Float) -> Float:
    padded = np.pad(array, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    result: Float = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return result


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without its outermost two pixels: outlines differ by noise, and cloth seen along its surface by sheen."""
    for _ in range(2):
        mask = _box(mask.astype(np.float32)) > 8.5
    return mask


def _difference(wanted: Float, seen: Float, coverage: Float, misfit: Float) -> NDArray[np.uint8]:
    alpha = coverage[..., None]
    grey = np.float32(0.6)
    heat = np.clip(misfit / (3 * _VISIBLE), 0, 1)[..., None]
    cold = np.full_like(wanted, 0.02)
    hot = np.asarray([1.0, 0.12, 0.02], np.float32)
    panels = [wanted * alpha + grey * (1 - alpha), seen * alpha + grey * (1 - alpha), cold * (1 - heat) + hot * heat]
    joined = np.rint(to_srgb(np.concatenate(panels, axis=1)) * 255).astype(np.uint8)
    return np.dstack([joined, np.full(joined.shape[:2], 255, np.uint8)])
