"""Manifests as files: Parquet, CSV or JSON, beside the command, in S3 or on the web; read as a stream.

What is not on this machine is brought here first, into a temporary file: a connection that breaks after half a million
rows then costs nothing, and Parquet needs its end before its beginning. Memory is bounded by a block of rows.
"""

import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from farm.adapters.design_source import Designs, scheme_of
from farm.adapters.manifest_csv import Sheet, Unclosed
from farm.adapters.manifest_json import BrokenArray, json_rows
from farm.adapters.manifest_parquet import Table
from farm.adapters.manifest_text import Text, opened
from farm.errors import ManifestBroken
from farm.render.catalog.columns import Reading, rows_of, unknown_columns
from farm.render.catalog.headings import WrongHeadings, renamed, shown
from farm.render.catalog.row import Fault, Row

_FORMS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
_HINT = "Correct this row and run the manifest again; only this row is rendered then."
_UNREADABLE = (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeError, WrongHeadings, Unclosed, BrokenArray)
"""What is wrong with a file as a whole, in the words of those who read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """An opened manifest.

    Attributes:
        address: what errors call it.
        name: for people: the file's name without its ending.
        base: what relative designs are relative to.
        columns: as far as they are known before reading, as they stand there; JSON tells its own line by line.
        read: of these, those that are read.
        mapping: field to column, as the caller said.
        notes: how it is read, where that is not plain.
    """

    address: str
    name: str
    base: str
    source: Sheet | Table | Text
    columns: tuple[str, ...] = ()
    read: frozenset[str] = frozenset()
    mapping: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Fault, ...] = ()

    def lines(self) -> Iterator[tuple[int, Mapping[str, Any] | Fault]]:
        """Number and cells of each line, from 1.

        Raises:
            ManifestBroken: when the file as a whole cannot be read on.
        """
        try:
            for number, cells in self._lines():
                yield number, _broken_line(number, cells) if isinstance(cells, str) else cells
        except _UNREADABLE as error:
            raise ManifestBroken(address=self.address, reason=_said(error)) from error

    def _lines(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        if not isinstance(self.source, Text):
            yield from self.source.lines()
            return
        mapping = tuple(self.mapping.items())
        for number, members in json_rows(self.source):
            if isinstance(members, str):
                yield number, members
                continue
            try:
                yield number, dict(zip(renamed(tuple(members), mapping), members.values(), strict=True))
            except WrongHeadings as error:
                yield number, str(error)

    def items(
        self, reading: Reading, tell: Callable[[Sequence[Fault]], None] = lambda faults: None
    ) -> Iterator[Row | Fault]:
        """Its rows and faults, in order.

        Args:
            reading: how the lines are read.
            tell: told how it is read, and of each column that means nothing here, once.

        Raises:
            ManifestBroken: as `lines`.
        """
        tell([*self.notes, *unknown_columns([name for name in self.columns if name and name not in self.read])])
        seen: set[str] = set()
        for number, cells in self.lines():
            if isinstance(cells, Fault):
                yield cells
                continue
            if not seen.issuperset(cells):
                tell(unknown_columns([shown(name) for name in cells if name not in seen]))
                seen.update(cells)
            yield from rows_of(number, cells, reading)


@contextmanager
def open_manifest(
    address: str,
    designs: Designs,
    *,
    base: str = "",
    shown: str = "",
    beside: Path | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Iterator[ManifestFile]:
    """Open a manifest by its path or address.

    Args:
        base: another place for relative designs than the manifest's own.
        shown: what errors call it, in place of the address.
        beside: the folder for temporary files; the system's where none is given.
        mapping: which column is which field, where its heading does not say so; see `farm.render.catalog.columns`.

    Raises:
        ManifestBroken: when it is none.
        FetchRefused, FetchFailed: when it cannot be brought here.
    """
    scheme = scheme_of(address)
    name = (re.split("[?#]", address)[0] if scheme else address).rpartition("/")[2] or "manifest"
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    called = shown or address
    if suffix and suffix not in _FORMS and not scheme:
        excel = "; save it as CSV UTF-8 in the spreadsheet program" if suffix.startswith((".xls", ".ods")) else ""
        raise ManifestBroken(address=called, reason=f"its name ends in none of {', '.join(_FORMS)}{excel}")
    with tempfile.TemporaryDirectory(prefix="farm-manifest-", dir=beside) as folder:
        if not scheme:
            path = Path(address).absolute()
            if not path.is_file():
                raise ManifestBroken(address=address, reason="there is no such file")
            base = base or path.parent.as_uri().rstrip("/") + "/"
        else:
            path = Path(folder) / "manifest"
            _fetch(address, path, designs)
            base = base or address.partition("?")[0].rpartition("/")[0] + "/"
        try:
            found = _opened(path, _FORMS.get(suffix), dict(mapping or {}), designs.settings.manifest_max_bytes)
        except _UNREADABLE as error:
            raise ManifestBroken(address=called, reason=_said(error)) from error
        yield ManifestFile(address=called, name=Path(name.removesuffix(".gz")).stem or "manifest", base=base, **found)


def _fetch(address: str, path: Path, designs: Designs) -> None:
    limit_bytes = designs.settings.manifest_max_bytes
    with path.open("wb") as file, designs.opened(address, limit_bytes=limit_bytes) as answer:
        if answer.size_bytes is not None and answer.size_bytes > limit_bytes:
            raise ManifestBroken(address=address, reason=f"it has more than {limit_bytes} bytes")
        for chunk in answer.chunks:
            file.write(chunk)


def _opened(path: Path, form: str | None, mapping: Mapping[str, str], most_bytes: int) -> dict[str, Any]:
    """What is in the file: source, columns, notes.

    Args:
        form: by its name; its content goes before that.
        most_bytes: of packed text, unpacked.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with opened(path, packed=packed, most_bytes=most_bytes) as file:
        begin = file.read(4096)
    if begin.startswith(b"PK\x03\x04"):
        raise WrongHeadings("it is a packed file, such as an Excel workbook: save it as CSV UTF-8")
    if form == "parquet" or begin.startswith(b"PAR1"):
        table = Table.of(path, mapping)
        return {"source": table, "columns": table.names, "read": frozenset(table.fields), "mapping": mapping}
    text = Text.of(path, packed=packed, most_bytes=most_bytes)
    notes = [] if text.note is None else [_note("read_as", text.note, "Save it as UTF-8 where letters come out wrong.")]
    if (form or _told(text)) == "json":
        return {"source": text, "mapping": mapping, "notes": tuple(notes)}
    sheet = Sheet.of(text, mapping)
    if (shop := sheet.shop()) is not None:
        notes.append(_note("shop_export", shop.note, "Say otherwise with --map design=COLUMN (in the API: columns)."))
    read = frozenset(name for name, field in zip(sheet.names, sheet.fields, strict=True) if field is not None)
    # A shop's export has dozens of columns that nobody means for us.
    columns = sheet.names if shop is None else ()
    return {"source": sheet, "columns": columns, "read": read, "mapping": mapping, "notes": tuple(notes)}


def _told(text: Text) -> str:
    """What a text is whose name does not say it."""
    with text.open() as file:
        begin = file.read(4096).lstrip("\ufeff \t\r\n")
    if "\0" in begin:
        raise WrongHeadings("it is neither text nor Parquet")
    if begin.startswith("<"):
        raise WrongHeadings("it is a web page, and no file: use the address that the file itself is downloaded from")
    return "json" if begin.startswith(("{", "[")) else "csv"


def _note(code: str, message: str, hint: str) -> Fault:
    return Fault(number=0, code=code, message=message, hint=hint)


def _broken_line(number: int, reason: str) -> Fault:
    return Fault(number=number, code="invalid_request", message=f"The row cannot be read: {reason}.", hint=_HINT)


def _said(error: BaseException) -> str:
    return shown((str(error) or type(error).__name__).splitlines()[0], 300)
