"""Leases that are held for jobs that have ended."""

from collections.abc import Mapping
from typing import Any

from farm.domain.status import Status
from farm.errors import NotFound
from farm.render.findings import AuditReport
from farm.render.ports import LeaseBook
from farm.saga.store import Store


async def check_leases(
    report: AuditReport, leases: LeaseBook, sagas: Store, records: Mapping[str, Mapping[str, Any]]
) -> None:
    """Find leases whose job is not at work."""
    for lease in await leases.held():
        report.count("leases")
        record = records.get(lease.saga_id)
        if record is None:
            try:
                record = await sagas.records.get(lease.saga_id)
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
