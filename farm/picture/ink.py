"""Ink: whether a layer covers the cloth or dyes it.

A press lays white ink under the colours on dark cloth, so that they stay what they are; without that underbase, ink is
a filter on the cloth's own colour and can only darken it.
"""

from farm.domain.panel import words_of
from farm.domain.placement import BlendMode, Placement
from farm.picture.notice import Notice

DARK_CLOTH = 0.18
"""Luminance under which cloth swallows translucent ink: middle grey."""


def blend_of(placement: Placement) -> BlendMode:
    """How the layer meets what lies beneath it."""
    if not placement.underbase and placement.blend is BlendMode.NORMAL:
        return BlendMode.MULTIPLY
    return placement.blend


def dyes(placement: Placement) -> bool:
    """Whether the layer's colours depend on the cloth beneath it: then so does the texture it is composed into."""
    return blend_of(placement) is not BlendMode.NORMAL


def inspect_ink(placement: Placement, fabric: tuple[float, float, float]) -> tuple[Notice, ...]:
    """What a person should know before this ink meets this cloth (linear Rec.709)."""
    luminance = 0.2126 * fabric[0] + 0.7152 * fabric[1] + 0.0722 * fabric[2]
    if blend_of(placement) is not BlendMode.MULTIPLY or luminance >= DARK_CLOTH:
        return ()
    message = (
        f"The print on the {words_of(placement.panel)} has no white underbase: on cloth this dark it hardly shows."
    )
    return (Notice(code="print_without_underbase", message=message),)
