"""The look of a row: what it shares with rows that differ from it in nothing but the fabric and the product. Pure.

Rows of one look have their design decoded and their textures composed once, and are shaded together.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from farm.domain.placement import Placement
from farm.picture.ink import dyes

_OWN = frozenset({"fabric_color", "product_id"})
"""Fields of a request that a row has to itself."""


def shared_by(request: Mapping[str, Any]) -> str:
    """Equal for requests that share what they make of one design.

    Args:
        request: normalised. Where a layer dyes the cloth, the texture depends on the fabric, and nothing is shared.
    """
    dyed = any(dyes(Placement.model_validate(one)) for one in request["placements"])
    rest = {name: value for name, value in request.items() if name not in _OWN or (dyed and name == "fabric_color")}
    return json.dumps(rest, sort_keys=True)


def look_of(design: str, shared: str) -> str:
    """Equal for rows of one look.

    Args:
        design: its address.
        shared: see `shared_by`.
    """
    return f"{design}\n{shared}"


def by_look[T](items: Sequence[T], looks: Sequence[str]) -> list[list[T]]:
    """Items of one look together; the looks, and the items of each, in their order."""
    found: dict[str, list[T]] = {}
    for item, look in zip(items, looks, strict=True):
        found.setdefault(look, []).append(item)
    return list(found.values())


def pieces_of[T](groups: Sequence[Sequence[T]], size: int) -> list[list[T]]:
    """Pieces of at most ``size`` items. A group is cut only where it is longer than that, and then evenly."""
    pieces: list[list[T]] = []
    for group in groups:
        if pieces and len(pieces[-1]) + len(group) <= size:
            pieces[-1].extend(group)
            continue
        count = -(-len(group) // size)
        borders = [len(group) * part // count for part in range(count + 1)]
        pieces += [list(group[first:last]) for first, last in pairwise(borders)]
    return pieces
