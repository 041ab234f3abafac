"""The sweep: what could not be cleared at the time is cleared later, by whoever comes by.

Left behind can be: what a coordinator wrote after it had lost its job without knowing (it was suspended, or cut off),
uploads that no job took, designs and pictures kept longer than promised, and the tidying of jobs whose coordinator died
right behind their end. Only jobs that have ended are touched, and an end is final; so any number of sweeps may run at
once.

A round looks at what is due (`farm.saga.due`), not at all there is: a job is due when it ends, and whenever time alone
changes what is kept of it (`farm.render.looks`). Each is looked at on its own: what one record or one tenant's folder
does to the sweep is logged, tried again later, and keeps the sweep from no other.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import batched
from typing import Any

from farm.domain import keys
from farm.domain.status import Status
from farm.errors import InfrastructureError
from farm.render.audit.orphans import HALF_WRITTEN_S, UPLOAD_GRACE_S
from farm.render.bulkhead import blocking
from farm.render.deletion import AT_ONCE, PENDING, Deletion
from farm.render.designs import DesignShelf
from farm.render.looks import LATE_S, next_look
from farm.render.ports import ObjectStore
from farm.render.record import in_batch, seconds_of
from farm.render.retention import EXPIRED, Retention
from farm.render.steps.parts import Parts
from farm.saga.clock import Clock
from farm.saga.due import DueItem
from farm.saga.store import Store

log = logging.getLogger(__name__)

PAGE = 256
ABREAST = 16
"""Jobs looked at side by side."""
ADOPTED = 5_000
"""Jobs from before there was a due book that one round enters, newest first, so that what is due now need not wait."""
REVIEW_S = 30 * 86_400.0
"""After this all jobs are looked at again, whatever the book says."""
OBJECTS = "@objects"
"""What is due beside jobs: the walk over uploads and kept pictures."""
WALK_S = 3600.0
OUTAGE_S, BAD_S = 300.0, 3600.0
"""After these a job is looked at again that met an outage, and one with which something is wrong."""
OVERDUE = "overdue"
"""The ``kind`` of the message that gets a waiting job looked at."""


async def _always() -> bool:
    return True


class Sweep:
    """Clears behind ended jobs."""

    def __init__(self, *, sagas: Store, parts: Parts, clock: Clock) -> None:
        self._sagas = sagas
        self._parts = parts
        self._clock = clock
        self._deletion = Deletion(sagas=sagas, objects=parts.store, catalog=parts.catalog)
        self._designs = DesignShelf(parts.settings, parts.store, clock=clock)
        self._retention = Retention(settings=parts.settings, sagas=sagas, deletion=self._deletion, clock=clock)

    async def run(self, goes_on: Callable[[], Awaitable[bool]] = _always) -> int:
        """Look at whatever is due; returns how many objects went.

        Args:
            goes_on: asked now and then; ``False`` ends the round where it is.

        Raises:
            StoreUnavailable: the next round goes on.
        """
        now_s = self._clock.wall_s()
        await self._adopt(now_s)
        gone = 0
        while items := await self._sagas.due.due(now_s, limit=PAGE):
            if not await goes_on():
                break
            for some in batched(items, ABREAST, strict=False):
                looked = await asyncio.gather(*(self._look_at(item, now_s) for item in some))
                gone += sum(found for found, _ in looked)
                await self._sagas.due.settle([(item, next_s) for item, (_, next_s) in zip(some, looked, strict=True)])
        return gone

    async def _adopt(self, now_s: float) -> None:
        """Enter jobs that the book may not know, or not as it should by now.

        Those are jobs from before there was one, or that a former version drove since; and all, when what is kept is
        kept for other times than before, and once in `REVIEW_S`.
        """
        settings = self._parts.settings
        kept = (settings.retry_days, settings.output_days, settings.record_days, settings.job_deadline_s)
        mark = f"{kept} {now_s // REVIEW_S:.0f}"
        entered = 0
        while entered < ADOPTED and (more := await self._sagas.due.adopt(mark, now_s, extra=[OBJECTS])):
            entered += more
        if entered:
            log.info("%d jobs are entered into the due book", entered)

    async def _look_at(self, item: DueItem, now_s: float) -> tuple[int, float | None]:
        """How many objects went, and when to look again; never raises."""
        try:
            if item.id == OBJECTS:
                return await self._old_uploads_and_results(), now_s + WALK_S
            return await self._look(item.id, now_s)
        except InfrastructureError as error:
            log.warning("%s is swept later: %s", item.id, error)
            return 0, now_s + OUTAGE_S
        except Exception:
            # A damaged record, or a defect: it must neither end the round nor come back in it.
            log.exception("%s cannot be swept; the others are", item.id)
            return 0, now_s + BAD_S

    async def _look(self, job_id: str, now_s: float) -> tuple[int, float | None]:
        record = await self._sagas.records.get(job_id)
        if record is not None and record.get(PENDING) is not None:
            await self._deletion.finish(job_id)
            record = await self._sagas.records.get(job_id)
        if record is None:
            return 0, None
        await self._call_if_overdue(record)
        if not record["finished_at"]:
            return 0, next_look(record, self._parts.settings, now_s)
        kept = await self._retention.apply(record, ended_s=seconds_of(record["finished_at"]))
        if kept is None:
            return 0, None
        gone = await self.clear(kept)
        await self.tidy(kept)
        return gone, next_look(kept, self._parts.settings, now_s)

    async def _call_if_overdue(self, record: Mapping[str, Any]) -> None:
        """A job that nobody has room for ends at its deadline all the same.

        A message in its inbox lets it be claimed whatever runs already; whoever drives it finds the deadline passed.
        """
        age_s = self._clock.wall_s() - seconds_of(record["created_at"])
        if not Status(record["status"]).ended and age_s > self._parts.settings.job_deadline_s:
            await self._sagas.inbox.send(record["id"], {"kind": OVERDUE})

    async def tidy(self, record: Mapping[str, Any]) -> None:
        """What may be done after the end, and does no harm undone: older jobs learn who took their place."""
        if record["status"] == Status.COMPLETED:
            for older in record["superseded"]:
                await self._sagas.records.annotate(older, {"superseded_by": record["id"]}, due_at_s=AT_ONCE)
        if not in_batch(record):
            await self._sagas.journal.compact(record["id"])

    async def clear(self, record: Mapping[str, Any]) -> int:
        """Remove what an ended job does not know, and what a failed or cancelled one shows; returns how many objects.

        A job that has not ended, or whose compensation is pending, is left alone.
        """
        status = Status(record["status"])
        if not status.ended or record["compensation_pending"]:
            return 0
        ended_ago_s = self._clock.wall_s() - seconds_of(record["finished_at"])
        late = ended_ago_s < 2 * LATE_S
        if status is not Status.COMPLETED and record["product_id"] is not None and late:
            await self._parts.catalog.dissociate(record["tenant"], record["product_id"], record["id"])
        return await blocking(_clear, self._parts.store, record, self._kept(record))

    def _kept(self, record: Mapping[str, Any]) -> set[str]:
        tenant, job_id = record["tenant"], record["id"]
        designs = {keys.design(tenant, job_id, index) for index in range(len(record["designs"]))}
        match Status(record["status"]):
            case Status.COMPLETED if record.get(EXPIRED):
                return set()
            case Status.COMPLETED:
                return designs | {item["key"] for item in record["artifacts"]} | {keys.manifest(tenant, job_id)}
            case Status.FAILED:
                age_s = self._clock.wall_s() - seconds_of(record["finished_at"])
                return designs if age_s <= self._parts.settings.retry_days * 86_400.0 else set()
            case _:
                return set()

    async def _old_uploads_and_results(self) -> int:
        """Uploads whose job never came to be, a day later; designs and pictures kept long enough; what is half written.

        Tenant by tenant, and only where these lie: the jobs' own folders, which hold most objects, are not listed.
        """
        store = self._parts.store
        gone = await blocking(store.sweep_incoming, older_than_s=HALF_WRITTEN_S)
        for tenant in await blocking(lambda: list(store.folders(keys.TENANTS))):
            try:
                gone += await self._old_of(tenant)
            except Exception as error:
                log.warning("uploads and kept pictures of tenant %s are swept later: %r", tenant, error)
        return gone

    async def _old_of(self, tenant: str) -> int:
        now_s = self._clock.wall_s()
        kept_since_s = now_s - self._parts.settings.cache_days * 86_400.0
        uploads, results = await blocking(_aged, self._parts.store, tenant, now_s - UPLOAD_GRACE_S, kept_since_s)
        await blocking(self._parts.store.delete, results)
        gone = len(results) + await blocking(self._designs.sweep, tenant)
        for upload, key in uploads:
            if await self._sagas.records.get(upload) is None:
                await blocking(self._parts.store.delete, [key])
                gone += 1
        return gone


def _clear(store: ObjectStore, record: Mapping[str, Any], kept: set[str]) -> int:
    tenant, job_id = record["tenant"], record["id"]
    strays = [item.key for item in store.list(keys.job(tenant, job_id)) if item.key not in kept]
    strays += [item.key for item in store.list(keys.uploads(tenant, job_id))]
    if strays:
        log.info("job %s: %d stray objects are removed", job_id, len(strays))
        store.delete(strays)
    return len(strays)


def _aged(
    store: ObjectStore, tenant: str, uploaded_before_s: float, kept_before_s: float
) -> tuple[list[tuple[str, str]], list[str]]:
    """A tenant's old uploads with the job they wait for, and old kept pictures with what is known of them."""
    uploads = [
        (owner[2], item.key)
        for item in store.list(keys.uploads_of(tenant))
        if item.modified_s < uploaded_before_s and (owner := keys.owner(item.key)) is not None
    ]
    results = [
        item.key
        for item in store.list(keys.cache(tenant))
        if item.modified_s < kept_before_s and keys.is_cached(item.key)
    ]
    return uploads, results
