"""A run's report as it is read: slice by slice, from any place in it, and in pages."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Self

from farm.concurrency import stop_all
from farm.domain import keys
from farm.errors import InvalidRequest, ObjectMissing
from farm.render.bulkhead import blocking
from farm.render.catalog import report
from farm.render.catalog.report import ReportRow
from farm.render.catalog.slices import RunRowsPlace, read_lines
from farm.render.ports import ObjectStore

AHEAD = 4
"""Slices being read while those before them are used."""
_CURSOR = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where in a report reading begins: so many rows into that slice."""

    slice: int = 0
    rows: int = 0

    @classmethod
    def parse(cls, cursor: str) -> Self:
        """What `str` made.

        Raises:
            InvalidRequest: when it is none.
        """
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            reason = "it is no cursor of a report"
            raise InvalidRequest(reason=f"cursor: {reason}", errors=[{"pointer": "/query/cursor", "reason": reason}])
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.slice}.{self.rows}"


@dataclass(frozen=True, slots=True)
class RunReport:
    """The report of one run; of a live one as far as it is.

    Args:
        record: of the run.
        live: whether more may come.
    """

    objects: ObjectStore
    record: Mapping[str, Any]
    live: bool

    @property
    def rows(self) -> RunRowsPlace:
        """Where the run's rows lie."""
        token = self.record.get("rows_token", "")
        return RunRowsPlace(tenant=self.record["tenant"], run_id=self.record["id"], token=token)

    def part(self, number: int) -> Sequence[ReportRow]:
        """Of one slice; blocking."""
        key = keys.run_part(self.record["tenant"], self.record["id"], number)
        try:
            return [ReportRow.from_line(line) for line in read_lines(self.objects, key)]
        except ObjectMissing:
            status, code = (report.PENDING, None) if self.live else (report.SKIPPED, "run_stopped")
            return [report.of_untouched(item, status, code) for item in self.rows.read(self.objects, number)]

    async def parts(self, first: int = 0, *, ahead: int = AHEAD) -> AsyncGenerator[Sequence[ReportRow]]:
        """Slice by slice, in the manifest's order; each is read once, a few ahead of their use."""
        numbers = iter(range(first, self.record["slices"]))
        reading: deque[asyncio.Task[Sequence[ReportRow]]] = deque()
        try:
            while True:
                while len(reading) < ahead and (number := next(numbers, None)) is not None:
                    reading.append(asyncio.ensure_future(blocking(self.part, number)))
                if not reading:
                    return
                yield await reading.popleft()
        finally:
            await stop_all(*reading)

    async def mark_behind(self, row: int) -> Mark:
        """Where the rows behind this one of the manifest begin: rows rise from slice to slice, so few are looked at."""
        low, high = 0, self.record["slices"]  # in slice `low` or before it, or there is none such
        while high - low > 1:
            middle = (low + high) // 2
            part = await blocking(self.part, middle)
            if part and part[0].row > row:
                high = middle
            else:
                low = middle
        part = await blocking(self.part, low) if self.record["slices"] else ()
        return Mark(low, sum(one.row <= row for one in part))

    async def page(self, mark: Mark, *, limit: int, only: str | None = None) -> tuple[Sequence[ReportRow], Mark | None]:
        """Rows from ``mark`` on, and where the next ones begin; ``None`` at the end.

        Args:
            only: rows of this status alone.
        """
        found: list[ReportRow] = []
        number = mark.slice
        async with aclosing(self.parts(mark.slice, ahead=1 if only is None else AHEAD)) as parts:
            async for part in parts:
                for place, row in enumerate(part):
                    if (number, place) < (mark.slice, mark.rows) or (only is not None and row.status != only):
                        continue
                    if len(found) == limit:
                        return found, Mark(number, place)
                    found.append(row)
                number += 1
        return found, None
