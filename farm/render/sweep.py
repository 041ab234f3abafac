"""The sweep: what could not be cleared at the time is cleared later, by whoever comes by.

Left behind can be: what a coordinator wrote after it had lost its job without knowing (it was suspended, or cut off),
uploads that no job took, designs and pictures kept longer than promised, and the tidying of jobs whose coordinator died
right behind their end. Only jobs that have ended are touched, and an end is final; so any number of sweeps may run at
once.
"""

import logging
from collections.abc import Mapping
from typing import Any

from farm.domain import keys
from farm.domain.status import Status
from farm.render.audit import HALF_WRITTEN_S, UPLOAD_GRACE_S, in_batch, seconds_of
from farm.render.deletion import PENDING, Deletion
from farm.render.ports import ObjectStore
from farm.render.retention import EXPIRED, Retention
from farm.render.steps.parts import Parts, blocking
from farm.saga.clock import Clock
from farm.saga.store import Store

log = logging.getLogger(__name__)

PAGE = 500
OVERDUE = "overdue"
"""The ``kind`` of the message that gets a waiting job looked at."""
LATE_S = 86_400.0
"""How long after a job's end a suspended coordinator may still have spoken to the shop in its name."""
RECENT_S = 7200.0
"""A job that ended longer ago than this has been tidied by an earlier sweep."""


class Sweep:
    """Clears behind ended jobs."""

    def __init__(self, *, sagas: Store, parts: Parts, clock: Clock) -> None:
        self._sagas = sagas
        self._parts = parts
        self._clock = clock
        self._deletion = Deletion(sagas=sagas, objects=parts.store, catalog=parts.catalog)
        self._retention = Retention(settings=parts.settings, sagas=sagas, deletion=self._deletion, clock=clock)

    async def run(self) -> int:
        """Go over the whole farm; returns how many objects went.

        Raises:
            StoreUnavailable, StorageUnavailable, ShopUnavailable: it goes on from the start the next time.
        """
        gone = await self._old_uploads_and_results()
        gone += await blocking(self._parts.store.sweep_incoming, older_than_s=HALF_WRITTEN_S)
        cursor: str | None = None
        while True:
            page = await self._sagas.records.list(cursor=cursor, limit=PAGE)
            for record in page.records:
                if record.get(PENDING) is not None:
                    await self._deletion.finish(record["id"])
                    continue
                await self._call_if_overdue(record)
                if record["finished_at"]:
                    kept = await self._retention.apply(record, ended_s=seconds_of(record["finished_at"]))
                    if kept is None:
                        continue
                    record = kept
                gone += await self.clear(record)
                if record["finished_at"] and self._clock.wall_s() - seconds_of(record["finished_at"]) < RECENT_S:
                    await self.tidy(record)
            cursor = page.cursor
            if cursor is None:
                return gone

    async def _call_if_overdue(self, record: Mapping[str, Any]) -> None:
        """A job that nobody has room for ends at its deadline all the same.

        A message in its inbox lets it be claimed whatever runs already; whoever drives it finds the deadline passed.
        """
        age_s = self._clock.wall_s() - seconds_of(record["created_at"])
        if not Status(record["status"]).ended and age_s > self._parts.settings.job_deadline_s:
            await self._sagas.inbox.send(record["id"], {"kind": OVERDUE})

    async def tidy_newest(self) -> None:
        """`tidy` the newest jobs: those that a coordinator which just died may have left as they were."""
        for record in (await self._sagas.records.list(limit=PAGE)).records:
            if Status(record["status"]).ended:
                await self.tidy(record)

    async def tidy(self, record: Mapping[str, Any]) -> None:
        """What may be done after the end, and does no harm undone: older jobs learn who took their place."""
        if record["status"] == Status.COMPLETED:
            for older in record["superseded"]:
                await self._sagas.records.annotate(older, {"superseded_by": record["id"]})
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
        if status is not Status.COMPLETED and record["product_id"] is not None and ended_ago_s < LATE_S:
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
        """Uploads whose job never came to be, a day later; pictures that were kept long enough."""
        now_s = self._clock.wall_s()
        kept_since_s = now_s - self._parts.settings.cache_days * 86_400.0
        uploads, results = await blocking(_aged, self._parts.store, now_s - UPLOAD_GRACE_S, kept_since_s)
        await blocking(self._parts.store.delete, results)
        gone = len(results)
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
    store: ObjectStore, uploaded_before_s: float, kept_before_s: float
) -> tuple[list[tuple[str, str]], list[str]]:
    """Old uploads with the job they wait for, and old kept pictures with what is known of them."""
    uploads, results = [], []
    for item in store.list("t/"):
        owner = keys.owner(item.key)
        if keys.is_cached(item.key):
            if item.modified_s < kept_before_s:
                results.append(item.key)
        elif owner is not None and owner[1] == "uploads" and item.modified_s < uploaded_before_s:
            uploads.append((owner[2], item.key))
    return uploads, results
