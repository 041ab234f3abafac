"""The audit: looks for orphans and broken promises, over journal, objects, catalogue, leases and temporary files.

It believes nobody: every promise of a completed job is checked against the bytes and the product as they are now. It
changes nothing; each finding names what it is about and what to do.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from farm.domain import keys
from farm.domain.status import Status
from farm.render.audit.jobs import check_job
from farm.render.audit.leases import check_leases
from farm.render.audit.orphans import OrphanCheck
from farm.render.audit.outputs import OutputCheck
from farm.render.audit.products import ProductCheck
from farm.render.audit.temp_files import check_temp_files
from farm.render.bulkhead import blocking
from farm.render.deletion import PENDING
from farm.render.findings import AuditReport
from farm.render.ports import LeaseBook, ObjectStore, ProductCatalog, TempFiles
from farm.saga.clock import Clock
from farm.saga.store import Store
from farm.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One audit over the whole farm."""

    settings: Settings
    sagas: Store
    objects: ObjectStore
    catalog: ProductCatalog
    leases: LeaseBook
    temp_files: TempFiles
    clock: Clock
    runs: Store | None = None

    async def run(self) -> AuditReport:
        """Look at everything once.

        Raises:
            StoreUnavailable, StorageUnavailable, ShopUnavailable: an audit that cannot see is no audit.
        """
        report = AuditReport()
        # Objects before records: whatever is seen belongs to a job that is seen too, also while the farm is at work.
        objects = await blocking(lambda: list(self.objects.list("t/")))
        baked = await blocking(lambda: list(self.objects.list(keys.BAKES)))
        halves = await blocking(lambda: list(self.objects.list_incoming()))
        records = {record["id"]: record async for record in _all_records(self.sagas)}
        runs = {record["id"]: record async for record in _all_records(self.runs)} if self.runs else {}
        for record in records.values():
            report.count("jobs")
            check_job(report, record, now_s=self.clock.wall_s(), deadline_s=self.settings.job_deadline_s)
        orphans = OrphanCheck(settings=self.settings, objects=self.objects, clock=self.clock)
        await orphans.check(report, objects, records, runs)
        await orphans.check_bakes(report, baked)
        orphans.check_halves(report, halves)
        present = {item.key for item in objects}
        outputs = OutputCheck(objects=self.objects)
        for record in records.values():
            if record["status"] == Status.COMPLETED and record.get(PENDING) is None:
                await outputs.check(report, record, present)
        products = ProductCheck(catalog=self.catalog)
        for tenant in sorted({record["tenant"] for record in records.values()} | {"default"}):
            await products.check(report, tenant, records)
        await check_leases(report, self.leases, self.sagas, records)
        check_temp_files(report, self.temp_files, records)
        return report


async def _all_records(store: Store) -> AsyncIterator[Mapping[str, Any]]:
    cursor: str | None = None
    while True:
        page = await store.records.list(cursor=cursor, limit=500)
        for record in page.records:
            yield record
        cursor = page.cursor
        if cursor is None:
            return
