"""The collector: reads what happened to all jobs and makes deliveries of it, each exactly once.

Where it stands is kept with the deliveries it made, in one act; killed anywhere, its successor reads on from there, and
whatever it reads a second time is taken up already.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing

from farm.notify.delivery import Delivery, delivery_of
from farm.notify.endpoint import TELLING
from farm.notify.ports import EndpointBook, Outbox
from farm.saga.event import Event, Events
from farm.saga.records import Records

log = logging.getLogger(__name__)

IDLE_S = 5.0
SAVE_EVERY = 200
"""Events that may be read again because the cursor was not moved on for them."""
KNOWN_JOBS = 4096
PAGE = 200
FULL = "more deliveries wait for it than the farm keeps"


class Collector:
    """One is enough; two do no harm.

    Args:
        oldest_job_s: how old a job may be that still has something to tell.
        ring: called when there is something new to deliver.
    """

    def __init__(
        self,
        *,
        events: Events,
        records: Records,
        book: EndpointBook,
        outbox: Outbox,
        oldest_job_s: float,
        ring: Callable[[], None] = lambda: None,
    ) -> None:
        self._events = events
        self._records = records
        self._book = book
        self._outbox = outbox
        self._oldest_job_s = oldest_job_s
        self._ring = ring
        self._tenants: OrderedDict[str, str | None] = OrderedDict()

    async def run(self) -> None:
        """Collect until cancelled.

        Raises:
            StoreUnavailable: start again later, from the cursor.
        """
        cursor = await self._outbox.cursor()
        if cursor is not None and not await self._events.whole_after(cursor):
            cursor = await self._catch_up(cursor)
        unsaved = 0
        async with aclosing(self._events.tail(cursor, idle_s=IDLE_S)) as tail:
            async for event in tail:
                if event is None:
                    if unsaved and cursor is not None:
                        await self._outbox.enqueue((), cursor=cursor)
                        unsaved = 0
                    continue
                cursor = event.position
                deliveries = await self._deliveries(event)
                unsaved += 1
                if deliveries or unsaved >= SAVE_EVERY:
                    await self._take_up(deliveries, cursor)
                    unsaved = 0

    async def _take_up(self, deliveries: list[Delivery], cursor: str | None) -> None:
        for endpoint_id in await self._outbox.enqueue(deliveries, cursor=cursor):
            log.warning("webhook %s is disabled: %s", endpoint_id, FULL)
            await self._book.disable(endpoint_id, FULL)
        if deliveries:
            self._ring()

    async def _deliveries(self, event: Event) -> list[Delivery]:
        kind = str(event.data.get("type"))
        if kind not in TELLING:
            return []
        tenant = await self._tenant_of(event.saga_id)
        if tenant is None:
            return []
        return [
            delivery_of(endpoint, job_id=event.saga_id, number=event.number, event=event.data, at_s=event.at_s)
            for endpoint in await self._book.list(tenant)
            if endpoint.disabled is None and endpoint.wants(kind) and event.at_s >= endpoint.since_s
        ]

    async def _tenant_of(self, job_id: str) -> str | None:
        """Whose job it is; ``None`` when it was deleted meanwhile: there is nobody left to tell of it."""
        if job_id in self._tenants:
            self._tenants.move_to_end(job_id)
            return self._tenants[job_id]
        record = await self._records.get(job_id)
        tenant = None if record is None else str(record["tenant"])
        self._tenants[job_id] = tenant
        if len(self._tenants) > KNOWN_JOBS:
            self._tenants.popitem(last=False)
        return tenant

    async def _catch_up(self, cursor: str) -> str | None:
        """Nobody collected for so long that the common history no longer reaches back: ask each job for its own.

        Returns:
            Where to read on.
        """
        newest = await self._events.newest()
        since_s = self._events.time_of(cursor)
        log.warning("nobody collected since %s; the jobs since then are asked for their events", cursor)
        page_cursor: str | None = None
        while True:
            page = await self._records.list(
                cursor=page_cursor, limit=PAGE, created_after_s=since_s - self._oldest_job_s
            )
            for record in page.records:
                for event in await self._events.read(str(record["id"])):
                    if event.at_s >= since_s:
                        await self._take_up(await self._deliveries(event), None)
            page_cursor = page.cursor
            if page_cursor is None:
                break
        await self._outbox.enqueue((), cursor=newest)
        return newest
