"""``--placement 'panel=front,x=0,y=20,width=12'``: one layer of a print, written on a command line."""

from collections.abc import Callable
from typing import Any

from farm.errors import InvalidRequest


def _yes_or_no(text: str) -> bool:
    return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]


KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "panel": ("panel", str),
    "x": ("x_cm", float),
    "x_cm": ("x_cm", float),
    "y": ("y_cm", float),
    "y_cm": ("y_cm", float),
    "width": ("width_cm", float),
    "width_cm": ("width_cm", float),
    "height": ("height_cm", float),
    "height_cm": ("height_cm", float),
    "rotation": ("rotation_deg", float),
    "rotation_deg": ("rotation_deg", float),
    "fit": ("fit", str),
    "blend": ("blend", str),
    "opacity": ("opacity", float),
    "underbase": ("underbase", _yes_or_no),
    "design": ("design", int),
}
"""Accepted key, to the field of `farm.domain.placement.Placement` and how it is read."""

_SHORT = "panel, x, y, width, height, rotation, fit, blend, opacity, underbase, design"


def parse_placement(text: str, number: int = 0) -> dict[str, Any]:
    """The fields of one ``--placement``; their ranges are the request's business.

    Args:
        number: which ``--placement`` it is, for the error.

    Raises:
        InvalidRequest: for an unknown key, a key twice, or a value that is no number.
    """
    fields: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise _wrong(number, f"{part!r} is not key=value")
        if key not in KEYS:
            raise _wrong(number, f"there is no {key!r}; the keys are {_SHORT} (lengths in cm, rotation in degrees)")
        name, read = KEYS[key]
        if name in fields:
            raise _wrong(number, f"{key} is given twice")
        try:
            fields[name] = read(value)
        except (ValueError, KeyError):
            names: dict[Any, str] = {int: "a whole number", float: "a number"}
            wanted = names.get(read, "yes or no")
            raise _wrong(number, f"{key}={value} is not {wanted}") from None
    missing = [short for short, name in (("y", "y_cm"), ("width", "width_cm")) if name not in fields]
    if missing:
        raise _wrong(number, f"{' and '.join(missing)} must be given, for example 'panel=front,x=0,y=20,width=12'")
    return fields


def _wrong(number: int, reason: str) -> InvalidRequest:
    return InvalidRequest(reason=reason, errors=[{"pointer": f"/placements/{number}", "reason": reason}])
