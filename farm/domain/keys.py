"""Where things lie in the object store: every object has one owner, and its key says which.

t/<tenant>/uploads/<upload>/…          an upload that no job has taken yet (swept after a day)
t/<tenant>/designs/<design>/…          a design kept by its content: ``print.png``, and last ``facts.json``
t/<tenant>/jobs/<job>/design/…         the normalised designs
t/<tenant>/jobs/<job>/work/<token>/…   what one attempt wrote, whoever wrote it
t/<tenant>/jobs/<job>/out/…            outputs, at their public names
t/<tenant>/jobs/<job>/manifest.json    written last
bakes/<template>/<hash>/<size>/…       a template's light transport, for all tenants; ``bake.json`` written last
t/<tenant>/runs/<run>/rows/<token>/…   a catalogue run's rows, slice by slice, written by the start of that token
t/<tenant>/runs/<run>/parts/…          its report, slice by slice
t/<tenant>/runs/<run>/manifests/…      the manifests of its batches
t/<tenant>/cache/<fingerprint>         a finished picture, kept to be used again for equal work
t/<tenant>/cache/of/<design>/<fingerprint>   what is known of it, under each design it was made from
"""

import re
from collections.abc import Mapping
from typing import Any

BAKES = "bakes/"
_CACHED = re.compile(r"t/[^/]+/cache/(?:of/[0-9a-f]{64}/)?[0-9a-f]{64}")


TENANTS = "t/"
"""Where the tenants' folders lie."""


def uploads_of(tenant: str) -> str:
    """All uploads of a tenant."""
    return f"{TENANTS}{tenant}/uploads/"


def uploads(tenant: str, upload: str) -> str:
    return f"t/{tenant}/uploads/{upload}/"


def kept_designs(tenant: str) -> str:
    """All designs that a tenant keeps by their content."""
    return f"{TENANTS}{tenant}/designs/"


def kept_design(tenant: str, design: str, name: str = "") -> str:
    return f"{kept_designs(tenant)}{design}/{name}"


def job(tenant: str, job_id: str) -> str:
    return f"t/{tenant}/jobs/{job_id}/"


def designs(tenant: str, job_id: str) -> str:
    return job(tenant, job_id) + "design/"


def design(tenant: str, job_id: str, index: int) -> str:
    return f"{designs(tenant, job_id)}{index}.png"


def work(tenant: str, job_id: str, token: str = "") -> str:
    return job(tenant, job_id) + "work/" + (f"{token}/" if token else "")


def out(tenant: str, job_id: str, name: str = "") -> str:
    return job(tenant, job_id) + "out/" + name


def manifest(tenant: str, job_id: str) -> str:
    return job(tenant, job_id) + "manifest.json"


def bakes(template: str, template_hash: str, size_px: int | None = None) -> str:
    """Where the bakes of a version of a template lie, or the one of that size."""
    version = f"{BAKES}{template}/{template_hash}/"
    return version if size_px is None else f"{version}{size_px}/"


def bake_of(key: str) -> tuple[str, str, int] | None:
    """Template, its hash and the size of a bake's key, or ``None`` where it is no bake's."""
    parts = key.split("/")
    if len(parts) == 5 and parts[0] == "bakes" and parts[3].isdecimal():
        return parts[1], parts[2], int(parts[3])
    return None


def bakes_of(key: str) -> tuple[str, str] | None:
    """Template and hash of a key or prefix below one version's bakes, or ``None`` where it is no such."""
    parts = key.split("/")
    return (parts[1], parts[2]) if len(parts) >= 4 and parts[0] == "bakes" else None


def run(tenant: str, run_id: str) -> str:
    return f"t/{tenant}/runs/{run_id}/"


def run_rows_of(tenant: str, run_id: str, token: str) -> str:
    """Where one start of a run writes its rows; another start under the same id writes elsewhere."""
    return f"{run(tenant, run_id)}rows/" + (f"{token}/" if token else "")


def run_rows(tenant: str, run_id: str, token: str, number: int) -> str:
    return f"{run_rows_of(tenant, run_id, token)}{number:06d}.jsonl.gz"


def rows_token(key: str) -> str | None:
    """By which start the rows at this key were written; ``None`` where the key is of no rows."""
    parts = key.split("/")
    if len(parts) not in (6, 7) or (parts[2], parts[4]) != ("runs", "rows"):
        return None
    return parts[5] if len(parts) == 7 else ""


def run_part(tenant: str, run_id: str, number: int) -> str:
    return f"{run(tenant, run_id)}parts/{number:06d}.jsonl.gz"


def batch_manifest(tenant: str, run_id: str, number: int) -> str:
    return f"{run(tenant, run_id)}manifests/{number:06d}.json"


def cache(tenant: str) -> str:
    return f"t/{tenant}/cache/"


def cached(tenant: str, fingerprint: str) -> str:
    """Where a kept picture lies."""
    return cache(tenant) + fingerprint


def cached_of(tenant: str, design: str, fingerprint: str = "") -> str:
    """Where it stands what is known of a kept picture; without a fingerprint the folder of that design's."""
    return f"{cache(tenant)}of/{design}/{fingerprint}"


def is_cached(key: str) -> bool:
    """Whether the key is one of a result cache's."""
    return _CACHED.fullmatch(key) is not None


def manifest_of(record: Mapping[str, Any]) -> str:
    """Where a job's manifest lies, by its record: its own, or the one that it shares with the rows of its batch."""
    run = record.get("run") or {}
    if "slice" in run:
        return batch_manifest(record["tenant"], run["id"], run["slice"])
    return manifest(record["tenant"], record["id"])


def owner(key: str) -> tuple[str, str, str] | None:
    """``(tenant, "jobs" | "uploads" | "runs" | "designs", id)`` of a key, or ``None`` where nobody owns it."""
    parts = key.split("/")
    if len(parts) >= 5 and parts[0] == "t" and parts[2] in ("jobs", "uploads", "runs", "designs"):
        return parts[1], parts[2], parts[3]
    return None
