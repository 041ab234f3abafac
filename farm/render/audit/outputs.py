"""The outputs of completed jobs: there, with the bytes that were stored, and listed in their manifest."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from farm.domain import keys
from farm.errors import ObjectMissing
from farm.render.bulkhead import blocking
from farm.render.findings import AuditReport
from farm.render.ports import ObjectStore
from farm.render.progress import LEFT_OUT_STATUS
from farm.render.record import in_batch
from farm.render.retention import EXPIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCheck:
    """Reads back what completed jobs promise."""

    objects: ObjectStore

    async def check(self, report: AuditReport, record: Mapping[str, Any], present: set[str]) -> None:
        """Find outputs of a completed job that are missing or altered; ``present`` are the keys that were seen."""
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
