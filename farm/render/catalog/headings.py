"""The headings of a manifest: which of its columns is which field, as people and their tools write them. Pure."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from farm.domain.request import RenderRequest

FIELDS = frozenset(RenderRequest.model_fields)
COLUMNS = FIELDS | {"design"}
_CANDIDATES = ("image", "design", "artwork", "picture", "photo", "file", "url", "src", "path")
SHOWN_COLUMNS = 20


class WrongHeadings(Exception):
    """The columns cannot be used; the message says why."""


def plain(name: str) -> str:
    """A heading without what carries no meaning: ``Fabric Color`` and ``fabric-color`` are ``fabric_color``."""
    return re.sub(r"[\s\-_]+", "_", name.replace("\ufeff", "").strip()).casefold()


def shown(name: object, most: int = 64) -> str:
    """A heading that can be printed, whatever stands in it."""
    text = str(name)[:most].encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def fields_of(names: Sequence[str], mapping: Mapping[str, str]) -> list[str | None]:
    """The field of each column; ``None`` for one that means nothing here.

    Args:
        mapping: field to heading, as the caller said; it goes before what the headings say.

    Raises:
        WrongHeadings: when two columns are one field, or a mapped one is not there.
    """
    fields: list[str | None] = [None] * len(names)
    taken: set[str] = set()
    for field, column in mapping.items():
        places = _places(names, column)
        if not places:
            raise WrongHeadings(f"it has no column {shown(column)!r} for {field}, only {listed(names)}")
        _take(fields, taken, field, names, [place for place in places if fields[place] is None])
    for told in (str.strip, plain):
        found: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            if fields[place] is None and (field := told(name)) in COLUMNS and field not in taken:
                found.setdefault(field, []).append(place)
        for field, places in found.items():
            _take(fields, taken, field, names, places)
    return fields


def _places(names: Sequence[str], column: str) -> list[int]:
    exact = [place for place, name in enumerate(names) if name.strip() == column.strip()]
    return exact or [place for place, name in enumerate(names) if plain(name) == plain(column)]


def _take(fields: list[str | None], taken: set[str], field: str, names: Sequence[str], places: Sequence[int]) -> None:
    if len(places) > 1:
        raise WrongHeadings(f"column {shown(names[places[0]].strip())!r} is there twice")
    for place in places:
        fields[place] = field
        taken.add(field)


def no_design(names: Sequence[str]) -> WrongHeadings:
    """That no column holds the designs, and how to say which one does."""
    named = [shown(name.strip()) for name in names if name.strip()]
    likely = next((name for word in _CANDIDATES for name in named if word in name.lower()), None)
    asked = f'--map design="{likely or "THE COLUMN"}"'
    return WrongHeadings(
        f"it has no column 'design', only {listed(names)}; if one of them holds the designs, say so: {asked}"
        f" (in the API: columns)"
    )


def listed(names: Sequence[str]) -> str:
    """The columns, for a message."""
    named = [shown(name.strip()) for name in names if name.strip()]
    return ", ".join(named[:SHOWN_COLUMNS]) + (", …" if len(named) > SHOWN_COLUMNS else "") or "none"


@lru_cache(maxsize=1024)
def renamed(names: tuple[str, ...], mapping: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The names of a JSON object's members as fields; one that means nothing keeps its name.

    Objects differ from line to line, so a mapped member may be missing.

    Raises:
        WrongHeadings: when two members are one field.
    """
    there = {field: column for field, column in mapping if _places(names, column)}
    fields = fields_of(names, there)
    return tuple(field or name for field, name in zip(fields, names, strict=True))
