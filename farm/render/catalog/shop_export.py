"""Shops' own exports of products as manifests: the columns are theirs, and a product has several lines. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from farm.render.catalog.headings import plain

COLOUR_WORDS = frozenset(
    {
        *("color", "colour", "colors", "colours", "fabric_color", "fabric_colour"),
        *("farbe", "couleur", "kleur", "colore", "cor", "väri", "färg", "farve", "barva"),
    }
)
"""What shops call the option that is the fabric's colour."""

Cells = Mapping[str, str]
"""A line's cells by their plain headings, see `farm.render.catalog.headings.plain`."""


class ShopExport(Protocol):
    """Reads one export from its first line to its last."""

    note: str
    """Which column was taken for what."""

    def wants(self, heading: str) -> bool:
        """Whether the column of this plain heading is read."""
        ...

    def cells(self, line: Cells) -> Mapping[str, Any] | None:
        """The line as a manifest's, or ``None`` for one that asks for nothing of its own."""
        ...


def export_of(names: Sequence[str]) -> ShopExport | None:
    """How to read a file with these columns, if it is a shop's export."""
    found = {plain(name) for name in names}
    if {"handle", "image_src"} <= found:
        return Shopify("handle", "image_src")
    if {"url_handle", "product_image_url"} <= found:
        return Shopify("url_handle", "product_image_url")
    if {"type", "sku", "images", "parent"} <= found:
        return WooCommerce()
    return None


class Shopify:
    """Lines of one handle follow each other.

    The first has the product's picture and the names of its options, the others its variants and further pictures.
    """

    def __init__(self, handle: str, image: str) -> None:
        self._columns = (handle, image)
        self.note = (
            "It is read as Shopify's export of products: the product's first picture is the design, its handle the"
            " product_id, the option Color the fabric_color; sizes of one colour are one row."
        )
        self._handle: str | None = None
        self._design = ""
        self._option: str | None = None
        self._seen: set[str] = set()

    def wants(self, heading: str) -> bool:
        return heading in self._columns or re.fullmatch(r"option[123]_(name|value)", heading) is not None

    def cells(self, line: Cells) -> Mapping[str, Any] | None:
        handle, image = (line.get(column, "").strip() for column in self._columns)
        first = not handle or handle != self._handle
        if first:
            self._handle, self._design, self._seen = handle, image, set()
            names = {number: plain(line.get(f"option{number}_name", "")) for number in "123"}
            self._option = next((number for number, name in names.items() if name in COLOUR_WORDS), None)
        elif not any(line.get(f"option{number}_value", "").strip() for number in "123"):
            return None  # a further picture
        colour = line.get(f"option{self._option}_value", "").strip() if self._option else ""
        if colour.casefold() in self._seen:
            return None
        self._seen.add(colour.casefold())
        return {"design": self._design, "product_id": handle, "fabric_color": colour}


class WooCommerce:
    """A product has one line with all its colours; its variations have lines of their own, with one each."""

    note = (
        "It is read as WooCommerce's export of products: the first of its images is the design, its SKU (else its ID)"
        " the product_id, the attribute Color the fabric_color; variations are rows of their product."
    )

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def wants(self, heading: str) -> bool:
        return heading in ("id", "type", "sku", "images", "parent") or (
            re.fullmatch(r"attribute_\d{1,3}_(name|value\(s\))", heading) is not None
        )

    def cells(self, line: Cells) -> Mapping[str, Any] | None:
        number, sku, parent = (line.get(column, "").strip() for column in ("id", "sku", "parent"))
        if "variation" in {part.strip() for part in line.get("type", "").casefold().split(",")}:
            if parent in self._seen:
                return None
            sku = parent.removeprefix("id:") or sku
        self._seen |= {sku, f"id:{number}"} - {""}
        return {
            "design": line.get("images", "").partition(",")[0].strip(),
            "product_id": sku or number,
            "fabric_color": self._colours(line),
        }

    def _colours(self, line: Cells) -> list[str] | None:
        for heading, name in line.items():
            found = re.fullmatch(r"(attribute_\d{1,3})_name", heading)
            if found and plain(name).removeprefix("pa_") in COLOUR_WORDS:
                values = line.get(f"{found[1]}_value(s)", "").split(",")
                return [value.strip() for value in values if value.strip()] or None
        return None
