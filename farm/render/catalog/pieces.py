"""The pieces of batches that are under way in this process, so that a run's movement shows row by row."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


class Pieces:
    """Counts rows that are settled, and knows what is out with workers; lost with the process, and built up again."""

    def __init__(self) -> None:
        self._settled: dict[str, int] = {}
        self._out: dict[str, dict[str, int]] = {}
        self._worked_s: dict[str, float] = {}

    def begin(self, batch: str, settled: int) -> None:
        """A batch is taken up with so many rows settled."""
        self._settled[batch] = settled

    def settle(self, batch: str, rows: int) -> None:
        """So many more rows are done, or have failed for good."""
        self._settled[batch] = self._settled.get(batch, 0) + rows

    @contextmanager
    def out(self, batch: str, name: str, rows: int) -> Iterator[None]:
        """A piece is with a worker."""
        self._out.setdefault(batch, {})[name] = rows
        try:
            yield
        finally:
            self._out[batch].pop(name, None)

    def worked(self, run: str, seconds: float) -> None:
        """Workers were busy with rows of a run for so long."""
        self._worked_s[run] = self._worked_s.get(run, 0.0) + seconds

    def take_worked(self, run: str) -> float:
        """How long workers were busy with a run, which is through."""
        return self._worked_s.pop(run, 0.0)

    def forget(self, batch: str) -> None:
        """The batch is through."""
        self._settled.pop(batch, None)
        self._out.pop(batch, None)

    def made(self, batches: Sequence[str], shares: Sequence[Mapping[str, float]]) -> float:
        """Rows of these batches that are made, with parts of those under way.

        Args:
            shares: of each batch, the share of each piece that its worker says is done.
        """
        total = 0.0
        for batch, share in zip(batches, shares, strict=True):
            out = self._out.get(batch, {})
            total += self._settled.get(batch, 0) + sum(rows * share.get(name, 0.0) for name, rows in out.items())
        return total
