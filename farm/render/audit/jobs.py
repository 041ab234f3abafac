"""The records of jobs: what is stuck, overdue, or not undone."""

from collections.abc import Mapping
from typing import Any

from farm.domain.status import Status
from farm.render.audit.orphans import SWEPT
from farm.render.deletion import PENDING
from farm.render.findings import AuditReport
from farm.render.record import seconds_of


def check_job(report: AuditReport, record: Mapping[str, Any], *, now_s: float, deadline_s: float) -> None:
    """What an operator has to know of one job."""
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
    age_s = now_s - seconds_of(record["created_at"])
    if not Status(record["status"]).ended and age_s > deadline_s + 60.0:
        report.find(
            "job_overdue",
            record["id"],
            f"still {record['status']} after {age_s:.0f} s",
            "Check that coordinators run: `farm up`.",
        )
