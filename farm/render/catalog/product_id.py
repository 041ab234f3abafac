"""The product id as it was before a spreadsheet or a data frame made a number of it. Pure."""

import re
from decimal import Decimal
from typing import Any

from farm.errors import InvalidRequest

MOST_EXACT = 2**53
"""Whole numbers from here on do not all fit a float: digits may have been lost."""
_POINT_ZERO = re.compile(r"([0-9]+)[.,]0+")
_SCIENTIFIC = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+([0-9]{2,3})")
_ROUNDED_TO = frozenset({2, 5})
"""Decimals that spreadsheets round to when they write a long number so: in scientific cells and in general ones."""


def product_id_of(cell: Any) -> Any:
    """A cell as the id it stands for; what was no number is returned as it is.

    ``12345.0`` and ``1.2345E+08`` are the whole numbers that they say.

    Raises:
        InvalidRequest: when digits were lost, so that another product may be meant.
    """
    match cell:
        case bool():
            return cell
        case int():
            return str(cell)
        case float():
            return _whole(cell, str(cell)) if cell.is_integer() else _refused(str(cell), "is no whole number")
        case Decimal():
            whole = cell.is_finite() and cell == cell.to_integral_value() and cell.adjusted() < 128
            return str(int(cell)) if whole else _refused(str(cell), "is no whole number")
        case str():
            return _text(cell)
    return cell


def _text(text: str) -> str:
    if (found := _POINT_ZERO.fullmatch(text)) is not None:
        return _whole(int(found[1]), text, found[1]) if len(found[1]) <= 16 else _lost(text)
    if (found := _SCIENTIFIC.fullmatch(text)) is None:
        return text
    decimals, exponent = found[2] or "", int(found[3])
    if len(decimals) > exponent:
        return text  # no whole number, and so no id that was one
    if exponent > 16 or (len(decimals) < exponent and (len(decimals) in _ROUNDED_TO or len(decimals) > 5)):
        return _lost(text)
    return _whole(int((found[1] + decimals).ljust(exponent + 1, "0")), text)


def _whole(number: float, text: str, as_written: str | None = None) -> str:
    return (as_written or str(int(number))) if abs(number) < MOST_EXACT else _lost(text)


def _lost(text: str) -> str:
    return _refused(
        text, "was a longer number, of which digits were lost; format the column as text, and export it anew"
    )


def _refused(text: str, why: str) -> str:
    reason = f"{text[:40]!r} {why}"
    raise InvalidRequest(reason=f"product_id: {reason}", errors=[{"pointer": "/product_id", "reason": reason}])
