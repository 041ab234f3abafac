"""The report of a run as a file or a stream: Parquet, CSV or JSON Lines, written row group by row group."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet

from farm.errors import InfrastructureError, InvalidRequest
from farm.render.catalog.report import ReportRow

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("product_id", pa.string()),
        ("job_id", pa.string()),
        ("status", pa.string()),
        ("code", pa.string()),
        ("fingerprint", pa.string()),
        ("cached", pa.bool_()),
        ("seconds", pa.float64()),
        ("outputs", pa.map_(pa.string(), pa.string())),
        ("variant", pa.int32()),
        ("fabric_color", pa.string()),
        ("cost", pa.float64()),
        ("warnings", pa.list_(pa.string())),
        ("message", pa.string()),
        ("hint", pa.string()),
    ]
)
GROUP_ROWS = 10_000


class ReportSink(Protocol):
    """Takes the report's rows in order."""

    def add(self, rows: Sequence[ReportRow]) -> None: ...


def check_report(path: Path) -> None:
    """Refuse a file that cannot be written, or is of no known kind, before any work is done.

    Raises:
        InvalidRequest: saying why.
    """
    reason = None
    if path.suffix.lower() not in _SINKS:
        reason = f"{path.name} must end in {', '.join(_SINKS)}"
    elif path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        reason = f"{path} cannot be written"
    if reason:
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/report", "reason": reason}])


@contextmanager
def open_report(path: Path) -> Iterator[ReportSink]:
    """Write beside ``path`` and rename at the end: nobody meets half a report.

    Raises:
        InfrastructureError: when the file cannot be written.
    """
    handle, beside = tempfile.mkstemp(prefix=".report-", dir=path.absolute().parent)
    os.close(handle)
    try:
        with open(beside, "wb") as file:
            sink = _SINKS[path.suffix.lower()](file)
            yield sink
            sink.end()
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except OSError as error:
        raise InfrastructureError(reason=f"{path}: {error.strerror or error}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)


class ReportStream:
    """A report as bytes that can be sent while its later rows are still being read.

    Args:
        suffix: ``.parquet``, ``.csv`` or ``.jsonl``.
    """

    def __init__(self, suffix: str) -> None:
        self._pipe = _Pipe()
        self._sink = _SINKS[suffix](self._pipe)

    def add(self, rows: Sequence[ReportRow]) -> bytes:
        """What can be sent now that these rows are known; may be empty."""
        self._sink.add(rows)
        return self._pipe.taken()

    def end(self) -> bytes:
        """The rest."""
        self._sink.end()
        return self._pipe.taken()


class _Pipe(io.RawIOBase):
    """Takes what is written until it is asked for."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._passed_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._held += piece
        return len(piece)

    def tell(self) -> int:
        return self._passed_bytes + len(self._held)

    def taken(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self._passed_bytes += len(held)
        return held


class _Sink(Protocol):
    """As `ReportSink`, over a binary file that is only appended to."""

    def add(self, rows: Sequence[ReportRow]) -> None: ...

    def end(self) -> None: ...


class _Parquet:
    def __init__(self, file: BinaryIO) -> None:
        self._writer = pa.parquet.ParquetWriter(file, SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def end(self) -> None:
        self._flush()
        self._writer.close()

    def add(self, rows: Sequence[ReportRow]) -> None:
        self._rows += [_cells(row) for row in rows]
        if len(self._rows) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows = []


def _cells(row: ReportRow) -> dict[str, Any]:
    data = asdict(row)
    return {**data, "outputs": list(row.outputs.items()), "warnings": list(row.warnings)}


class _Csv:
    def __init__(self, file: BinaryIO) -> None:
        self._file = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.DictWriter(self._file, SCHEMA.names)
        self._writer.writeheader()

    def end(self) -> None:
        self._file.detach()

    def add(self, rows: Sequence[ReportRow]) -> None:
        for row in rows:
            data = asdict(row)
            data["outputs"] = json.dumps(dict(row.outputs), ensure_ascii=False) if row.outputs else ""
            data["warnings"] = "|".join(row.warnings)
            self._writer.writerow({name: _defused(value) for name, value in data.items()})


def _defused(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula is shown as the text it is."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


class _JsonLines:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, rows: Sequence[ReportRow]) -> None:
        for row in rows:
            self._file.write(json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n")

    def end(self) -> None:
        """Nothing is held back."""


_SINKS: Mapping[str, Callable[[Any], _Sink]] = {
    ".parquet": _Parquet,
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".ndjson": _JsonLines,
}
