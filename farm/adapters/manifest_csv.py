"""CSV as spreadsheets and shops write it: any usual separator, quoted newlines, empty columns and rows at the end."""

import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.adapters.manifest_text import LINE_CHARS, Text, is_lost
from farm.render.catalog.headings import COLUMNS, WrongHeadings, fields_of, no_design, plain
from farm.render.catalog.shop_export import ShopExport, export_of

SEPARATORS = (",", ";", "\t", "|")
MOST_PUSHED_BACK = 1_000_000
"""Lines behind an unclosed quote that are read once more, in the whole of a file."""
_SEP = re.compile(r"\"?sep=([^\w\s\"]|\t)\"?[\s,;|]*", re.IGNORECASE)
csv.field_size_limit(LINE_CHARS)


class Unclosed(Exception):
    """Its quotes are opened and not closed, again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A CSV file and what its first lines say.

    Attributes:
        names: of its columns, as they stand there.
        fields: of each column what it is read as; ``None`` where it is not read.
        shop: whose export it is, where the columns are not our own.
        skipped: records before the first row, the header among them.
    """

    text: Text
    separator: str
    names: tuple[str, ...]
    fields: tuple[str | None, ...]
    shop: Callable[[], ShopExport | None]
    skipped: int

    @classmethod
    def of(cls, text: Text, mapping: Mapping[str, str]) -> "Sheet":
        """Look at the first lines.

        Args:
            mapping: field to heading, as the caller said.

        Raises:
            WrongHeadings: when there is no header, or none that says where the designs are.
        """
        with text.open() as file:
            begin = file.read(LINE_CHARS)
        separator, skipped = _said_separator(begin)
        tried = [_header(begin, one, skipped) for one in ([separator] if separator else SEPARATORS)]
        separator, names, skipped = max(tried, key=lambda found: (_known(found[1], mapping), len(found[1])))
        while names and not names[-1].strip():
            names = names[:-1]
        fields = fields_of(names, mapping)
        if "design" in fields:
            return cls(
                text=text, separator=separator, names=names, fields=tuple(fields), shop=lambda: None, skipped=skipped
            )
        shop = None if mapping else export_of(names)
        if shop is None:
            raise no_design(names)
        read = tuple(plain(name) if shop.wants(plain(name)) else None for name in names)
        return cls(
            text=text,
            separator=separator,
            names=names,
            fields=read,
            shop=lambda: export_of(names),
            skipped=skipped,
        )

    def lines(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        """Number and cells of each row that asks for something, from 1; or in words what is wrong with it.

        Raises:
            Unclosed: when the file cannot be read on.
        """
        shop = self.shop()
        number = 0
        for record in itertools.islice(records(self.text.lines(), self.separator), self.skipped, None):
            if isinstance(record, str):
                number += 1
                yield number, record
                continue
            if not any(map(str.strip, record)):
                number += len(record) > 1  # a spreadsheet's empty row counts there too; a blank line does not
                continue
            number += 1
            cells = self._cells(record)
            if isinstance(cells, str) or shop is None:
                yield number, cells
            elif (translated := shop.cells(cells)) is not None:
                yield number, translated

    def _cells(self, record: Sequence[str]) -> dict[str, str] | str:
        width = len(self.names)
        missing = any(field is not None for field in self.fields[len(record) :])
        if missing or any(map(str.strip, record[width:])):
            return f"it has {len(record)} cells, and the header {width}"
        cells = {field: cell for field, cell in zip(self.fields, record, strict=False) if field is not None}
        if not all(map(str.isascii, cells.values())) and any(map(is_lost, cells.values())):
            return "it is not UTF-8 text" if self.text.encoding.startswith("utf-8") else "it holds broken characters"
        return cells


def records(lines: Iterator[str], separator: str) -> Iterator[list[str] | str]:
    """The cells of each record, or in words what is wrong with it.

    A record that breaks off costs its first line alone: those behind it are read as records of their own.

    Raises:
        Unclosed: when that was necessary too often.
    """
    source = _Lines(lines)
    reader = csv.reader(source, delimiter=separator, skipinitialspace=separator != "\t")
    while True:
        source.begin()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            source.push_back()
            reader = csv.reader(source, delimiter=separator, skipinitialspace=separator != "\t")
            yield str(error)
            continue
        yield record


class _Lines:
    """Lines for a reader, remembering those of the record at hand."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._characters = 0
        self._left = MOST_PUSHED_BACK

    def begin(self) -> None:
        self._record, self._characters = [], 0

    def push_back(self) -> None:
        """Give all lines of the record but the first once more."""
        self._left -= len(self._record)
        if self._left < 0:
            raise Unclosed("its quotes are opened and not closed")
        self._again.extendleft(reversed(self._record[1:]))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, "")
        if not line:
            if self._record:  # the reader wants more of a record that has begun: it is within quotes
                raise csv.Error("a quote is opened in it and not closed")
            raise StopIteration
        self._record.append(line)
        self._characters += len(line)
        if self._characters > LINE_CHARS:
            raise csv.Error(f"it is longer than {LINE_CHARS} characters, or a quote in it is not closed")
        return line


def _said_separator(begin: str) -> tuple[str | None, int]:
    """The separator of a line ``sep=;`` as Excel reads it, and how many lines that takes."""
    found = _SEP.fullmatch(begin.partition("\n")[0].partition("\r")[0].strip("\ufeff \r"))
    return (found[1], 1) if found else (None, 0)


def _header(begin: str, separator: str, skipped: int) -> tuple[str, tuple[str, ...], int]:
    """The first record with anything in it, and how many records end with it."""
    source = records(iter(io.StringIO(begin.removeprefix("\ufeff"), newline="")), separator)
    for number, record in enumerate(itertools.islice(source, skipped, None), skipped + 1):
        if isinstance(record, str):
            raise WrongHeadings(f"its header: {record}")
        if any(cell.strip() for cell in record):
            return separator, tuple(cell.replace("\ufeff", "").strip() for cell in record), number
    return separator, (), skipped


def _known(names: Sequence[str], mapping: Mapping[str, str]) -> int:
    mapped = {plain(name) for name in mapping.values()}
    known = sum(plain(name) in COLUMNS or plain(name) in mapped for name in names)
    return max(known, 3 if export_of(names) is not None else 0)
