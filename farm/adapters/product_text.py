"""A product's history as JSON text, for stores that keep text."""

import json
from dataclasses import asdict
from typing import Any

from farm.adapters.product_history import Change, Edited, Linked, ProductHistory, Shown
from farm.render.ports import MediaEntry

_SCHEMA = 1


def to_text(history: ProductHistory) -> str:
    data = asdict(history)
    data["changes"] = [
        {"by": "job" if isinstance(change, Linked) else "hand", **asdict(change)} for change in history.changes
    ]
    return json.dumps({"schema": _SCHEMA, **data}, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str | bytes) -> ProductHistory:
    """The history written by `to_text`.

    Raises:
        ValueError: the text is of a newer schema, or none of ours.
    """
    data = json.loads(text)
    if data.get("schema") != _SCHEMA:
        raise ValueError(f"schema {data.get('schema')!r} in place of {_SCHEMA}")
    ground = data["ground"]
    return ProductHistory(
        tenant=data["tenant"],
        product_id=data["product_id"],
        kept=data["kept"],
        ground=Shown(**{**ground, "media": _entries(ground["media"])}),
        changes=tuple(_change(change) for change in data["changes"]),
    )


def _change(data: dict[str, Any]) -> Change:
    if data.pop("by") == "hand":
        return Edited(**{**data, "put": _entries(data["put"]), "removed": tuple(data["removed"])})
    return Linked(**{**data, "entries": _entries(data["entries"]), "superseded": tuple(data["superseded"])})


def _entries(rows: list[dict[str, Any]]) -> tuple[MediaEntry, ...]:
    return tuple(MediaEntry(**row) for row in rows)
