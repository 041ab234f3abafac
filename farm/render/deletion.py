"""The deletion of an ended job: one durable decision, then effects that may be repeated until all are done.

It is a saga that only goes forward. The decision is an annotation of the record, from which moment the job is gone for
everybody; media, objects, record and journal follow, the record last. Whoever dies in between leaves a record that says
what is still to be done, and the sweep does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farm.domain import keys
from farm.render.bulkhead import blocking
from farm.render.ports import ObjectStore, ProductCatalog
from farm.render.results import ResultCache
from farm.saga.store import Store

AT_ONCE = 0.0
"""Due since ever: the next round of the sweep looks at it."""
HIDDEN = "deleted"
"""The record's member by which a job is no longer shown."""
PENDING = "deletion"
"""The record's member that says what is still to be done: ``{"keep_media": bool}``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """Deletes jobs."""

    sagas: Store
    objects: ObjectStore
    catalog: ProductCatalog

    async def begin(self, record: Mapping[str, Any], *, keep_media: bool) -> None:
        """Decide it; on disk when this returns.

        Raises:
            StoreUnavailable: when it is unknown whether it was decided.
        """
        await self.sagas.records.annotate(
            record["id"], {HIDDEN: True, PENDING: {"keep_media": keep_media}}, due_at_s=AT_ONCE
        )

    async def finish(self, job_id: str) -> None:
        """Do what was decided and is not done yet; nothing where nothing was.

        Raises:
            StoreUnavailable, StorageUnavailable, ShopUnavailable: the rest is done the next time.
        """
        record = await self.sagas.records.get(job_id)
        pending = (record or {}).get(PENDING)
        if record is None or pending is None:
            return
        await blocking(ResultCache(self.objects, days=0).forget, record["tenant"], record["designs"])
        if pending["keep_media"]:
            await blocking(self.objects.delete_prefix, keys.designs(record["tenant"], job_id))
            await self.sagas.records.annotate(job_id, {PENDING: None})
            return
        if record["product_id"] is not None:
            await self.catalog.dissociate(record["tenant"], record["product_id"], job_id)
        await self._give_back_places(record)
        await blocking(self.objects.delete_prefix, keys.job(record["tenant"], job_id))
        await self.sagas.journal.delete(job_id)

    async def _give_back_places(self, record: Mapping[str, Any]) -> None:
        """The jobs that ``record`` superseded are its successor's from now on, or nobody's."""
        successor = record.get("superseded_by")
        for older in record["superseded"]:
            await self.sagas.records.annotate(older, {"superseded_by": successor}, due_at_s=AT_ONCE)
        heir = await self.sagas.records.get(successor) if successor else None
        if heir is not None:
            kept = [job for job in heir["superseded"] if job not in (record["id"], *record["superseded"])]
            await self.sagas.records.annotate(heir["id"], {"superseded": [*kept, *record["superseded"]]})
