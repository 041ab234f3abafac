"""The audit: looks for orphans and broken promises, over journal, objects, catalogue, leases and temporary files.

It believes nobody: every promise of a completed job is checked against the bytes and the product as they are now. It
changes nothing; each finding names what it is about and what to do.
"""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image

from farm.domain import keys
from farm.domain.artifact import Kind
from farm.domain.request import Media
from farm.domain.status import Status
from farm.errors import NotFound, ObjectMissing
from farm.render.deletion import PENDING
from farm.render.designs import FACTS, PRINT
from farm.render.findings import AuditReport
from farm.render.ports import LeaseBook, ObjectInfo, ObjectStore, Product, ProductCatalog, TempFiles
from farm.render.progress import LEFT_OUT_STATUS
from farm.render.retention import EXPIRED
from farm.render.steps.associate_media import AssociateMedia, media_id, thumbnail_of
from farm.render.steps.parts import blocking
from farm.saga.clock import Clock
from farm.saga.store import Store
from farm.settings import Settings

SWEPT = "Coordinators sweep what ended jobs left an hour and a day after their end; remove by hand what stays."
HALF_WRITTEN_S = 3600.0
"""A write that takes longer than this is no write any more."""
BAKER = "bake-"
"""How the names begin under which bakes work on a node."""
KEPT_GRACE_S = 7200.0
"""Within this the sweep comes by and removes what was kept long enough."""
UPLOAD_GRACE_S = 86_400.0
"""An upload that no job took is swept after a day; until then it may be a job about to be submitted."""


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
        records = {record["id"]: record async for record in self._records()}
        runs = {record["id"]: record async for record in _all_records(self.runs)} if self.runs else {}
        for record in records.values():
            report.count("jobs")
            self._check_record(report, record)
        for item in objects:
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
        for item in baked:
            report.count("bakes")
            if keys.bake_of(item.key) is None:
                await self._orphan(report, item.key, "no bake's key")
        for item in halves:
            if self.clock.wall_s() - item.modified_s > HALF_WRITTEN_S:
                report.find("orphan_object", item.key, "half written by a process that is no more", SWEPT)
        present = {item.key for item in objects}
        for record in records.values():
            if record["status"] == Status.COMPLETED and record.get(PENDING) is None:
                await self._check_outputs(report, record, present)
        tenants = {record["tenant"] for record in records.values()} | {"default"}
        for tenant in sorted(tenants):
            await self._check_products(report, tenant, records)
        await self._check_leases(report, records)
        self._check_temp_files(report, records)
        return report

    def _records(self) -> AsyncIterator[Mapping[str, Any]]:
        return _all_records(self.sagas)

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

    # --- jobs -------------------------------------------------------------------------------------------------------

    def _check_record(self, report: AuditReport, record: Mapping[str, Any]) -> None:
        if record.get(PENDING) is not None:
            report.find("deletion_pending", record["id"], "it was deleted, and not all of it has gone", SWEPT)
        if record["compensation_pending"]:
            left = ", ".join(record["steps_left"])
            report.find(
                "compensation_pending",
                record["id"],
                f"not undone: {left}",
                f"Mend the cause, then run `farm jobs compensate {record['id']}`.",
            )
        if record.get("trouble") and not Status(record["status"]).ended:
            report.find(
                "job_stuck",
                record["id"],
                f"no coordinator can drive it: {record['trouble']}",
                "Report it with the host's log; `farm jobs cancel` cannot help a damaged journal.",
            )
        age_s = self.clock.wall_s() - seconds_of(record["created_at"])
        if not Status(record["status"]).ended and age_s > self.settings.job_deadline_s + 60.0:
            report.find(
                "job_overdue",
                record["id"],
                f"still {record['status']} after {age_s:.0f} s",
                "Check that coordinators run: `farm up`.",
            )

    # --- objects ----------------------------------------------------------------------------------------------------

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

    async def _check_outputs(self, report: AuditReport, record: Mapping[str, Any], present: set[str]) -> None:
        job_id = record["id"]
        if record.get(EXPIRED):
            return  # kept long enough; what is left of it is found as orphans
        hint = f"Run `farm jobs retry {job_id}` to render it again."
        names = {artifact["view"] for artifact in record["artifacts"] if artifact["kind"] == "still"}
        for view in record["views"]:
            if view["view"] not in names:
                report.find("missing_output", job_id, f"the record has no picture of {view['view']}", hint)
        kinds = {artifact["kind"] for artifact in record["artifacts"]}
        for extra, what in (("film", "film"), ("model", "3D model")):
            wanted = record.get(extra)
            if wanted and wanted.get("status") != LEFT_OUT_STATUS and extra not in kinds:
                report.find("missing_output", job_id, f"the record has no {what}", hint)
        for artifact in record["artifacts"]:
            report.count("outputs")
            if artifact["key"] not in present and await blocking(self.objects.head, artifact["key"]) is None:
                report.find("missing_output", artifact["key"], f"job {job_id} is completed without it", hint)
                continue
            fault = await blocking(_inspect, self.objects, artifact)
            if fault:
                report.find("altered_output", artifact["key"], fault, hint)
        if in_batch(record):
            await self._check_batch_manifest(report, record, hint)
            return
        manifest = keys.manifest(record["tenant"], job_id)
        if manifest not in present and await blocking(self.objects.head, manifest) is None:
            report.find("missing_output", manifest, f"job {job_id} has no manifest", hint)
        elif not await blocking(_manifest_agrees, self.objects, manifest, record["artifacts"]):
            report.find("altered_output", manifest, "the manifest does not list the job's outputs", hint)

    async def _check_batch_manifest(self, report: AuditReport, record: Mapping[str, Any], hint: str) -> None:
        """The jobs of a batch share one manifest."""
        run = record["run"]
        key = keys.batch_manifest(record["tenant"], run["id"], run["slice"])
        try:
            jobs = json.loads(await blocking(self.objects.get, key)).get("jobs", {})
        except (ObjectMissing, ValueError):
            report.find("missing_output", key, f"job {record['id']} has no manifest", hint)
            return
        listed = {one["name"]: one["sha256"] for one in jobs.get(record["id"], {}).get("outputs", ())}
        if listed != {one["name"]: one["sha256"] for one in record["artifacts"]}:
            report.find("altered_output", key, f"it does not list the outputs of job {record['id']}", hint)

    # --- products ---------------------------------------------------------------------------------------------------

    async def _check_products(self, report: AuditReport, tenant: str, records: Mapping[str, Mapping[str, Any]]) -> None:
        products = {product.id: product for product in await self.catalog.list_products(tenant)}
        for product in products.values():
            report.count("products")
            for entry in product.media:
                report.count("media")
                record = records.get(entry.job_id or "")
                if entry.job_id is None or (record is not None and not Status(record["status"]).ended):
                    continue
                if record is None or (record["status"] != Status.COMPLETED and not record["compensation_pending"]):
                    state = "does not exist" if record is None else f"is {record['status']}"
                    report.find(
                        "orphan_media",
                        f"{product.id}/{entry.id}",
                        f"job {entry.job_id} {state}",
                        "Remove the entry from the product.",
                    )
        busy = {record["product_id"] for record in records.values() if not Status(record["status"]).ended}
        standing = [record for record in records.values() if record.get(PENDING) is None]
        for product_id, jobs in _by_product(tenant, standing).items():
            found = products.get(product_id)
            shown = {entry.job_id for entry in found.media} if found is not None else set()
            rivals = [record for record in jobs if record["id"] in shown]
            for record in jobs:
                if not any(_may_have_replaced(record, rival) for rival in rivals):
                    self._check_media(report, record, found)
            if found is not None and product_id not in busy:
                self._check_thumbnail(report, found, jobs)

    def _check_media(self, report: AuditReport, record: Mapping[str, Any], product: Product | None) -> None:
        hint = f"Run `farm jobs retry {record['id']}`, or delete the job if its product is gone for good."
        if product is None:
            report.find("missing_media", record["id"], f"product {record['product_id']} does not exist", hint)
            return
        entries = [entry for entry in product.media if entry.job_id == record["id"]]
        wanted = {
            media_id(record["id"], artifact["view"]): record["outputs"][artifact["name"]]
            for artifact in record["artifacts"]
            if artifact["kind"] == "still"
        }
        for entry_id, url in wanted.items():
            there = [entry for entry in entries if entry.url == url]
            if not there:
                report.find(
                    "missing_media", f"{product.id}/{entry_id}", f"job {record['id']} is completed without it", hint
                )
            elif len(there) > 1:
                report.find(
                    "doubled_media", f"{product.id}/{entry_id}", f"it is there {len(there)} times", "Remove one."
                )
        for entry in entries:
            if entry.url not in wanted.values():
                report.find(
                    "orphan_media",
                    f"{product.id}/{entry.id}",
                    f"job {record['id']} made no such picture",
                    "Remove the entry from the product.",
                )

    def _check_thumbnail(self, report: AuditReport, product: Product, jobs: Sequence[Mapping[str, Any]]) -> None:
        fronts = _thumbnails(jobs)
        shown = {entry.url for entry in product.media}
        wanted = [url for url in fronts if url in shown]
        if wanted and product.thumbnail not in wanted:
            report.find(
                "wrong_thumbnail",
                product.id,
                f"it is {product.thumbnail or 'not set'}, which no job of the product chose",
                f"Set it to {wanted[-1]}, or run the newest job again.",
            )
        elif not wanted and product.thumbnail in fronts:
            report.find("wrong_thumbnail", product.id, "its picture is no longer among the media", "Set another.")

    # --- leases and temporary files -----------------------------------------------------------------------------------

    async def _check_leases(self, report: AuditReport, records: Mapping[str, Mapping[str, Any]]) -> None:
        for lease in await self.leases.held():
            report.count("leases")
            record = records.get(lease.saga_id)
            if record is None:
                try:
                    record = await self.sagas.records.get(lease.saga_id)
                except NotFound:
                    record = None
            if record is None or (Status(record["status"]).ended and not record["compensation_pending"]):
                state = "does not exist" if record is None else f"is {record['status']}"
                report.find(
                    "stale_lease",
                    lease.saga_id,
                    f"held by {lease.owner}, but the job {state}",
                    "It lapses by itself; if it comes back, restart that coordinator.",
                )

    def _check_temp_files(self, report: AuditReport, records: Mapping[str, Mapping[str, Any]]) -> None:
        for job_id, folder in self.temp_files.list():
            report.count("temp_folders")
            if job_id.startswith(BAKER):
                continue  # of a bake at work; what a dead one left is swept with its process
            record = records.get(job_id)
            if record is None and job_id.startswith("run_"):
                continue  # a batch; what dead processes leave is swept on its node
            if record is None or Status(record["status"]).ended:
                state = "does not exist" if record is None else f"is {record['status']}"
                report.find("orphan_temp_file", str(folder), f"job {job_id} {state}", "Remove the folder.")


async def _all_records(store: Store) -> AsyncIterator[Mapping[str, Any]]:
    cursor: str | None = None
    while True:
        page = await store.records.list(cursor=cursor, limit=500)
        for record in page.records:
            yield record
        cursor = page.cursor
        if cursor is None:
            return


def in_batch(record: Mapping[str, Any]) -> bool:
    """Whether the job was done as a row of a run's batch: it has no journal and no design of its own."""
    return "slice" in (record.get("run") or {})


def _by_product(tenant: str, records: Iterable[Mapping[str, Any]]) -> Mapping[str, list[Mapping[str, Any]]]:
    """A tenant's completed jobs by the product they were made for."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record["tenant"] == tenant and record["status"] == Status.COMPLETED and record["product_id"] is not None:
            found.setdefault(record["product_id"], []).append(record)
    return found


def _thumbnails(jobs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The thumbnails that completed jobs chose, oldest first."""
    chosen = []
    for job in sorted(jobs, key=lambda record: str(record["finished_at"])):
        artifact = thumbnail_of(job["artifacts"], replace=job["request"]["media"] == Media.REPLACE)
        if artifact is not None:
            chosen.append(job["outputs"][artifact["name"]])
    return chosen


def _may_have_replaced(older: Mapping[str, Any], newer: Mapping[str, Any]) -> bool:
    """Whether the pictures of one completed job may rightly stand in place of another's.

    What counts is which was attached later, not which ended later; of two that were attached at the same time either
    may be the later.
    """
    return bool(
        newer["id"] != older["id"]
        and newer["product_id"] == older["product_id"]
        and newer["request"]["fabric_color"] == older["request"]["fabric_color"]
        and newer["request"]["media"] == Media.REPLACE
        and any(artifact["kind"] == Kind.STILL for artifact in newer["artifacts"])
        and _attached(newer)[1] >= _attached(older)[0]
    )


def _attached(record: Mapping[str, Any]) -> tuple[str, str]:
    """Between which times a completed job's pictures were attached to its product."""
    if in_batch(record):
        return record["created_at"], record["finished_at"]
    step = next(step for step in record["steps"] if step["step"] == AssociateMedia.name)
    return step["started_at"], step["finished_at"]


def seconds_of(rfc3339: str) -> float:
    """A record's time in seconds since 1970."""
    return datetime.fromisoformat(rfc3339).timestamp()


def _inspect(store: ObjectStore, artifact: Mapping[str, Any]) -> str | None:
    """What is wrong with a stored output, if anything."""
    try:
        data = store.get(artifact["key"])
    except ObjectMissing:
        return "it went while the audit looked"
    if hashlib.sha256(data).hexdigest() != artifact["sha256"]:
        return f"its bytes are not those that were stored ({len(data)} bytes, {artifact['size_bytes']} then)"
    if artifact["kind"] != "still":
        return None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            size = picture.size
    except (OSError, ValueError) as error:
        return f"it does not decode: {error}"
    wanted = (artifact["width_px"], artifact["height_px"])
    return None if size == wanted else f"it has {size[0]} x {size[1]} pixels, not {wanted[0]} x {wanted[1]}"


def _manifest_agrees(store: ObjectStore, key: str, artifacts: Sequence[Mapping[str, Any]]) -> bool:
    try:
        outputs = json.loads(store.get(key))["outputs"]
    except (ObjectMissing, ValueError, KeyError, TypeError):
        return False
    return bool(outputs == list(artifacts))
