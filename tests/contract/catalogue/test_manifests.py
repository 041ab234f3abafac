"""Manifests as people and their programs write them: separators, encodings, headings, shops' exports, wide tables."""

import codecs
import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.errors import ManifestBroken
from farm.render.catalog.columns import Reading
from farm.render.catalog.row import Fault, Row, from_line, to_line
from farm.settings import Settings

SETTINGS = Settings(home=Path("/nowhere"), fetch_timeout_s=5.0, fetch_hosts="127.0.0.1")
GRUEN = "grün.png"


def read(path: Path | str, **mapping: str) -> tuple[list[Row | Fault], list[Fault]]:
    """All items, each as it comes back from where runs keep it; and what was told."""
    told: list[Fault] = []
    with open_manifest(str(path), Designs.of(SETTINGS), mapping=mapping) as manifest:
        items = list(manifest.items(Reading(base="https://shop.example/"), told.extend))
    assert [from_line(to_line(item).encode().decode()) for item in items] == items
    return items, told


def rows(path: Path | str, **mapping: str) -> list[tuple[int, str, Any, Any]]:
    items, _ = read(path, **mapping)
    assert not [item for item in items if isinstance(item, Fault)], items
    return [
        (item.number, item.design.rpartition("/")[2], item.product_id, item.request.get("fabric_color"))
        for item in items
        if isinstance(item, Row)
    ]


def written(tmp_path: Path, data: bytes | str, name: str = "m.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


WANTED = [(1, "a.png", "7", "#1f2a44"), (2, "b.png", "8", "#c8102e")]
TABLE = [["design", "product_id", "fabric_color"], ["a.png", "7", "navy"], ["b.png", "8", "red"]]


def joined(separator: str, end: str = "\n") -> str:
    return "".join(separator.join(line) + end for line in TABLE)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_are_told_from_the_header(tmp_path: Path, separator: str, end: str) -> None:
    assert rows(written(tmp_path, joined(separator, end))) == WANTED


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;,,"])
def test_a_first_line_may_name_the_separator(tmp_path: Path, first: str) -> None:
    assert rows(written(tmp_path, f"{first}\r\n{joined(';', chr(13) + chr(10))}")) == WANTED
    assert rows(written(tmp_path, f"\ufeffsep=^\n{joined('^')}")) == WANTED


@pytest.mark.parametrize(
    ("encoding", "mark", "note"),
    [
        ("utf-8", b"", None),
        ("utf-8", codecs.BOM_UTF8, None),
        ("utf-16-le", codecs.BOM_UTF16_LE, "UTF-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "UTF-16"),
        ("utf-16-le", b"", "UTF-16-LE"),
        ("utf-16-be", b"", "UTF-16-BE"),
        ("utf-32-le", codecs.BOM_UTF32_LE, "UTF-32"),
        ("cp1252", b"", "cp1252"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_text_in_other_encodings_is_read_and_told(
    tmp_path: Path, encoding: str, mark: bytes, note: str | None, packed: bool
) -> None:
    # What is not ASCII stands behind many rows that are.
    text = "design;product_id\n" + "a.png;x\n" * 3000 + f"{GRUEN};y\n"
    data = mark + text.encode(encoding)
    items, told = read(written(tmp_path, gzip.compress(data) if packed else data))
    assert len(items) == 3001
    assert isinstance(items[-1], Row)
    assert items[-1].design == "https://shop.example/gr%C3%BCn.png"
    assert [fault.code for fault in told] == (["read_as"] if note else [])
    assert all(str(note) in fault.message and fault.hint for fault in told)


def test_one_damaged_row_of_utf8_is_that_row_alone(tmp_path: Path) -> None:
    items, told = read(written(tmp_path, f"design,x\n{GRUEN},1\n".encode() + b"gr\xfcn.png,2\na.png,\xfc\nb.png,4\n"))
    assert [isinstance(item, Fault) for item in items] == [False, True, False, False], "what is ignored does not matter"
    assert [fault.code for fault in told] == ["unknown_column"]


def test_empty_columns_and_rows_at_the_end_are_nothing(tmp_path: Path) -> None:
    lines = [
        "design,product_id,fabric_color,,",
        "a.png,7,navy,,",
        ",,,,",
        "",
        "b.png,8,red",
        "c.png,9,red,,,,",
        ",,,,",
        ",,,,",
    ]
    found = rows(written(tmp_path, "\r\n".join(lines)))
    assert found == [(1, "a.png", "7", "#1f2a44"), (3, "b.png", "8", "#c8102e"), (4, "c.png", "9", "#c8102e")]
    assert rows(written(tmp_path, ",,\r\n\r\n" + joined(","))) == WANTED


def test_a_cell_too_many_or_too_few_is_a_fault_of_its_row(tmp_path: Path) -> None:
    items, _ = read(written(tmp_path, "design,size\na.png,64,stray\nb.png\nc.png,64\n"))
    assert [isinstance(item, Fault) for item in items] == [True, True, False]


def test_headings_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = written(tmp_path, "Design, Fabric Color ,PRODUCT-ID,Stock,Stock\na.png,navy,7,3,4\nb.png,red,8,3,4\n")
    assert rows(path) == WANTED
    assert {fault.column for fault in read(path)[1]} == {"Stock"}
    with pytest.raises(ManifestBroken, match="twice"):
        read(written(tmp_path, "Design,Size,size ,SIZE\na,1,2,3\n".replace("size ,", "Size,")))
    # Where one is written as the field is, another spelling beside it means nothing.
    assert rows(written(tmp_path, "design,Design\na.png,b.png\n")) == [(1, "a.png", None, None)]


def test_quoted_newlines_and_separators_belong_to_their_cell(tmp_path: Path) -> None:
    text = 'design,notes,product_id\na.png,"two\r\nlines, and ""quotes""\n",7\n"b.png", "x",8\n'
    assert [(number, product) for number, _, product, _ in rows(written(tmp_path, text))] == [(1, "7"), (2, "8")]


def test_a_quote_that_is_not_closed_costs_its_row_alone(tmp_path: Path) -> None:
    lines = ["design,product_id", "a.png,1", '"b.png,2', "c.png,3", "d.png,4"]
    items, _ = read(written(tmp_path, "\n".join(lines)))
    assert [isinstance(item, Fault) for item in items] == [False, True, False, False]
    assert [item.number for item in items] == [1, 2, 3, 4]
    assert "not closed" in items[1].message  # type: ignore[union-attr]
    huge = written(tmp_path, "\n".join([*lines, *(f"{n:0100}.png,{n}" for n in range(11_000))]))
    items, _ = read(huge)
    assert [item.number for item in items if isinstance(item, Fault)] == [2]
    assert len(items) == 11_004
    with pytest.raises(ManifestBroken, match="not closed"):
        read(written(tmp_path, "design,x\n" + 'a","\n' * 400_000))


def test_a_large_cell_that_is_ignored_does_not_matter(tmp_path: Path) -> None:
    body = "x" * 300_000
    assert rows(written(tmp_path, f'design,Body (HTML)\na.png,"{body}"\n')) == [(1, "a.png", None, None)]


SHOPIFY = """\ufeffHandle,Title,Body (HTML),\
Option1 Name,Option1 Value,Option2 Name,Option2 Value,Image Src,Image Position,Status
fjord,Fjord,"<p>Cold,
and clear</p>",Size,S,Color,Navy,https://cdn.shop.example/fjord.png?v=1,1,active
fjord,,,,M,,Navy,,,
fjord,,,,S,,White,,,
fjord,,,,,,,https://cdn.shop.example/back.png,2,
plain,Plain,,Title,Default Title,,,https://cdn.shop.example/plain.png,1,active
"""
WOO = """ID,Type,SKU,Name,Published,Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible
11,variable,FJORD,Fjord,1,"https://shop.example/fjord.png, https://shop.example/back.png",,Color,"Navy, White",1
12,variation,FJORD-N,Fjord - Navy,1,https://shop.example/photo.png,FJORD,Color,Navy,
13,variation,FJORD-W,Fjord - White,1,,id:11,Color,White,
14,simple,,Plain,1,https://shop.example/plain.png,,,,
"""


def test_shopifys_export_is_read_as_it_is(tmp_path: Path) -> None:
    assert rows(written(tmp_path, SHOPIFY)) == [
        (1, "fjord.png?v=1", "fjord", "#1f2a44"),
        (3, "fjord.png?v=1", "fjord", "#ffffff"),
        (5, "plain.png", "plain", None),
    ]
    assert [fault.code for fault in read(written(tmp_path, SHOPIFY))[1]] == ["shop_export"]
    newer = SHOPIFY.replace("Handle", "URL handle").replace("Image Src", "Product image URL")
    assert len(rows(written(tmp_path, newer))) == 3


def test_woocommerces_export_is_read_as_it_is(tmp_path: Path) -> None:
    assert rows(written(tmp_path, WOO)) == [
        (1, "fjord.png", "FJORD", "#1f2a44"),
        (1, "fjord.png", "FJORD", "#ffffff"),
        (4, "plain.png", "14", None),
    ]


def test_columns_that_are_called_otherwise_are_mapped(tmp_path: Path) -> None:
    path = written(tmp_path, "Article No,Artwork File,Colour\n7,a.png,navy\n8,b.png,red\n")
    with pytest.raises(ManifestBroken, match='--map design="Artwork File"'):
        read(path)
    mapping = {"design": "artwork file", "product_id": "Article No", "fabric_color": "Colour"}
    assert rows(path, **mapping) == WANTED
    with pytest.raises(ManifestBroken, match="no column 'Print' for design"):
        read(path, design="Print")
    # What is mapped goes before what is called so; and a shop's export is then read line by line.
    assert rows(written(tmp_path, "design,Print\nx.png,a.png\n"), design="Print") == [(1, "a.png", None, None)]
    assert len(read(written(tmp_path, SHOPIFY), design="Image Src")[0]) == 5
    objects = [{"Art": "a.png", "product_id": 7, "fabric_color": "navy"}]
    objects += [{"Art": "b.png", "Product ID": 8, "Fabric Color": "red"}]
    lines = map(json.dumps, objects)
    assert rows(written(tmp_path, "\n".join(lines), "m.jsonl"), design="Art") == WANTED


def test_ids_that_became_numbers_are_read_as_what_they_were(tmp_path: Path) -> None:
    text = "design,product_id\na.png,12345.0\na.png,1.2345E+08\na.png,1.23457E+11\n"
    items, _ = read(written(tmp_path, text))
    assert [item.product_id for item in items if isinstance(item, Row)] == ["12345", "123450000"]
    assert isinstance(items[2], Fault)
    assert (items[2].column, "digits were lost" in items[2].message) == ("product_id", True)
    table = pa.table({"design": ["a.png"] * 4, "product_id": [12345.0, None, 2.0**60, 0.5]})
    parquet.write_table(table, tmp_path / "m.parquet")
    items, _ = read(tmp_path / "m.parquet")
    assert [item.product_id if isinstance(item, Row) else item.column for item in items] == [
        "12345", None, "product_id", "product_id",
    ]  # fmt: skip


def test_of_a_wide_table_only_what_is_used_is_read(tmp_path: Path) -> None:
    """Columns that mean nothing may be of any kind, doubled, damaged, or larger than memory."""
    moment = pa.array([1, 2], pa.timestamp("ns", tz="Mars/Olympus"))
    damaged = pa.StringArray.from_buffers(
        2, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"\xff\xfe\xfd\xfc")
    )
    nested = pa.array([[{"deep": [1]}], None], pa.list_(pa.struct([("deep", pa.list_(pa.int8()))])))
    names = ["design", "product_id", "fabric_color", "at", "took", "raw", "deep", "raw", "raw"]
    columns = [
        pa.array(["a.png", "b.png"]).dictionary_encode(), pa.array([7, 8]), pa.array([["navy"], ["red"]]),
        moment, pa.array([1, 2], pa.duration("ns")), damaged, nested, damaged, pa.array([b"\0" * 4_000_000] * 2),
    ]  # fmt: skip
    parquet.write_table(pa.Table.from_arrays(columns, names=names), tmp_path / "m.parquet", compression="none")
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    assert rows(tmp_path / "m.parquet") == WANTED
    assert (pool.max_memory() or 0) >= before
    assert pa.total_allocated_bytes() - before < 1_000_000


def test_a_cell_of_a_table_that_cannot_be_read_is_that_row_alone(tmp_path: Path) -> None:
    damaged = pa.StringArray.from_buffers(
        3, pa.py_buffer(b"\0\0\0\0\5\0\0\0\6\0\0\0\x0b\0\0\0"), pa.py_buffer(b"a.png\xffb.png")
    )
    table = pa.table({"design": damaged, "product_id": pa.array([7, 8, 9], pa.timestamp("ns", tz="Mars/Olympus"))})
    parquet.write_table(table, tmp_path / "m.parquet")
    items, _ = read(tmp_path / "m.parquet")
    assert [isinstance(item, Fault) for item in items] == [True, True, True]
    parquet.write_table(table.drop_columns("product_id"), tmp_path / "m.parquet")
    items, _ = read(tmp_path / "m.parquet")
    assert [isinstance(item, Fault) for item in items] == [False, True, False]
    binary = pa.table({"design": [b"a.png", b"\xff"], "product_id": [datetime(2026, 1, 1, tzinfo=UTC), None]})
    parquet.write_table(binary, tmp_path / "m.parquet")
    assert [isinstance(item, Fault) for item in read(tmp_path / "m.parquet")[0]] == [True, True]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_json_array_is_read_as_its_objects(tmp_path: Path, indent: int | None, encoding: str) -> None:
    objects = [{"design": GRUEN, "product_id": n, "note": 'ü[]{},"' * 200} for n in range(2000)] + [[1], 5]
    text = json.dumps(objects, indent=indent, ensure_ascii=False)
    items, _ = read(written(tmp_path, text.encode(encoding), "m.json"))
    assert [item.product_id for item in items[:2000]] == [str(n) for n in range(2000)]
    assert [item.number for item in items if isinstance(item, Fault)] == [2001, 2002]
    assert read(written(tmp_path, " [ ] ", "m.json"))[0] == []


@pytest.mark.parametrize("text", ["[{}", "[{} {}]", "[", '[{"design": ', "[{}, nonsense]", "[" * 5000])
def test_a_json_array_that_breaks_off_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ManifestBroken):
        read(written(tmp_path, text, "m.json"))


def test_half_characters_are_faults_of_their_row(tmp_path: Path) -> None:
    lines = [
        r'{"design": "\ud800.png"}', r'{"design": "a.png", "product_id": "\udc00"}',
        r'{"design": "a.png", "\ud800": 1}',
        r'{"design": "a.png", "placements": [{"panel": "\ud800"}]}', r'{"design": "\ud83d\ude00.png"}',
    ]  # fmt: skip
    items, told = read(written(tmp_path, "\n".join(lines), "m.jsonl"))
    assert [isinstance(item, Fault) for item in items] == [True, True, False, True, False]
    assert [fault.column for fault in told] == ["?"]


class Site(http.server.BaseHTTPRequestHandler):
    """Answers each path with the bytes that the test laid there."""

    files: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.files[self.path.partition("?")[0]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/export", "/export.php", "/"])
@pytest.mark.parametrize("kind", ["csv", "tsv.gz", "jsonl", "array", "parquet"])
def test_from_an_address_without_a_suffix_the_content_tells(site: str, tmp_path: Path, path: str, kind: str) -> None:
    objects = [dict(zip(TABLE[0], line, strict=True)) for line in TABLE[1:]]
    parquet.write_table(pa.Table.from_pylist(objects), tmp_path / "m")
    Site.files[path] = {
        "csv": joined(",").encode(),
        "tsv.gz": gzip.compress(joined("\t").encode()),
        "jsonl": "\n".join(map(json.dumps, objects)).encode(),
        "array": json.dumps(objects).encode(),
        "parquet": (tmp_path / "m").read_bytes(),
    }[kind]
    assert rows(f"{site}{path}?format={kind}") == WANTED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<!doctype html><title>Log in</title>", "web page"),
        (b"PK\x03\x04" + bytes(40), "Excel"),
        (bytes(range(256)), "neither text nor Parquet"),
        (b"", "no column 'design'"),
        (b"PAR1 and nothing else PAR1", "cannot be read"),
        (gzip.compress(b"design\na.png\n")[:-9], "cannot be read"),
    ],
)
def test_what_is_no_manifest_says_what_it_is(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ManifestBroken, match=reason):
        read(written(tmp_path, data, "export"))


def test_a_packed_manifest_is_bounded_as_it_is_unpacked(tmp_path: Path) -> None:
    settings = replace(SETTINGS, manifest_max_bytes=2_000_000)
    bomb = written(tmp_path, gzip.compress(b"design\n" + b"a.png\n" * 1_000_000), "m.csv.gz")
    with pytest.raises(ManifestBroken, match="unpacked it has more than 2000000 bytes"):
        with open_manifest(str(bomb), Designs.of(settings)) as manifest:
            list(manifest.lines())
