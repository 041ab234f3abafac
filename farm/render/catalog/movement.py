"""The movement of a run: how many rows are made, how fast it goes, how long it will take. Pure.

It is shown and never journaled: what counts is in the run's record.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

WINDOW_S = 20.0
"""The rate is that of the last seconds, …"""
WINDOW_ROWS = 10
"""… or of the last rows, where they are slow."""
LEAST_S = 2.0
"""Of less nothing is told."""
MOST_MARKS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Where a live run is.

    Attributes:
        rows_made: rows whose pictures are made or that need none, whether or not their slice is through yet.
        rows_per_s: of late; ``None`` before that can be told.
        seconds_left: at that rate.
    """

    rows_made: int
    rows_per_s: float | None = None
    seconds_left: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` made."""
        return cls(**data)


class RunBoard(Protocol):
    """Where the movement of live runs is posted, for those who look on; it goes by itself."""

    async def post(self, run_id: str, movement: Movement) -> None:
        """Raises `StoreUnavailable`."""
        ...

    async def read(self, run_ids: list[str]) -> list[Movement | None]:
        """Raises `StoreUnavailable`."""
        ...


class Pedometer:
    """Counts the rows of one run as they are made, and tells the rate.

    Attributes:
        moves_since_s: when the first row was made, or a part of it.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._made = 0.0
        self.moves_since_s: float | None = None
        self._marks: deque[tuple[float, float]] = deque()

    def rest(self) -> None:
        """The run pauses: what was before tells nothing of the rate after it."""
        self._marks.clear()

    def at(self, now_s: float, made: float) -> Movement:
        """The movement at a moment.

        Args:
            now_s: monotonic.
            made: rows made so far, with parts of rows; a piece that is begun again does not take any back.
        """
        marks = self._marks
        if made > self._made or not marks:
            # Counted from the first movement on: until then farm and workers were starting.
            if self._made == 0.0:
                marks.clear()
                self.moves_since_s = now_s if made else None
            self._made = max(made, self._made)
            marks.append((now_s, self._made))
        while len(marks) > 2 and now_s - marks[1][0] >= WINDOW_S and self._made - marks[1][1] >= WINDOW_ROWS:
            marks.popleft()
        if len(marks) > MOST_MARKS:
            self._marks = marks = deque(list(marks)[::2])
        took_s, moved = now_s - marks[0][0], self._made - marks[0][1]
        rows_made = min(self._rows, int(self._made + 1e-6))
        if took_s < LEAST_S or moved <= 0:
            return Movement(rows_made=rows_made)
        rate = moved / took_s
        left_s = max(0.0, self._rows - self._made) / rate
        return Movement(rows_made=rows_made, rows_per_s=round(rate, 5), seconds_left=round(left_s, 1))
