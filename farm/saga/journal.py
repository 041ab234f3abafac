"""The journal: what happened to a saga, in order, and the only thing a saga believes.

A saga's state is nothing but a fold over its entries (see `farm.saga.state`). Whoever holds the saga's lease appends;
the one exception is `Journal.create`, by which a saga comes to be. With every append go the saga's record, its index
and its events, in one atomic write, so that no reader ever sees one without the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from farm.saga.lease import Lease

ENTRY_VERSION = 1
"""Schema version written into new entries."""


class EntryKind(StrEnum):
    """What an entry says, with the ``data`` it carries."""

    CREATED = "created"
    """The saga exists. ``data``: its input."""
    STEP_STARTED = "step_started"
    """An attempt of a step begins."""
    STEP_FINISHED = "step_finished"
    """The step is done. ``data``: its output."""
    STEP_FAILED = "step_failed"
    """The attempt failed. ``data``: ``{"error": {…}, "retry_at_s": float}`` or ``{"error": {…}, "final": true}``."""
    NOTED = "noted"
    """A step wants to remember something. ``data``: ``{"note": {…}}``, from a child context also ``"sub"``."""
    COMPENSATING = "compensating"
    """From here on the saga undoes. ``data``: ``{"reason": "failed" | "cancelled", "error": {…} | null}``."""
    COMPENSATION_STARTED = "compensation_started"
    COMPENSATION_FINISHED = "compensation_finished"
    COMPENSATION_FAILED = "compensation_failed"
    """``data`` as of `STEP_FAILED`."""
    COMPLETED = "completed"
    """The pivot: nothing can fail or cancel the saga any more."""
    FAILED = "failed"
    """``data``: ``{"error": {…}, "compensation_pending": bool, "steps_left": [names]}``."""
    CANCELLED = "cancelled"


ENDINGS = frozenset({EntryKind.COMPLETED, EntryKind.FAILED, EntryKind.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry before the journal gave it its number and time."""

    kind: EntryKind
    step: str | None = None
    attempt: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened.

    Attributes:
        seq: 1 for the first entry of a saga, then without gaps.
        attempt: which attempt of the step, from 1; 0 where there is none. Every start counts, also after a crash.
        data: JSON.
        at_s: the store's time, seconds since 1970.
    """

    seq: int
    kind: EntryKind
    step: str | None = None
    attempt: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    at_s: float
    version: int = ENTRY_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """What readers see of a saga, written together with its entries.

    Attributes:
        record: JSON; what `Records.get` answers.
        index: field to value; `Records.list` can filter by these.
        created_at_s: orders lists, newest first; must not change over a saga's life.
        live: whether the saga still wants somebody to drive it.
        priority: -1000 to 1000, higher is claimed first; read at creation.
        tenant: for whom; of equal priority, tenants are claimed in turn. Read at creation.
        due_at_s: from when somebody shall look at it (`farm.saga.due`); ``None`` leaves that as it is.
        events: JSON objects, numbered by the store in this order.
    """

    record: Mapping[str, Any]
    index: Mapping[str, str] = field(default_factory=dict)
    created_at_s: float
    live: bool
    priority: int = 0
    tenant: str = ""
    due_at_s: float | None = None
    events: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The answer to an append.

    Attributes:
        entries: as they stand in the journal now; empty when the append was refused because of ``unless_called``.
        called: whether messages wait in the saga's inbox.
    """

    entries: tuple[Entry, ...]
    called: bool


class Journal(Protocol):
    """Every method may raise `StoreUnavailable`; then it is unknown whether the write took place."""

    async def create(self, saga_id: str, drafts: Sequence[Draft], projection: Projection) -> tuple[Entry, ...]:
        """Bring a saga to life, leased by nobody; it is on disk when this returns, and coordinators are woken.

        Raises:
            AlreadyExists: when the id is taken.
        """
        ...

    async def append(
        self,
        lease: Lease,
        expected_seq: int,
        drafts: Sequence[Draft],
        projection: Projection,
        *,
        consume: int = 0,
        unless_called: bool = False,
    ) -> Appended:
        """Append in one atomic write, on disk when this returns.

        Repeating an append whose answer was lost (same lease, same ``expected_seq``) is answered as if for the first
        time and writes nothing.

        Args:
            lease: the caller's; its epoch must be the newest and it must be valid by the store's clock.
            expected_seq: the number of the last entry the caller knows.
            drafts: at least one.
            projection: with ``live=False`` the lease ends and the inbox is emptied in the same write.
            consume: so many messages leave the inbox, oldest first, in the same write.
            unless_called: refuse, writing nothing, when a message waits in the inbox.

        Raises:
            Fenced: when the lease is not valid, or the journal is not at ``expected_seq``.
        """
        ...

    async def load(self, saga_id: str) -> tuple[Entry, ...]:
        """All entries in order; of a compacted journal the last one only.

        Raises:
            NotFound: when there is no such saga.
        """
        ...

    async def compact(self, saga_id: str, *, keep_events: int = 32) -> bool:
        """Shrink an ended saga to its record, its last entry and its newest events.

        Returns whether it did; a saga that is live, or whose compensation is pending, stays as it is.
        """
        ...

    async def delete(self, saga_id: str) -> bool:
        """Remove everything of an ended saga; returns whether there was something.

        Raises:
            Conflict: when the saga is live.
        """
        ...
