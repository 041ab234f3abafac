"""Objects that belong to nobody: each key has an owner, for as long as that one says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.domain import keys
from farm.domain.status import Status
from farm.render.bulkhead import blocking
from farm.render.deletion import PENDING
from farm.render.designs import FACTS, PRINT
from farm.render.findings import AuditReport
from farm.render.ports import ObjectInfo, ObjectStore
from farm.render.record import seconds_of
from farm.render.retention import EXPIRED
from farm.saga.clock import Clock
from farm.settings import Settings

SWEPT = "Coordinators sweep what ended jobs left an hour and a day after their end; remove by hand what stays."
HALF_WRITTEN_S = 3600.0
"""A write that takes longer than this is no write any more."""
KEPT_GRACE_S = 7200.0
"""Within this the sweep comes by and removes what was kept long enough."""
UPLOAD_GRACE_S = 86_400.0
"""An upload that no job took is swept after a day; until then it may be a job about to be submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanCheck:
    """Asks of every object whose it is."""

    settings: Settings
    objects: ObjectStore
    clock: Clock

    async def check(
        self,
        report: AuditReport,
        items: Sequence[ObjectInfo],
        records: Mapping[str, Mapping[str, Any]],
        runs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Find those below tenants' keys that belong to no job, run, cache or kept design."""
        for item in items:
            report.count("objects")
            owner = keys.owner(item.key)
            if keys.is_cached(item.key):
                await self._check_kept(report, item)
            elif owner is not None and owner[1] == "runs":
                await self._check_run(report, item, runs.get(owner[2]), owner)
            elif owner is not None and owner[1] == "designs":
                await self._check_kept_design(report, item)
            else:
                await self._check_owner(report, item, records)

    async def check_bakes(self, report: AuditReport, items: Sequence[ObjectInfo]) -> None:
        """Find those among the bakes that are none."""
        for item in items:
            report.count("bakes")
            if keys.bake_of(item.key) is None:
                await self._orphan(report, item.key, "no bake's key")

    def check_halves(self, report: AuditReport, items: Sequence[ObjectInfo]) -> None:
        """Find what a process began to write and did not end."""
        for item in items:
            if self.clock.wall_s() - item.modified_s > HALF_WRITTEN_S:
                report.find("orphan_object", item.key, "half written by a process that is no more", SWEPT)

    async def _check_kept(self, report: AuditReport, item: ObjectInfo) -> None:
        """The result cache owns what is in it, whatever became of the job, for as long as pictures are kept."""
        report.count("kept")
        if self.clock.wall_s() - item.modified_s > self.settings.cache_days * 86_400.0 + KEPT_GRACE_S:
            await self._orphan(report, item.key, f"kept longer than {self.settings.cache_days:g} days")

    async def _check_kept_design(self, report: AuditReport, item: ObjectInfo) -> None:
        """A design that is kept by its content belongs to its tenant for as long as they are kept."""
        report.count("designs")
        days = self.settings.design_days
        if (
            days
            and self.clock.wall_s() - item.modified_s > days * 86_400.0 + KEPT_GRACE_S
            and not (item.key.endswith(f"/{PRINT}") and await self._is_fresh(item.key.removesuffix(PRINT) + FACTS))
        ):
            await self._orphan(report, item.key, f"kept longer than {days:g} days")

    async def _is_fresh(self, key: str) -> bool:
        """Whether a design was sent again since its print was written."""
        found = await blocking(self.objects.head, key)
        kept_s = self.settings.design_days * 86_400.0 + KEPT_GRACE_S
        return found is not None and self.clock.wall_s() - found.modified_s <= kept_s

    async def _check_run(
        self, report: AuditReport, item: ObjectInfo, run: Mapping[str, Any] | None, owner: tuple[str, str, str]
    ) -> None:
        """A run's rows are written before the run is accepted, so new ones may belong to none yet."""
        if run is None and self.clock.wall_s() - item.modified_s > UPLOAD_GRACE_S:
            await self._orphan(report, item.key, f"there is no run {owner[2]}")
        elif run is not None and run["tenant"] != owner[0]:
            await self._orphan(report, item.key, f"run {owner[2]} is another tenant's")
        elif run is not None and self.clock.wall_s() - item.modified_s > UPLOAD_GRACE_S:
            # Two starts under one id: the one that lost was killed before it could clear up behind itself.
            token = keys.rows_token(item.key)
            if token is not None and token != run.get("rows_token", ""):
                await self._orphan(report, item.key, f"run {owner[2]} was started with other rows")

    async def _check_owner(
        self, report: AuditReport, item: ObjectInfo, records: Mapping[str, Mapping[str, Any]]
    ) -> None:
        owner = keys.owner(item.key)
        record = records.get(owner[2]) if owner else None
        if owner is None:
            await self._orphan(report, item.key, "no job's key")
        elif record is None:
            if owner[1] != "uploads" or self.clock.wall_s() - item.modified_s > UPLOAD_GRACE_S:
                await self._orphan(report, item.key, f"there is no job {owner[2]}")
            else:
                report.count("fresh_uploads")
        elif record["tenant"] != owner[0]:
            await self._orphan(report, item.key, f"job {owner[2]} is another tenant's")
        elif Status(record["status"]).ended and not record["compensation_pending"] and record.get(PENDING) is None:
            await self._check_ended_owner(report, item, record)

    async def _check_ended_owner(self, report: AuditReport, item: ObjectInfo, record: Mapping[str, Any]) -> None:
        tenant, job_id, status = record["tenant"], record["id"], Status(record["status"])
        is_design = item.key in {keys.design(tenant, job_id, index) for index in range(len(record["designs"]))}
        if status is Status.COMPLETED:
            outputs = {artifact["key"] for artifact in record["artifacts"]}
            own = is_design or item.key in outputs or item.key == keys.manifest(tenant, job_id)
            if record.get(EXPIRED) or not own:
                await self._orphan(report, item.key, f"job {job_id} is completed and does not know it")
        elif is_design and status is Status.FAILED:
            ended_s = seconds_of(record["finished_at"])
            if self.clock.wall_s() - ended_s <= self.settings.retry_days * 86_400.0:
                report.retained += 1
            else:
                await self._orphan(report, item.key, f"kept longer than {self.settings.retry_days:g} days")
        else:
            await self._orphan(report, item.key, f"job {job_id} is {status}")

    async def _orphan(self, report: AuditReport, key: str, detail: str) -> None:
        if await blocking(self.objects.head, key) is not None:  # else its job removed it while the audit looked
            report.find("orphan_object", key, detail, SWEPT)
