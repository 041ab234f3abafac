"""What a reader asks of an answer: only when it changed, or only some of its bytes (RFC 9110, 13 and 14).

Pure; numbers in headers may have any length, and none of them raises anything. Starlette does this for files on a disk
alone, names them by time and size, and answers a wrong range with ``400`` where it is to be ignored: pages are its own
(``StaticFiles``), outputs come from an object store and are named by their hash (docs/adr/0039-what-stays-by-hand.md).
"""

import re

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_RANGES = re.compile(r"bytes[ \t]*=[ \t]*(.+)", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]*)[ \t]*-[ \t]*([0-9]*)")
_DIGITS = 18
"""Longer numbers are past the end of everything."""


def unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller knows this version already: weakly compared, as ``If-None-Match`` is; ``*`` is any.

    Args:
        etag: of what would be answered, weak or strong.
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(if_none_match)


def still_valid(if_range: str | None, etag: str | None) -> bool:
    """Whether a range is of the version that the caller has the rest of: strongly compared, as ``If-Range`` is."""
    return if_range is None or (if_range.strip() == etag and not if_range.startswith("W/"))


def plain_ranges(range_: str | None) -> str | None:
    """A ``Range`` as every reader here understands it; ``None`` where it asks for nothing, or is none, and is ignored.

    Numbers past 18 digits become the largest with 18, which is past every end.
    """
    found = _RANGES.fullmatch(range_.strip()) if range_ is not None else None
    if found is None:
        return None
    parts = [_RANGE.fullmatch(part.strip()) for part in found[1].split(",") if part.strip()]
    told = [tuple(_bounded(number) for number in part.groups()) for part in parts if part is not None]
    if not told or len(told) != len(parts) or any(_wrong(first, last) for first, last in told):
        return None
    return "bytes=" + ",".join(f"{first}-{last}" for first, last in told)


def one_range(range_: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The one range that is asked for, as ``start, stop``; empty where there are no such bytes.

    Args:
        range_: as `plain_ranges` gives it; several at once are answered with the whole: ``None``.
    """
    plain = plain_ranges(range_)
    if plain is None or "," in plain:
        return None
    first, _, last = plain.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size_bytes - int(last)), size_bytes
    return int(first), min(size_bytes, int(last) + 1 if last else size_bytes)


def stated_bytes(content_length: str | None) -> int:
    """How long a body says it is; 0 where it does not say so in digits (what really comes is counted all the same)."""
    if content_length is None or not (content_length.isascii() and content_length.isdigit()):
        return 0
    return int(_bounded(content_length))


def _bounded(number: str) -> str:
    shorter = number.lstrip("0") or number[:1]
    return shorter if len(shorter) <= _DIGITS else "9" * _DIGITS


def _wrong(first: str, last: str) -> bool:
    return not (first or last) or bool(first and last and int(first) > int(last))
