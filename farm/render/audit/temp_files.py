"""Temporary folders that outlived their jobs on this node."""

from collections.abc import Mapping
from typing import Any

from farm.domain.status import Status
from farm.render.findings import AuditReport
from farm.render.ports import TempFiles

BAKER = "bake-"
"""How the names begin under which bakes work on a node."""


def check_temp_files(report: AuditReport, temp_files: TempFiles, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Find folders whose job is not at work."""
    for job_id, folder in temp_files.list():
        report.count("temp_folders")
        if job_id.startswith(BAKER):
            continue  # of a bake at work; what a dead one left is swept with its process
        record = records.get(job_id)
        if record is None and job_id.startswith("run_"):
            continue  # a batch; what dead processes leave is swept on its node
        if record is None or Status(record["status"]).ended:
            state = "does not exist" if record is None else f"is {record['status']}"
            report.find("orphan_temp_file", str(folder), f"job {job_id} {state}", "Remove the folder.")
