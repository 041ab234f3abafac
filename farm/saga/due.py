"""The due book: which sagas somebody has to look at again, and from when; so that nobody has to go over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class DueItem:
    """One line of the book.

    Attributes:
        id: of a saga, or of something else that is looked at by and by (see `DueBook.adopt`).
        at_s: from when it is due, seconds since 1970.
    """

    id: str
    at_s: float


class DueBook(Protocol):
    """Sagas are entered by what is written about them (`Projection.due_at_s`, `Records.annotate`), in the same write.

    Every method may raise `StoreUnavailable`.
    """

    async def due(self, until_s: float, *, limit: int) -> Sequence[DueItem]:
        """What is due by then, the longest overdue first; it stays in the book."""
        ...

    async def settle(self, looked_at: Sequence[tuple[DueItem, float | None]]) -> None:
        """Enter each anew for its next time, or strike it out; what was entered anew meanwhile stays as it is."""
        ...

    async def adopt(self, mark: str, now_s: float, *, extra: Sequence[str] = (), limit: int = 1000) -> int:
        """Enter sagas, newest first, that the book may not know: those from before there was one.

        One walk over all sagas for each ``mark``, so many at each call; it goes on where the last call ended, whoever
        made it. Returns how many were entered; 0 when the walk is over.

        Args:
            mark: another one begins the walk anew.
            extra: ids of what else is to be looked at by and by; entered when a walk begins.
        """
        ...

    async def hold(self, owner: str, ttl_s: float) -> bool:
        """Become, or stay, the one who goes through the book; ``False`` while another is. ``ttl_s`` 0 gives it up."""
        ...
