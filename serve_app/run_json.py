"""A catalogue run as the API shows it."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from serve_app.job_json import base_of

_HIDDEN = ("tenant", "failpoints", "batch_failpoints", "rows_token")
POLL_S = 2


def run_json(record: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """The record with its progress and the addresses of all that can be done with it."""
    shown = {name: value for name, value in record.items() if name not in _HIDDEN}
    shown["progress"] = round(100.0 * record["rows_made"] / record["rows"], 2) if record["rows"] else 100.0
    shown["eta_s"] = shown.pop("seconds_left")
    here = f"{base_of(request)}/catalog-runs/{record['id']}"
    shown["status_url"] = here
    for name in ("report", "pause", "resume", "cancel", "retry"):
        shown[f"{name}_url"] = f"{here}/{name}"
    return shown
