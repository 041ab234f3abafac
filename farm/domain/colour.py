"""Colours as people write them: ``#RGB``, ``#RRGGBB``, CSS names, and the fabric names of garment makers."""

from collections.abc import Callable
from typing import Annotated

from PIL import ImageColor
from pydantic import AfterValidator

from farm.errors import InvalidRequest

FABRIC_NAMES = {
    "white": "#ffffff",
    "black": "#161616",
    "navy": "#1f2a44",
    "red": "#c8102e",
    "royal": "#224d8f",
    "royal-blue": "#224d8f",
    "forest": "#21432d",
    "forest-green": "#21432d",
    "kelly-green": "#00805e",
    "heather-grey": "#b3b4b8",
    "charcoal": "#42464c",
    "sand": "#dcd2be",
    "natural": "#f0e8d8",
    "maroon": "#5b2b42",
    "purple": "#464e84",
    "orange": "#f4633a",
    "gold": "#eead1a",
    "light-blue": "#a4c8e1",
    "light-pink": "#e4c6d4",
}
"""Cotton is never quite the CSS colour: black dye reflects about 1 %, so ``black`` here is not ``#000000``."""

TRANSPARENT = "transparent"


def parse_colour(text: str) -> str:
    """Any accepted spelling as lower-case ``#rrggbb`` (sRGB).

    Raises:
        InvalidRequest: when it is no colour.
    """
    name = text.strip().lower()
    if name in FABRIC_NAMES:
        return FABRIC_NAMES[name]
    try:
        if len(name) > 32:
            raise ValueError(name)
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise InvalidRequest(
            reason=f"{text[:40]!r} is not a colour: write #RGB, #RRGGBB, a CSS name or one of {', '.join(FABRIC_NAMES)}"
        ) from None
    if name.startswith("#") and len(name) not in (4, 7):
        raise InvalidRequest(reason=f"{text[:40]!r} is not a colour: write #RGB or #RRGGBB, without alpha")
    return f"#{red:02x}{green:02x}{blue:02x}"


def parse_background(text: str) -> str:
    """`parse_colour`, or ``transparent``."""
    return TRANSPARENT if text.strip().lower() == TRANSPARENT else parse_colour(text)


def _raise_value_error(parse: Callable[[str], str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            return parse(text)
        except InvalidRequest as error:
            raise ValueError(error.fields["reason"]) from None

    return check


Colour = Annotated[str, AfterValidator(_raise_value_error(parse_colour))]
Background = Annotated[str, AfterValidator(_raise_value_error(parse_background))]


def rgb(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three sRGB bytes."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
