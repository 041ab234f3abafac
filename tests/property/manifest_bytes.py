"""Manifests that Hypothesis makes up: bytes of every kind, well-meant files with damage; and what must become of them.

That is: rows and faults that can be stored, or one typed refusal.
"""

import gzip
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from hypothesis import strategies as st

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.errors import ManifestBroken
from farm.render.catalog.columns import Reading
from farm.render.catalog.row import Fault, Row, from_line, to_line
from farm.settings import Settings

SUFFIXES = (".csv", ".jsonl", ".json", ".parquet", ".tsv", ".csv.gz", "")
HEADINGS = (
    "design",
    "Design",
    "product_id",
    "Product ID",
    "fabric_color",
    "Fabric Color",
    "size",
    "views",
    "placements",
    "model",
    "engine",
    "format",
    "samples",
    "template",
    "Handle",
    "Image Src",
    "Option1 Name",
    "Option1 Value",
    "Type",
    "SKU",
    "Images",
    "Parent",
    "Attribute 1 name",
    "Attribute 1 value(s)",
    "ID",
    "",
    " ",
    "x",
    "\ufeffdesign",
    "sep=;",
    "日本",
)
CELLS = (
    "a.png",
    "https://shop.example/ü.png",
    "12345.0",
    "1.2345E+08",
    "1.23457E+11",
    "white|navy",
    "[1",
    '{"a":',
    "=1+1",
    "64",
    "-0",
    "1e999",
    "nan",
    "TRUE",
    "Color",
    "Navy",
    "variation",
    "id:11",
    "front_0deg",
    "relight",
    "..",
    "/etc/passwd",
    "s3://b/k",
    "\0",
    "\ud800",
    "\U0001f600",
    "a\nb",
    '"',
    '""',
    "'",
    " ",
    "",
    "rgb(1,2,3)",
    '[{"panel": "front"}]',
    "9" * 400,
    "x" * 20_000,
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")

names = st.sampled_from(HEADINGS) | st.text(max_size=8)
cells = st.sampled_from(CELLS) | st.text(max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | cells
    | st.integers(-(2**70), 2**70).map(lambda n: float(n))
)
members = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes as they were, or with some changed, lost or put in."""
    changed = bytearray(data)
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2, 8)))):
        at = draw(st.integers(0, len(changed)))
        changed[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(changed)


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """Something like CSV."""
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(("\n", "\r\n", "\r")))
    header = draw(st.lists(names, max_size=5))
    table = [["design", *header] if draw(st.integers(0, 3)) else header]
    for _ in range(draw(st.integers(0, 5))):
        width = len(table[0]) + draw(st.sampled_from((0, 0, 0, 0, -1, 1)))
        table.append(["a.png", *draw(st.lists(cells, min_size=max(0, width - 1), max_size=max(0, width - 1)))])
    quotes = draw(st.booleans())
    lines = [separator.join('"' + cell.replace('"', '""') + '"' if quotes else cell for cell in line) for line in table]
    text = draw(st.sampled_from(("", "", "sep=;\n", end, ",,\n"))) + end.join(lines)
    return _encoded(draw, text)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Something like JSON, a line each or as an array."""
    found: list[Any] = draw(st.lists(st.dictionaries(names, members, max_size=4) | members, max_size=5))
    found = [{"design": "a.png", **one} if isinstance(one, dict) and draw(st.booleans()) else one for one in found]
    texts = [json.dumps(one, ensure_ascii=draw(st.booleans())) for one in found]
    text = "\n".join(texts) if draw(st.booleans()) else "[" + ",\n".join(texts) + "]"
    return _encoded(draw, text)


def _encoded(draw: st.DrawFn, text: str) -> bytes:
    data = text.encode(draw(st.sampled_from(ENCODINGS)), "replace" if draw(st.booleans()) else "ignore")
    if draw(st.integers(0, 3)) == 0:
        data = gzip.compress(data, 1)
    return draw(damaged(data))


_ARRAYS: Sequence[Any] = (
    lambda n: pa.array(["a.png", None, "b.png", "\U0001f600"][:n] + [None] * max(0, n - 4)),
    lambda n: pa.array([1, None, 2**62, -5][:n] + [0] * max(0, n - 4)),
    lambda n: pa.array([1.0, math.nan, math.inf, 2.0**60][:n] + [0.5] * max(0, n - 4)),
    lambda n: pa.array([b"\xff", b"a.png", None, b""][:n] + [b"\0"] * max(0, n - 4)),
    lambda n: pa.array(range(n), pa.timestamp("ns", tz="Mars/Olympus")),
    lambda n: pa.array(range(n), pa.duration("ns")),
    lambda n: pa.array([timedelta(days=1)] * n),
    lambda n: pa.array([datetime(1, 1, 1)] * n, pa.timestamp("us")),
    lambda n: pa.array([Decimal("12345.00")] * n),
    lambda n: pa.array([["white", None]] * n),
    lambda n: pa.array([{"panel": "front", "x_cm": 1.0}] * n),
    lambda n: pa.array([[{"panel": "front"}]] * n),
    lambda n: pa.array([True] * n),
    lambda n: pa.nulls(n),
    lambda n: pa.array(["navy"] * n).dictionary_encode(),
    lambda n: pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int8())),
    lambda n: pa.StringArray.from_buffers(
        n, pa.py_buffer(b"".join((i * 2).to_bytes(4, "little") for i in range(n + 1))), pa.py_buffer(b"\xff\xfe" * n)
    ),
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Parquet, with columns of many kinds."""
    count = draw(st.integers(0, 5))
    headings = draw(st.lists(st.sampled_from(HEADINGS), min_size=1, max_size=6))
    columns = [draw(st.sampled_from(_ARRAYS))(count) for _ in headings]
    if "design" not in headings and draw(st.integers(0, 3)):
        headings, columns = ["design", *headings], [pa.array(["a.png"] * count), *columns]
    out = io.BytesIO()
    pyarrow.parquet.write_table(
        pa.Table.from_arrays(columns, names=headings), out, compression=draw(st.sampled_from(("none", "snappy")))
    )
    return draw(damaged(out.getvalue()))


KINDS: dict[str, st.SearchStrategy[bytes]] = {
    "bytes": st.binary(max_size=400),
    "sheets": sheets(),
    "objects": objects(),
    "tables": tables(),
}


@dataclass
class Trial:
    """Reads manifests and counts what became of them."""

    folder: Path
    seen: Counter[str] = field(default_factory=Counter)

    def read(self, kind: str, data: bytes, suffix: str, mapping: dict[str, str]) -> None:
        """One manifest: rows and faults that can be stored, or a typed refusal; whatever else is raised is a defect."""
        path = self.folder / f"m{suffix}"
        path.write_bytes(data)
        self.seen[f"{kind}: read"] += 1
        told: list[Fault] = []
        try:
            with open_manifest(str(path), Designs.of(Settings(home=self.folder)), mapping=mapping) as manifest:
                reading = Reading(base="https://shop.example/", defaults={"size": 64})
                for item in manifest.items(reading, told.extend):
                    assert from_line(to_line(item).encode().decode()) == item
                    self.seen[f"{kind}: {'rows' if isinstance(item, Row) else 'faults'}"] += 1
        except ManifestBroken as error:
            json.dumps(error.to_dict(), ensure_ascii=False).encode()
            self.seen[f"{kind}: refused"] += 1
        for fault in told:
            json.dumps(fault.to_dict(), ensure_ascii=False).encode()


OWN = {"bytes": "", "sheets": ".csv", "objects": ".json", "tables": ".parquet"}


def suffixes(kind: str) -> st.SearchStrategy[str]:
    """Mostly the kind's own."""
    return st.sampled_from((OWN[kind],) * 2 * len(SUFFIXES) + SUFFIXES)


mappings = st.dictionaries(st.sampled_from(("design", "product_id", "size")), names, max_size=1)
