"""The shape of a picture: its longer side in pixels and its sides' proportion, from which both sides follow."""

import re
from collections.abc import Mapping
from math import gcd
from typing import Annotated, Any

from pydantic import AfterValidator

SQUARE = "1:1"
LONGEST = 4
"""A side may be at most so many times the other."""
_FORM = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")


def _aspect(text: str) -> str:
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ValueError("write width:height in whole numbers, such as 4:5")
    width, height = int(form[1]), int(form[2])
    if max(width, height) > LONGEST * min(width, height):
        raise ValueError(f"one side may be at most {LONGEST} times the other")
    shared = gcd(width, height)
    return f"{width // shared}:{height // shared}"


Aspect = Annotated[str, AfterValidator(_aspect)]
"""Width to height in lowest terms, such as ``4:5``."""


def sides_px(request: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of a normalised request's pictures; ``size`` is the longer side."""
    return sides_of(int(request["size"]), str(request.get("aspect", SQUARE)))


def sides_text(request: Mapping[str, Any]) -> str:
    """A normalised request's picture size in words: one number where the picture is square."""
    width, height = sides_px(request)
    return f"{width} px" if width == height else f"{width} x {height} px"


def sides_of(size_px: int, aspect: str) -> tuple[int, int]:
    """Width and height, when the longer side has ``size_px`` pixels."""
    width, height = (int(part) for part in aspect.split(":"))
    shorter = max(1, (2 * size_px * min(width, height) + max(width, height)) // (2 * max(width, height)))
    return (size_px, shorter) if width >= height else (shorter, size_px)
