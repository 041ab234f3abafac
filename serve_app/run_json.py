"""A catalogue run as the API shows it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from farm.render.audit import seconds_of
from serve_app.job_json import base_of

_HIDDEN = ("tenant", "failpoints", "batch_failpoints", "rows_token")
POLL_S = 2
_LEAST_SHARE = 0.002
"""Below this share of its rows nothing can be told about the time a run will take."""


def run_json(record: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """The record with its progress and the addresses of all that can be done with it."""
    shown = {name: value for name, value in record.items() if name not in _HIDDEN}
    share = record["rows_done"] / record["rows"] if record["rows"] else 1.0
    shown["progress"] = round(100.0 * share, 2)
    shown["eta_s"] = _eta_s(record, share)
    here = f"{base_of(request)}/catalog-runs/{record['id']}"
    shown["status_url"] = here
    for name in ("report", "pause", "resume", "cancel", "retry"):
        shown[f"{name}_url"] = f"{here}/{name}"
    return shown


def _eta_s(record: Mapping[str, Any], share: float) -> float | None:
    """Seconds left, as fast as so far; ``None`` when nothing can be told."""
    if record["status"] != "running" or record["started_at"] is None or share < _LEAST_SHARE:
        return None
    passed_s = datetime.now(UTC).timestamp() - seconds_of(record["started_at"])
    return round(max(0.0, passed_s * (1.0 - share) / share), 1)
