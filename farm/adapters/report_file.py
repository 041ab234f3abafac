"""The report of a run as a file: Parquet, CSV or JSON Lines, written row group by row group."""

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

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
        with _SINKS[path.suffix.lower()](Path(beside)) as sink:
            yield sink
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except OSError as error:
        raise InfrastructureError(reason=f"{path}: {error.strerror or error}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._writer = pa.parquet.ParquetWriter(path, SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> "_Parquet":
        return self

    def __exit__(self, *_: object) -> None:
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
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, SCHEMA.names)
        self._writer.writeheader()

    def __enter__(self) -> "_Csv":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

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
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def __enter__(self) -> "_JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: Sequence[ReportRow]) -> None:
        for row in rows:
            self._file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


_SINKS: Mapping[str, Callable[[Path], Any]] = {
    ".parquet": _Parquet,
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".ndjson": _JsonLines,
}
