"""A journal that tells a test of every append, right before and right after it; all else is the real one's."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from farm.saga.journal import Appended, Draft, Entry, Journal, Projection
from farm.saga.lease import Lease
from tests.workshop import Workshop

Hear = Callable[[str, int, str], Awaitable[None]]
"""Called with the job, the number of the append (from 1) and ``before`` or ``after``."""


@dataclass(slots=True)
class ListeningJournal:
    """The journal of the coordinators of one test."""

    journal: Journal
    hear: Hear
    appends: dict[str, int] = field(default_factory=dict)
    """How many each job has had."""

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
        number = self.appends[lease.saga_id] = self.appends.get(lease.saga_id, 0) + 1
        await self.hear(lease.saga_id, number, "before")
        appended = await self.journal.append(
            lease, expected_seq, drafts, projection, consume=consume, unless_called=unless_called
        )
        await self.hear(lease.saga_id, number, "after")
        return appended

    async def create(self, saga_id: str, drafts: Sequence[Draft], projection: Projection) -> tuple[Entry, ...]:
        return await self.journal.create(saga_id, drafts, projection)

    async def load(self, saga_id: str) -> tuple[Entry, ...]:
        return await self.journal.load(saga_id)

    async def compact(self, saga_id: str, *, keep_events: int = 32) -> bool:
        return await self.journal.compact(saga_id, keep_events=keep_events)

    async def delete(self, saga_id: str) -> bool:
        return await self.journal.delete(saga_id)


def listening(shop: Workshop, hear: Hear) -> tuple[Workshop, ListeningJournal]:
    """The same workshop, whose coordinators' appends are told to ``hear``; the service stays as it was."""
    journal = ListeningJournal(shop.sagas.journal, hear)
    return replace(shop, sagas=replace(shop.sagas, journal=journal)), journal


if TYPE_CHECKING:
    _conforms: type[Journal] = ListeningJournal
