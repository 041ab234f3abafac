"""Manifests as files: Parquet, CSV or JSON Lines, beside the command, in S3 or on the web; read as a stream.

What is not on this machine is brought here first, into a temporary file: a connection that breaks after half a million
rows then costs nothing, and Parquet needs its end before its beginning. Memory is bounded by a block of rows.
"""

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from farm.adapters.design_source import Designs, scheme_of
from farm.errors import ManifestBroken
from farm.render.catalog.columns import Reading, rows_of, unknown_columns
from farm.render.catalog.row import Fault, Row

BLOCK_BYTES = 1 << 20
BATCH_ROWS = 1024
LINE_BYTES = 1 << 20
"""No line of text is longer."""
_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_HINT = "Correct this row and run the manifest again; only this row is rendered then."


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """An opened manifest.

    Attributes:
        name: for people: the file's name without its ending.
        base: what relative designs are relative to.
        path: where it lies on this machine.
        columns: as far as they are known before reading; JSON Lines tell theirs line by line.
    """

    address: str
    name: str
    base: str
    path: Path
    form: str
    packed: bool
    columns: tuple[str, ...]

    def lines(self) -> Iterator[tuple[int, Mapping[str, Any] | Fault]]:
        """Number and cells of each line, from 1.

        Raises:
            ManifestBroken: when the file as a whole cannot be read on.
        """
        reader = {"parquet": _parquet, "csv": _csv, "jsonl": _json_lines}[self.form]
        try:
            yield from reader(self)
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
            raise ManifestBroken(address=self.address, reason=_said(error)) from error

    def items(
        self, reading: Reading, tell: Callable[[Sequence[Fault]], None] = lambda faults: None
    ) -> Iterator[Row | Fault]:
        """Its rows and faults, in order.

        Args:
            reading: how the lines are read.
            tell: told of each column that means nothing here, once.

        Raises:
            ManifestBroken: as `lines`.
        """
        seen = set(self.columns)
        tell(unknown_columns(self.columns))
        for number, cells in self.lines():
            if isinstance(cells, Fault):
                yield cells
                continue
            if not seen.issuperset(cells):
                tell(unknown_columns([str(name) for name in cells if name not in seen]))
                seen.update(cells)
            yield from rows_of(number, cells, reading)


@contextmanager
def open_manifest(
    address: str, designs: Designs, *, base: str = "", shown: str = "", beside: Path | None = None
) -> Iterator[ManifestFile]:
    """Open a manifest by its path or address.

    Args:
        base: another place for relative designs than the manifest's own.
        shown: what errors call it, in place of the address.
        beside: the folder for temporary files; the system's where none is given.

    Raises:
        ManifestBroken: when it is none.
        FetchRefused, FetchFailed: when it cannot be brought here.
    """
    scheme = scheme_of(address)
    name = (re.split("[?#]", address)[0] if scheme else address).rpartition("/")[2] or "manifest"
    packed = name.lower().endswith(".gz")
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    if suffix not in _FORMATS:
        raise ManifestBroken(address=shown or address, reason=f"its name ends in none of {', '.join(_FORMATS)}")
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
        opened = ManifestFile(
            address=shown or address,
            name=Path(name.removesuffix(".gz")).stem or "manifest",
            base=base,
            path=path,
            form=_FORMATS[suffix],
            packed=packed,
            columns=(),
        )
        yield _with_columns(opened)


def _fetch(address: str, path: Path, designs: Designs) -> None:
    limit_bytes = designs.settings.manifest_max_bytes
    with path.open("wb") as file, designs.opened(address, limit_bytes=limit_bytes) as answer:
        if answer.size_bytes is not None and answer.size_bytes > limit_bytes:
            raise ManifestBroken(address=address, reason=f"it has more than {limit_bytes} bytes")
        for chunk in answer.chunks:
            file.write(chunk)


def _with_columns(manifest: ManifestFile) -> ManifestFile:
    try:
        match manifest.form:
            case "parquet":
                with pa.parquet.ParquetFile(manifest.path) as file:
                    columns = tuple(str(name) for name in file.schema_arrow.names)
            case "csv":
                columns = _header(manifest)
            case _:
                columns = ()
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise ManifestBroken(address=manifest.address, reason=_said(error)) from error
    doubled = {name for name in columns if columns.count(name) > 1}
    if doubled:
        raise ManifestBroken(address=manifest.address, reason=f"column {min(doubled)!r} is there twice")
    if manifest.form != "jsonl" and "design" not in columns:
        raise ManifestBroken(
            address=manifest.address, reason=f"it has no column 'design', only {', '.join(columns[:20]) or 'none'}"
        )
    return ManifestFile(**{name: getattr(manifest, name) for name in manifest.__slots__} | {"columns": columns})


def _stream(manifest: ManifestFile) -> Any:
    return pa.input_stream(str(manifest.path), compression="gzip" if manifest.packed else None)


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(manifest: ManifestFile) -> Iterator[tuple[int, Mapping[str, Any] | Fault]]:
    number = 0
    with pa.parquet.ParquetFile(manifest.path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for cells in batch.to_pylist():
                number += 1
                yield number, cells


# --- CSV --------------------------------------------------------------------------------------------------------------


def _header(manifest: ManifestFile) -> tuple[str, ...]:
    with _stream(manifest) as stream:
        begin = stream.read(LINE_BYTES)
    text = begin.decode("utf-8-sig", errors="replace")
    try:
        return tuple(name.strip() for name in next(csv.reader(io.StringIO(text)), []))
    except csv.Error as error:
        raise ManifestBroken(address=manifest.address, reason=f"its header: {error}") from error


def _csv(manifest: ManifestFile) -> Iterator[tuple[int, Mapping[str, Any] | Fault]]:
    invalid: list[tuple[int, int]] = []

    def note(row: Any) -> str:
        invalid.append((int(row.number) - 1, int(row.actual_columns)))  # the header is row 1
        return "skip"

    names = list(manifest.columns)
    with _stream(manifest) as stream:
        reader = pa.csv.open_csv(
            stream,
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=names, skip_rows_after_names=1
            ),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
            ),
        )
        number = 0
        for batch in reader:
            for cells in batch.to_pylist():
                number += 1
                while invalid and invalid[0][0] <= number:
                    _, found = invalid.pop(0)
                    yield number, _broken_line(number, f"it has {found} cells, and the header {len(names)}")
                    number += 1
                try:
                    yield number, {name: cell.decode("utf-8") for name, cell in cells.items()}
                except UnicodeDecodeError:
                    yield number, _broken_line(number, "it is not UTF-8 text")
        for _, found in invalid:
            number += 1
            yield number, _broken_line(number, f"it has {found} cells, and the header {len(names)}")


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def _json_lines(manifest: ManifestFile) -> Iterator[tuple[int, Mapping[str, Any] | Fault]]:
    number = 0
    with _stream(manifest) as stream:
        for line in _split(stream):
            if not line.strip():
                continue
            number += 1
            if len(line) > LINE_BYTES:
                yield number, _broken_line(number, f"it is longer than {LINE_BYTES} bytes")
                continue
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, _broken_line(number, f"it is no JSON: {error}")
                continue
            if not isinstance(cells, dict):
                yield number, _broken_line(number, "it is no JSON object")
                continue
            yield number, cells


def _split(stream: Any) -> Iterator[bytes]:
    """Lines; one that is too long comes cut off, so that it can be told, and its rest is skipped."""
    rest, skipping = b"", False
    while block := stream.read(BLOCK_BYTES):
        *lines, tail = (rest + block).split(b"\n")
        for line in lines:
            if skipping:
                skipping = False
                continue
            yield line
        rest = tail
        if len(rest) > LINE_BYTES:
            if not skipping:
                yield rest[: LINE_BYTES + 1]
            rest, skipping = b"", True
    if rest and not skipping:
        yield rest


def _broken_line(number: int, reason: str) -> Fault:
    return Fault(number=number, code="invalid_request", message=f"The row cannot be read: {reason}.", hint=_HINT)


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
