"""Parquet as a manifest: of a table as wide as it may be, only the columns that mean something are read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from farm.render.catalog.headings import fields_of, no_design

BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A Parquet file and what its schema says.

    Attributes:
        names: of all its columns.
        fields: of those that are read, by column.
    """

    path: Path
    names: tuple[str, ...]
    fields: Mapping[str, str]

    @classmethod
    def of(cls, path: Path, mapping: Mapping[str, str]) -> "Table":
        """Look at the schema.

        Raises:
            WrongHeadings: when no column has the designs, or two have.
            pyarrow.ArrowException, OSError: when it is no Parquet.
        """
        with pa.parquet.ParquetFile(path) as file:
            names = tuple(str(name) for name in file.schema_arrow.names)
        fields = fields_of(names, mapping)
        if "design" not in fields:
            raise no_design(names)
        return cls(
            path=path,
            names=names,
            fields={name: field for name, field in zip(names, fields, strict=True) if field is not None},
        )

    def lines(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        """Number and cells of each row, from 1; or in words what is wrong with it."""
        number = 0
        with pa.parquet.ParquetFile(self.path, pre_buffer=False) as file:
            # What is not read costs nothing, and may be of any kind: pictures, durations, times of unknown zones.
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(self.fields)):
                arrays = {self.fields[name]: batch.column(name) for name in batch.schema.names if name in self.fields}
                for cells in _rows(arrays, batch.num_rows):
                    number += 1
                    yield number, cells


def _rows(arrays: Mapping[str, pa.Array], count: int) -> Iterator[Mapping[str, Any] | str]:
    try:
        columns = [array.to_pylist() for array in arrays.values()]
    except Exception:  # of whatever kind: some cell is nothing that Python has, and it is that row's alone
        for place in range(count):
            yield _row(arrays, place)
        return
    for values in zip(*columns, strict=True):
        yield dict(zip(arrays, map(_text, values), strict=True))


def _row(arrays: Mapping[str, pa.Array], place: int) -> Mapping[str, Any] | str:
    cells: dict[str, Any] = {}
    for field, array in arrays.items():
        try:
            cells[field] = _text(array[place].as_py())
        except UnicodeDecodeError:
            return f"its {field} is not UTF-8 text"
        except Exception as error:
            return f"its {field} cannot be read: {type(error).__name__}"
    return cells


def _text(value: Any) -> Any:
    """Text without a logical type comes as bytes."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
