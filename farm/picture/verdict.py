"""The verdict: does a picture show this garment, from this side, in this colour, with this print?

The template's maps, the textures and the fabric's colour say what every part of the picture must look like, up to
noise, sheen and light between folds (`farm.picture.expectation`). A renderer that answers with the texture of another
job, without the print, or from another side says that it finished; this is the witness.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from farm.picture.expectation import Float, ViewMaps, albedos, expected_albedo
from farm.picture.light import to_linear, to_srgb
from farm.picture.neighbours import beyond, blurred, smoothed, strongest
from farm.picture.reduction import Tally, looked_at, resized, without_shadow
from farm.picture.sized_maps import sized
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
_ENOUGH_PIXELS = 12
_ENOUGH_TO_MIRROR = 0.001
"""Part of the picture."""
_TOE = 0.01
_ALL = np.ones(3, np.float32)
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
        difference: ``(h, 3 w, 4) uint8``: what was expected, what came, where they differ; of refused pictures alone.
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
        picture: ``(H, W, 4) uint8``, sRGB, straight alpha, or ``(H, W, 3)``, opaque; row 0 at the top; square.
        maps: of the view; without them (frames of a film) only blank and black pictures are told.
        textures: by panel name; may be empty.
        fabric: linear Rec.709.
        background: linear Rec.709, or ``None`` for a transparent picture.
        shadow: ``(H, W)``, the share of the ground's sRGB value that the garment's shadow takes away.
        samples: per pixel, if it was path-traced: a denoiser makes what one sample saw brighter as a whole.
    """
    measures: dict[str, float] = {}
    if shadow is not None and background is None:
        picture = without_shadow(picture, shadow)
    side = min(picture.shape[0], 256 if maps is None else maps.panel.shape[0])
    seen, tally = looked_at(picture, side)
    failures = _plain_failures(tally, background, measures)
    if maps is None or failures:
        return _verdict(failures, measures, None)
    at = sized(maps, side)

    if background is None:
        # Noise at one sample jitters every pixel of the outline; a wrong outline is wrong over an area.
        error = float(np.abs(blurred(seen[..., 3]) - at.outline).sum() / max(at.outline.sum(), 1e-6))
        measures["silhouette_error"] = error
        if error > MOST_SILHOUETTE_ERROR + OUTLINE_NOISE_PX / side:
            reason = f"{error:.0%} of the outline's area is not the garment seen from this side"
            failures.append(("wrong_silhouette", reason))
        colour = _straight(seen)
        graded = _encoded(colour)
    else:
        colour = seen[..., :3]
        graded = _encoded(colour)
        ground = np.asarray(background, np.float32)
        if shadow is not None:
            ground = to_linear(to_srgb(ground) * resized(1 - shadow, side)[..., None]).astype(np.float32)
        distance = strongest(graded - _encoded(ground))[at.outside]
        error = float((distance > _VISIBLE).mean()) if distance.size else 0.0
        measures["background_error"] = error
        if error > MOST_BACKGROUND_ERROR:
            failures.append(("wrong_background", f"{error:.0%} of the background has another colour"))

    inner = at.inner
    albedo = albedos(maps, textures, fabric)
    wanted, turned, bare = (at.shown(one) for one in (*albedo, expected_albedo(maps, {}, fabric)))
    if samples is not None:
        gain = _gain(colour[inner], wanted[inner], 1 + MOST_BRIGHTENED / samples)
        measures["gain"] = gain
        wanted, turned, bare = (np.minimum(one * np.float32(gain), 1) for one in (wanted, turned, bare))
    burnt = (_darkest(colour) > 0.99) & (_darkest(np.maximum(wanted, bare)) < 0.7)
    cloth = _Cloth(
        seen=graded,
        wanted=_encoded(wanted),
        bare=_encoded(bare),
        mirrored=_encoded(turned),
        burnt=burnt,
        whole=at.whole,
        inner=inner,
        facing=at.facing,
    )
    failures += _cloth_failures(cloth, measures)
    if not failures:
        return _verdict(failures, measures, None)
    misfit = np.where(inner, strongest(cloth.seen - cloth.wanted), 0)
    return _verdict(failures, measures, _difference(wanted, colour, at.coverage, misfit))


def _gain(seen: Float, wanted: Float, most: float) -> float:
    """By how much the picture is brighter as a whole than wanted, from 1 to ``most``."""
    sums = wanted @ _ALL
    lit = sums > _TOE
    if not lit.any():
        return 1.0
    ratio = float(np.median((seen @ _ALL)[lit] / sums[lit]))
    return min(max(ratio, 1.0), most)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cloth:
    """What is compared, ``(side, side, 3)``, graded as the eye does, and where, ``(side, side)``.

    Attributes:
        bare, mirrored: what is wanted, without the print and with it mirrored.
        burnt: white as it may not be.
        whole: all of the pixel is cloth.
        inner: and so it is two pixels around.
        facing: the cloth is not seen along its surface.
    """

    seen: Float
    wanted: Float
    bare: Float
    mirrored: Float
    burnt: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    facing: NDArray[np.bool_]


def _plain_failures(
    tally: Tally, background: tuple[float, float, float] | None, measures: dict[str, float]
) -> list[tuple[str, str]]:
    """What can be told of any picture, whatever it should show."""
    measures["covered"] = tally.visible / tally.count
    if not tally.visible or (background is None and measures["covered"] < 0.01):
        return [("blank", "the picture is transparent")]
    if background is None and measures["covered"] > 0.97:
        return [("wrong_silhouette", "the picture has no transparent background")]
    if background is not None and tally.visible < tally.count:
        return [("wrong_background", "the picture is transparent where it should not be")]
    measures["spread"] = tally.spread
    measures["brightest"] = float(tally.brightest)
    if tally.brightest == 0:
        # No cloth is quite without sheen: even black on black shows a few steps.
        return [("black", "the picture is black")]
    if tally.spread < 0.2:
        return [("blank", "the picture has one colour everywhere")]
    return []


def _cloth_failures(cloth: _Cloth, measures: dict[str, float]) -> list[tuple[str, str]]:
    """Whether the cloth has the colours it must have, and the print in particular."""
    inner = cloth.inner
    if not inner.any():
        return []
    failures: list[tuple[str, str]] = []
    measures["clipped"] = float(cloth.burnt[inner].mean())
    if measures["clipped"] > MOST_CLIPPED:
        failures.append(("clipped", f"{measures['clipped']:.0%} of the cloth is burnt out"))

    seen, wanted, mirrored = cloth.seen, cloth.wanted, cloth.mirrored
    contrast = wanted - cloth.bare
    inked = cloth.whole & (strongest(contrast) > _CONTRAST)
    plain = inner & ~inked
    printed = inked & cloth.facing
    plain = plain if plain.sum() >= _ENOUGH_PIXELS else inner
    soft, soft_wanted = smoothed(seen, inner), smoothed(wanted, inner)
    residual = (soft - soft_wanted)[plain].T
    measures["fabric_error"] = max(abs(float(np.median(np.ascontiguousarray(one)))) for one in residual)
    measures["misfit"] = beyond(soft, soft_wanted, inner, _VISIBLE)
    measures["tinted"] = beyond(smoothed(soft, inner), smoothed(soft_wanted, inner), inner, _TINT)
    if measures["misfit"] > MOST_MISFIT or measures["tinted"] > MOST_TINTED:
        part = measures["misfit"] if measures["misfit"] > MOST_MISFIT else measures["tinted"]
        failures.append(("wrong_colours", f"{part:.1%} of the cloth has another colour than it must have"))
    elif measures["fabric_error"] > MOST_FABRIC_ERROR:
        failures.append(("wrong_colours", "the cloth as a whole has another colour than it must have"))

    measures["print_pixels"] = float(printed.sum())
    if measures["print_pixels"] >= _ENOUGH_PIXELS:
        # Fine print a fraction of a pixel beside itself differs everywhere; over some pixels it is the same ink.
        told = smoothed(contrast, cloth.whole, times=2)[printed]
        missed = smoothed(seen - wanted, cloth.whole, times=2)[printed]
        energy = float((told**2).sum())
        measures["print_error"] = float((missed**2).sum()) / energy
        measures["print_strength"] = 1 + float((missed * told).sum()) / energy
        if measures["print_error"] > MOST_PRINT_ERROR:
            failures.append(("wrong_print", "the print that must show here is missing, another one, or misplaced"))
    telling = inner & (strongest(wanted - mirrored) > _CONTRAST)
    if telling.sum() >= max(_ENOUGH_PIXELS, _ENOUGH_TO_MIRROR * inner.size):
        straight = float(((seen - wanted)[telling] ** 2).sum())
        measures["mirror_ratio"] = float(((seen - mirrored)[telling] ** 2).sum()) / max(straight, 1e-9)
        if measures["mirror_ratio"] < _MIRRORED:
            failures.append(("wrong_print", "the print is mirrored"))
    return failures


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


def _darkest(colours: Float) -> Float:
    """The least of the three channels."""
    return np.minimum(np.minimum(colours[..., 0], colours[..., 1]), colours[..., 2])


def _encoded(linear: NDArray[np.floating]) -> Float:
    """Light as the eye grades it, with a toe that keeps noise and sheen in black from counting."""
    return np.asarray((np.maximum(linear, 0) + _TOE) ** 0.45, np.float32)


def _straight(premultiplied: Float) -> Float:
    alpha = premultiplied[..., 3:]
    return np.divide(premultiplied[..., :3], alpha, out=np.zeros_like(premultiplied[..., :3]), where=alpha > 0.01)


def _difference(wanted: Float, seen: Float, coverage: Float, misfit: Float) -> NDArray[np.uint8]:
    alpha = coverage[..., None]
    grey = np.float32(0.6)
    heat = np.clip(misfit / (3 * _VISIBLE), 0, 1)[..., None]
    cold = np.full_like(wanted, 0.02)
    hot = np.asarray([1.0, 0.12, 0.02], np.float32)
    panels = [wanted * alpha + grey * (1 - alpha), seen * alpha + grey * (1 - alpha), cold * (1 - heat) + hot * heat]
    joined = np.rint(to_srgb(np.concatenate(panels, axis=1)) * 255).astype(np.uint8)
    return np.dstack([joined, np.full(joined.shape[:2], 255, np.uint8)])
