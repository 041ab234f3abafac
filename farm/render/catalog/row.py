"""The row: one product's pictures in one fabric colour, as a manifest asks for them; or why that cannot be had."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing to render.

    Attributes:
        number: of the line in the manifest, from 1, without the header.
        variant: 0, or which of several fabric colours of one line.
        design: where the design is: ``file:///…``, ``s3://bucket/key`` or ``https://…``.
        request: the given fields of the request as plain JSON; the rest has its defaults.
    """

    number: int
    variant: int = 0
    design: str
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def product_id(self) -> str | None:
        return self.request.get("product_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a line, for the person who has to mend it.

    Attributes:
        number, variant: as of `Row`; number 0 is the manifest itself.
        column: where to look.
        code: stable, as of a `FarmError`.
    """

    number: int
    variant: int = 0
    product_id: str | None = None
    column: str | None = None
    code: str
    message: str
    hint: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "row": self.number,
            "variant": self.variant,
            "product_id": self.product_id,
            "column": self.column,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


def to_line(item: Row | Fault) -> str:
    """One line of JSON, short: it is kept for every row of a run."""
    if isinstance(item, Row):
        parts: list[Any] = [item.number, item.variant, item.design, dict(item.request)]
    else:
        parts = [item.number, item.variant, None, item.product_id, item.column, item.code, item.message, item.hint]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> Row | Fault:
    """What `to_line` wrote."""
    parts = json.loads(line)
    if parts[2] is not None:
        return Row(number=parts[0], variant=parts[1], design=parts[2], request=parts[3])
    number, variant, _, product_id, column, code, message, hint = parts
    return Fault(
        number=number, variant=variant, product_id=product_id, column=column, code=code, message=message, hint=hint
    )
