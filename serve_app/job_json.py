"""A job as the API shows it."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from farm.domain.status import Status
from serve_app.problems import ORIGIN

_HIDDEN = ("failpoints", "rendering_since_s", "artifacts", "deleted", "tenant")
POLL_S = 2


def job_json(record: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """The record with the addresses of everything that belongs to it; outputs are served through the API."""
    shown = {name: value for name, value in record.items() if name not in _HIDDEN}
    here = f"{base_of(request)}/jobs/{record['id']}"
    shown["status_url"] = here
    shown["events_url"] = f"{here}/events"
    shown["cancel_url"] = f"{here}/cancel"
    shown["outputs"] = {name: f"{here}/outputs/{name}" for name in record["outputs"]}
    names = {artifact["view"]: artifact["name"] for artifact in record["artifacts"] if artifact["kind"] == "still"}
    shown["views"] = [_view_json(view, names.get(view["view"]), here) for view in record["views"]]
    return shown


def _view_json(view: Mapping[str, Any], name: str | None, here: str) -> dict[str, Any]:
    """A view with its picture's address: the output's, or until the outputs are stored that of its finished attempt."""
    shown = {member: value for member, value in view.items() if member not in ("picture", "preview")}
    shown["url"] = None
    shown["preview_url"] = f"{here}/previews/{view['view']}" if view.get("preview") else None
    if name is not None:
        shown["url"] = f"{here}/outputs/{name}"
    elif view.get("picture"):
        shown["url"] = f"{here}/views/{view['view']}"
    return shown


def base_of(request: Request) -> str:
    """Where the API answers, as the caller reached it: scheme, host, and ``/v1`` or the origin's path."""
    path = request.url.path
    prefix = ORIGIN if path.startswith(ORIGIN) else "/v1"
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '').rstrip('/')}{prefix}"


def ended(record: Mapping[str, Any]) -> bool:
    """Whether nothing more will happen to the job by itself."""
    return Status(record["status"]).ended


def etag_of(body: bytes) -> str:
    """A weak validator of what is shown: it changes whenever a byte of the meaning does."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
