"""A run's rows, cut into slices: written to the object store before the run begins, so that it needs nobody's files."""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farm.domain import keys
from farm.render.catalog.row import Fault, Row, from_line, to_line
from farm.render.ports import ObjectStore

GZIP = "application/gzip"


def slices_of(items: Iterator[Row | Fault], size: int) -> Iterator[Sequence[Row | Fault]]:
    """Items by at most ``size``, in order; rows of one design that follow each other stay together where they can."""
    held: list[Row | Fault] = []
    for item in items:
        held.append(item)
        if len(held) > size:
            border = _border(held)
            yield held[:border]
            held = held[border:]
    if held:
        yield held


def _border(items: Sequence[Row | Fault]) -> int:
    """Where to cut: before the last item, or before the rows of its design, if these are less than half of all."""
    border = most = len(items) - 1
    while border > most // 2 and _design(items[border]) == _design(items[border - 1]) is not None:
        border -= 1
    return border if border > most // 2 else most


def _design(item: Row | Fault) -> str | None:
    return item.design if isinstance(item, Row) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRowsPlace:
    """Where a run's rows lie.

    Attributes:
        token: of the start that wrote them; empty of runs that were started before there were tokens.
    """

    tenant: str
    run_id: str
    token: str = ""

    @property
    def prefix(self) -> str:
        """Of the keys of all slices."""
        return keys.run_rows_of(self.tenant, self.run_id, self.token)

    def write(self, store: ObjectStore, number: int, items: Sequence[Row | Fault]) -> None:
        """Write one slice."""
        write_lines(store, self._key(number), [to_line(item) for item in items])

    def read(self, store: ObjectStore, number: int) -> list[Row | Fault]:
        """What `write` wrote.

        Raises:
            ObjectMissing: when the run has no such slice.
        """
        return [from_line(line) for line in read_lines(store, self._key(number))]

    def _key(self, number: int) -> str:
        return keys.run_rows(self.tenant, self.run_id, self.token, number)


def write_lines(store: ObjectStore, key: str, lines: Sequence[str]) -> str:
    """Lines of JSON, packed; returns the SHA-256. The same lines make the same bytes."""
    return store.put(key, gzip.compress("\n".join(lines).encode(), 1, mtime=0), content_type=GZIP)


def read_lines(store: ObjectStore, key: str, *, sha256: str | None = None) -> list[str]:
    """What `write_lines` wrote."""
    text = gzip.decompress(store.get(key, sha256=sha256)).decode()
    return text.split("\n") if text else []
