"""The records: what readers see of sagas, by id and in lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a list, newest first.

    Attributes:
        records: as `Records.get` answers them.
        cursor: opaque; hand it back for what follows, ``None`` at the end. It stays valid while sagas come and go.
    """

    records: tuple[Mapping[str, Any], ...]
    cursor: str | None


class Records(Protocol):
    """Every method may raise `StoreUnavailable`."""

    async def get(self, saga_id: str) -> Mapping[str, Any] | None:
        """The record as the last append left it, with its annotations."""
        ...

    async def list(
        self,
        filters: Mapping[str, str] | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
        created_after_s: float | None = None,
    ) -> Page:
        """Records whose index has all of ``filters``.

        Raises:
            InvalidRequest: when the cursor is none of ours.
        """
        ...

    async def count(self, filters: Mapping[str, str] | None = None) -> int:
        """How many records have all of ``filters`` in their index, for example ``{"status": "failed"}``."""
        ...

    async def count_each(self, filters: Sequence[Mapping[str, str]]) -> Sequence[int]:
        """As `count`, of many in one round trip, in their order."""
        ...

    async def annotate(self, saga_id: str, fields: Mapping[str, Any], *, due_at_s: float | None = None) -> bool:
        """Set top-level members beside what the saga itself writes, also after its end, without a lease.

        They win over members of the same name. With ``due_at_s`` the saga is due from then, in the same write
        (`farm.saga.due`). Returns ``False`` when there is no such saga.
        """
        ...
