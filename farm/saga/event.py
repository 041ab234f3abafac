"""The events: what happened to sagas, for those who watch."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        number: 1 for the first of a saga, then without gaps.
        at_s: the store's time, seconds since 1970.
        data: JSON, as the projection gave it.
        position: where it stands among the events of all sagas (`Events.tail`); empty when read by saga.
    """

    saga_id: str
    number: int
    at_s: float
    data: Mapping[str, Any]
    position: str = ""


class Events(Protocol):
    """Every method may raise `StoreUnavailable`."""

    async def read(self, saga_id: str, after_number: int = 0, *, limit: int = 1000) -> Sequence[Event]:
        """Events of one saga with a higher number, in order; a compacted saga has its newest only."""
        ...

    def follow(self, saga_id: str, after_number: int = 0, *, idle_s: float = 15.0) -> AsyncGenerator[Event | None]:
        """As `read`, then each new one as it comes; ``None`` whenever nothing came for ``idle_s`` (a heartbeat)."""
        ...

    def tail(self, position: str | None = None, *, idle_s: float = 15.0) -> AsyncGenerator[Event | None]:
        """The events of all sagas after ``position`` (``None``: from now), as they come; a capped history.

        ``None`` whenever nothing came for ``idle_s``.
        """
        ...

    async def newest(self) -> str:
        """The position of the newest event of all; what was before the first where there is none."""
        ...

    async def whole_after(self, position: str) -> bool:
        """Whether every event behind ``position`` is still in the history of all sagas."""
        ...

    def time_of(self, position: str) -> float:
        """When the event there happened, or a little before; seconds since 1970."""
        ...
