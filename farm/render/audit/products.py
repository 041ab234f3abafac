"""The products in the catalogue: every picture of a completed job, and none of another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.domain.artifact import Kind
from farm.domain.request import Media
from farm.domain.status import Status
from farm.render.deletion import PENDING
from farm.render.findings import AuditReport
from farm.render.ports import Product, ProductCatalog
from farm.render.record import in_batch
from farm.render.steps.associate_media import AssociateMedia, media_id, thumbnail_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCheck:
    """Compares products with what jobs promise of them."""

    catalog: ProductCatalog

    async def check(self, report: AuditReport, tenant: str, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Find media entries and thumbnails of a tenant's products that are orphans, missing, doubled or wrong."""
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
                    _check_media(report, record, found)
            if found is not None and product_id not in busy:
                _check_thumbnail(report, found, jobs)


def _check_media(report: AuditReport, record: Mapping[str, Any], product: Product | None) -> None:
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
            report.find("doubled_media", f"{product.id}/{entry_id}", f"it is there {len(there)} times", "Remove one.")
    for entry in entries:
        if entry.url not in wanted.values():
            report.find(
                "orphan_media",
                f"{product.id}/{entry.id}",
                f"job {record['id']} made no such picture",
                "Remove the entry from the product.",
            )


def _check_thumbnail(report: AuditReport, product: Product, jobs: Sequence[Mapping[str, Any]]) -> None:
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
