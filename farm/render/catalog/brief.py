"""The brief record: all that is kept in Redis of a job that was done in a batch, and the full record made of it.

A catalogue has a million rows, so what can be derived is not kept: defaults of the request, keys and addresses of the
outputs, placements of a preset (they stand in the batch's manifest). Pure.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from farm.domain.event import rfc3339
from farm.domain.request import Engine, RenderRequest, parse_request
from farm.domain.status import Status
from farm.render.catalog.outputs import artifacts_of
from farm.render.estimate import HOUR_S

BRIEF = "brief"
"""The member by which a brief record is known; its value is the version of the form."""
VERSION = 1
_ERROR = ("code", "message", "retryable", "hint", "step")


def brief(
    job_id: str,
    *,
    tenant: str,
    status: Status,
    run_id: str,
    place: tuple[int, int, int],
    request: Mapping[str, Any],
    template: Mapping[str, str],
    created_at_s: float,
    finished_at_s: float | None = None,
    done: Mapping[str, Any] | None = None,
    media: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    steps_left: Sequence[str] = (),
    price_cpu_hour: float = 0.0,
) -> dict[str, Any]:
    """The record to keep.

    Args:
        place: the slice of the run, the row's number in the manifest, its variant.
        request: the given fields only.
        done: what the worker answered for the row, see `farm.render.catalog.ports.RowWorkers`.
        price_cpu_hour: the operator's price of a core when the row was done.
    """
    record: dict[str, Any] = {
        BRIEF: VERSION,
        "id": job_id,
        "t": tenant,
        "s": str(status),
        "r": [run_id, *place],
        "q": {name: value for name, value in request.items() if name != "engine"},
        "e": request.get("engine", "relight"),
        "g": [template["id"], template["version"], _short(template["hash"])],
        "c": [round(created_at_s, 3)] + ([round(finished_at_s, 3)] if finished_at_s is not None else []),
    }
    if done is not None:
        record["d"] = [_short(done["sha256"])]
        record["k"] = done["token"]
        record["w"] = round(float(done["seconds"]), 4)
        record["p"] = price_cpu_hour
        record["x"] = [done["renderer"], done["device"]]
        record["v"] = [
            [
                view["view"],
                _short(view["sha256"]),
                view["size_bytes"],
                view["width_px"],
                view["height_px"],
                _short(view["fingerprint"]),
                int(bool(view["cached"])),
            ]
            for view in done["views"]
        ]
        if done.get("warnings"):
            record["n"] = [
                [warning["code"], warning["message"], warning.get("pointer")] for warning in done["warnings"]
            ]
    if media:
        record["m"] = [list(media.get("media_ids", ())), list(media.get("superseded", ()))]
    if error is not None:
        record["err"] = [error.get(name) for name in _ERROR]
    if steps_left:
        record["left"] = list(steps_left)
    return record


def full(record: Mapping[str, Any], url_of: Callable[[str], str]) -> dict[str, Any]:
    """The job's record as of any other job; a record that is not brief is returned as it is."""
    if record.get(BRIEF) is None:
        return dict(record)
    job_id, tenant, status = record["id"], record["t"], Status(record["s"])
    request = _request(record)
    run_id, slice_number, row, variant = record["r"]
    artifacts = _artifacts(record, request)
    views = _views(record, request, artifacts, status, url_of)
    times = record["c"]
    finished = rfc3339(times[1]) if len(times) > 1 else None
    pending = bool(record.get("left"))
    error = dict(zip(_ERROR, record["err"], strict=True)) if record.get("err") else None
    media = record.get("m", [[], []])
    return {
        "id": job_id,
        "tenant": tenant,
        "status": str(status),
        "phase": "ended" if status.ended else "forward",
        "step": None if status.ended else "render_design",
        "progress": 100.0 if status is Status.COMPLETED else 0.0,
        "product_id": request["product_id"],
        "priority": request["priority"],
        "request": request,
        "template": {"id": record["g"][0], "version": record["g"][1], "hash": _long(record["g"][2])},
        "engine": {"asked": record["e"], "chosen": str(Engine.RELIGHT), "stills": str(Engine.RELIGHT)},
        "designs": [_long(one) for one in record.get("d", [])],
        "views": views,
        "film": None,
        "outputs": {item["name"]: url_of(item["key"]) for item in artifacts},
        "artifacts": artifacts,
        "warnings": [
            {"code": w[0], "message": w[1], **({"pointer": w[2]} if w[2] else {})} for w in record.get("n", [])
        ],
        "steps": [],
        "error": error,
        "last_error": error,
        "created_at": rfc3339(times[0]),
        "started_at": rfc3339(times[0]),
        "finished_at": finished,
        "updated_at": finished or rfc3339(times[0]),
        "rendering_since_s": times[0],
        "retried_from": None,
        "retry_count": 0,
        "media_ids": media[0],
        "superseded": media[1],
        "cancel_requested": status is Status.CANCELLED,
        "compensation_pending": pending,
        "steps_left": record.get("left", []),
        "failpoints": "",
        "run": {"id": run_id, "slice": slice_number, "row": row, "variant": variant},
        "work_s": record.get("w", 0.0),
        "usage": {"cpu_s": record.get("w", 0.0), "gpu_s": 0.0},
        "cost": round(record.get("w", 0.0) / HOUR_S * record.get("p", 0.0), 8),
    }


def _request(record: Mapping[str, Any]) -> dict[str, Any]:
    given = {**record["q"], "engine": record["e"]}
    try:
        request = parse_request(given)
    except Exception:  # a record of another version of the farm is shown as it is
        return {**dict.fromkeys(RenderRequest.model_fields), **given}
    return {
        **request.model_dump(mode="json"),
        "preset": None if request.placements else request.preset,
        "model": request.effective_model,
        "samples": request.effective_samples,
        "background_color": request.effective_background,
    }


def _artifacts(record: Mapping[str, Any], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    views = [
        {
            "view": view, "sha256": _long(sha256), "size_bytes": size_bytes, "width_px": width_px,
            "height_px": height_px, "fingerprint": _long(fingerprint),
        }
        for view, sha256, size_bytes, width_px, height_px, fingerprint, _ in record.get("v", ())
    ]  # fmt: skip
    made = artifacts_of(record["t"], record["id"], record.get("k", ""), request["format"], views)
    return [artifact.to_dict() for artifact in made]


def _views(
    record: Mapping[str, Any],
    request: Mapping[str, Any],
    artifacts: Sequence[Mapping[str, Any]],
    status: Status,
    url_of: Callable[[str], str],
) -> list[dict[str, Any]]:
    by_view = {item["view"]: item for item in artifacts}
    cached = {view[0]: bool(view[6]) for view in record.get("v", ())}
    renderer, device = record.get("x", ["", ""])
    share_s = record.get("w", 0.0) / max(1, len(artifacts))
    shown = []
    for view in request["views"] or ():
        found = by_view.get(view)
        shown.append(
            {
                "view": view,
                "status": "done" if found else "waiting" if not status.ended else str(status),
                "progress": 1.0 if found else 0.0,
                "attempts": 1 if found else 0,
                "url": url_of(found["key"]) if found else None,
                "seconds": round(share_s, 4) if found else None,
                "report": {"renderer": renderer, "device": device, "cached": cached[view]} if found else None,
                "engine": str(Engine.RELIGHT) if found else None,
                "cached": cached.get(view, False),
                "error": None,
            }
        )
    return shown


def _short(sha256: str) -> str:
    """A hash in 43 characters in place of 64."""
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=") if sha256 else ""


def _long(short: str) -> str:
    return base64.urlsafe_b64decode(short + "=" * (-len(short) % 4)).hex() if short else ""
