"""The store: all that sagas keep, behind one set of ports, as `farm.adapters` opens it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from farm.saga.due import DueBook
from farm.saga.event import Events
from farm.saga.inbox import Doorbell, Inbox
from farm.saga.journal import Journal
from farm.saga.lease import Leases
from farm.saga.records import Records


class Counters(Protocol):
    """Remembers how often a failpoint was reached, across processes and crashes."""

    async def take(self, saga_id: str, point: str, times: int) -> bool:
        """Atomically: ``True`` for the first ``times`` calls, then ``False``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One opened store."""

    journal: Journal
    leases: Leases
    inbox: Inbox
    doorbell: Doorbell
    records: Records
    events: Events
    counters: Counters
    due: DueBook
    close: Callable[[], Awaitable[None]]
    """Closes the connections; the data stays."""
    ping: Callable[[], Awaitable[None]]
    """Answers when the store does, else raises `StoreUnavailable`; `InvalidSettings` when it keeps nothing on disk."""
