"""The job record: what the world sees of a job, made from its saga's state alone.

Nothing else writes records, so a record can always be made again from its journal.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from farm.domain.artifact import Kind
from farm.domain.event import EventType, cloud_event, rfc3339
from farm.domain.fingerprint import MODEL
from farm.domain.request import Engine
from farm.domain.status import Phase, Status
from farm.render.making import engine_of
from farm.render.progress import LEFT_OUT_STATUS, job_progress
from farm.render.trail import FILM, LEFT_OUT, Trail
from farm.render.usage import Usage
from farm.saga.journal import ENDINGS, Entry, EntryKind, Projection
from farm.saga.projector import Projector
from farm.saga.state import SagaPhase, SagaState

Record = dict[str, Any]
LOOKED_AT = ENDINGS | {EntryKind.CREATED}
"""When one of these comes to be, the sweep enters the job among what it has to look at."""
UrlOf = Callable[[str], str]

_ENDED = {
    SagaPhase.COMPLETED: Status.COMPLETED,
    SagaPhase.FAILED: Status.FAILED,
    SagaPhase.CANCELLED: Status.CANCELLED,
}


def projector(url_of: UrlOf) -> Projector:
    """The projector of render sagas.

    Args:
        url_of: the public address of an object's key.
    """

    def project(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
        record = record_of(saga_id, state, url_of)
        index = {"status": record["status"], "tenant": record["tenant"]}
        if record["product_id"] is not None:
            index["product_id"] = record["product_id"]
        if record["run"] is not None and state.live:
            index["kind"] = "catalog"
        if record["compensation_pending"]:
            index["compensation"] = "pending"
        return Projection(
            record=record,
            index=index,
            created_at_s=state.created_at_s,
            live=state.live,
            priority=record["priority"],
            tenant=record["tenant"],
            due_at_s=next((entry.at_s for entry in new if entry.kind in LOOKED_AT), None),
            events=[event for entry in new for event in events_of(entry, record)],
        )

    return project


def record_of(job_id: str, state: SagaState, url_of: UrlOf) -> Record:
    """The record of a job whose saga stands at ``state``."""
    data = state.input
    request = data["request"]
    trail = Trail.of(state)
    status = _ENDED.get(state.phase) or trail.status
    undone = state.phase in (SagaPhase.FAILED, SagaPhase.CANCELLED) and not state.compensation_pending
    artifacts = [] if undone else list(trail.output("store_outputs").get("artifacts", []))
    media = {} if undone else trail.output("associate_media")
    usage = Usage.of(trail.notes("render_design"))
    record: Record = {
        "id": job_id,
        "tenant": data["tenant"],
        "status": str(status),
        "phase": str(_phase(state)),
        "step": trail.current,
        "progress": 0.0,
        "product_id": request["product_id"],
        "priority": request["priority"],
        "request": request,
        "template": data["template"],
        "designs": _designs(data, trail),
        "design_urls": [design["url"] for design in data["designs"] if "url" in design],
        "engine": data.get("engine") or {"asked": request["engine"], "chosen": str(Engine.CYCLES)},
        "views": _views(request, trail, artifacts, url_of, state),
        "film": _film(data, trail),
        "model": _model(request, trail, artifacts, url_of),
        "outputs": {item["name"]: url_of(item["key"]) for item in artifacts},
        "artifacts": artifacts,
        "warnings": [*data["warnings"], *trail.warnings()],
        "steps": trail.timeline(),
        "error": _error(state.error) if status is not Status.COMPLETED else None,
        "last_error": trail.last_error,
        "created_at": rfc3339(state.created_at_s),
        "started_at": trail.started_at,
        "finished_at": rfc3339(state.ended_at_s) if state.ended_at_s is not None else None,
        "updated_at": rfc3339(state.updated_at_s),
        "rendering_since_s": trail.rendering_since_s,
        "retried_from": data.get("retried_from"),
        "retry_count": data.get("retry_count", 0),
        "run": data.get("run"),
        "media_ids": list(media.get("media_ids", [])),
        "superseded": list(media.get("superseded", [])),
        "cancel_requested": state.reason == "cancelled",
        "compensation_pending": state.compensation_pending,
        "steps_left": list(state.steps_left),
        "failpoints": data.get("failpoints", ""),
        "usage": usage.to_dict(),
        "cost": usage.cost(data.get("prices", {})),
        "currency": data.get("currency"),
    }
    record["progress"] = job_progress(record)
    return _undone(record) if undone else record


def _undone(record: Record) -> Record:
    """Of a job that left nothing behind no view is done, and none waits."""

    def told(view: Mapping[str, Any]) -> dict[str, Any]:
        status = "undone" if view["status"] == "done" else "failed" if view["error"] else "cancelled"
        return {**view, "status": status, "progress": 0.0}

    model = record["model"]
    return {**record, "views": [told(view) for view in record["views"]], "model": told(model) if model else None}


def _designs(data: Mapping[str, Any], trail: Trail) -> list[str]:
    """SHA-256 of each design; of those that are fetched, once they all are."""
    given = data["designs"]
    if any("url" in design for design in given):
        given = trail.output("upload_design").get("designs", [])
    return [design["sha256"] for design in given]


def _error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The job's error: of a step that was tried in vain, code and hint are those of what went wrong the last time."""
    if error is None:
        return None
    cause = error.get("cause", {})
    told = {name: cause.get(name, error.get(name)) for name in ("code", "retryable", "hint")}
    return {**told, "message": error.get("message", ""), "step": error.get("step")}


def _phase(state: SagaState) -> Phase:
    if state.phase is SagaPhase.COMPENSATING:
        return Phase.COMPENSATING
    return Phase.ENDED if state.phase.ended else Phase.FORWARD


def _views(
    request: Mapping[str, Any],
    trail: Trail,
    artifacts: Sequence[Mapping[str, Any]],
    url_of: UrlOf,
    state: SagaState,
) -> list[dict[str, Any]]:
    urls = {item["view"]: url_of(item["key"]) for item in artifacts if item["kind"] == "still"}
    wanted = request["views"] if request["mode"] != "animation-only" else []
    views = {
        view: {"view": view, "status": "waiting", "progress": 0.0, "attempts": 0, "url": urls.get(view)}
        | {"seconds": None, "report": None, "error": None, "engine": None, "cached": False}
        | {"picture": None, "preview": None}
        for view in wanted
    }
    for note in trail.notes("render_design"):
        view = views.get(note.get("view", ""))
        if view is None:
            continue
        match note["event"]:
            case "view_attempt":
                view.update(status="rendering", attempts=note["attempt"])
            case "view_failed":
                view.update(status="waiting", error=note["error"])
            case "preview_done" if view["status"] != "done" and state.phase is SagaPhase.FORWARD:
                view.update(preview=note["key"])
            case "view_done":
                view.update(
                    status="done",
                    error=None,
                    preview=None,
                    engine=engine_of(note["report"]),
                    cached=bool(note["report"].get("cached")),
                    progress=1.0,
                    seconds=note["report"].get("total_s"),
                    report=note["report"],
                    # Where it lies until the outputs are stored: a page shows it while the others render.
                    picture=note.get("artifact", {}).get("key") if state.phase is SagaPhase.FORWARD else None,
                )
    return list(views.values())


def _film(data: Mapping[str, Any], trail: Trail) -> dict[str, Any] | None:
    if data["request"]["mode"] == "images-only":
        return None
    done = {note["frame"]: note for note in trail.notes("render_design") if note["event"] == "frame_done"}
    relit = sum(note.get("engine") == Engine.RELIGHT for note in done.values())
    cached = sum(bool(note.get("cached")) for note in done.values())
    film: dict[str, Any] = {"frames_done": len(done), "frames": data["film_frames"], "relit": relit, "cached": cached}
    return film | _left_out(trail, FILM)


def _model(
    request: Mapping[str, Any], trail: Trail, artifacts: Sequence[Mapping[str, Any]], url_of: UrlOf
) -> dict[str, Any] | None:
    if not request.get("model", False):
        return None
    url = next((url_of(item["key"]) for item in artifacts if item["kind"] == Kind.MODEL), None)
    model: dict[str, Any] = {"status": "waiting", "progress": 0.0, "attempts": 0, "url": url}
    model |= {"seconds": None, "report": None, "error": None}
    for note in trail.notes("render_design"):
        match note["event"]:
            case "model_attempt":
                model.update(status="rendering", attempts=note["attempt"])
            case "model_failed":
                model.update(status="waiting", error=note["error"])
            case "model_done":
                report = note["report"]
                model.update(status="done", error=None, progress=1.0, seconds=report.get("total_s"), report=report)
    return model | _left_out(trail, MODEL)


def _left_out(trail: Trail, extra: str) -> dict[str, Any]:
    """What is said of an extra that the job does without; nothing of another."""
    notes = [note for note in trail.notes("render_design") if note["event"] == LEFT_OUT and note["extra"] == extra]
    return {"status": LEFT_OUT_STATUS, "error": notes[-1]["error"]} if notes else {}


# --- events -----------------------------------------------------------------------------------------------------------

_STEP_EVENTS = {"compose_design": EventType.COMPOSITING, "render_design": EventType.RENDERING}
_TELLING_STEPS = frozenset({"compose_design", "render_design", "store_outputs", "associate_media"})
"""Steps whose end is worth an event of its own."""
_END_EVENTS = {
    EntryKind.COMPLETED: EventType.COMPLETED,
    EntryKind.FAILED: EventType.FAILED,
    EntryKind.CANCELLED: EventType.CANCELLED,
}


def events_of(entry: Entry, record: Record) -> list[dict[str, Any]]:
    """What one entry is to the outside; ``record`` is the job's after the append that brought it."""

    def event(kind: EventType, **data: Any) -> list[dict[str, Any]]:
        common = {"status": record["status"], "progress": record["progress"], "product_id": record["product_id"]}
        return [cloud_event(kind, job_id=record["id"], at_s=entry.at_s, data={**common, **data})]

    step, note, first = reading(entry)
    if entry.kind is EntryKind.CREATED:
        return event(EventType.CREATED)
    if entry.kind in ENDINGS:
        pending = bool(entry.data.get("compensation_pending", False))
        return event(
            _END_EVENTS[entry.kind], error=record["error"], outputs=record["outputs"], compensation_pending=pending
        )
    if entry.kind is EntryKind.COMPENSATING:
        return event(EventType.COMPENSATING, error=record["error"], reason=entry.data.get("reason"))
    if step in _STEP_EVENTS and first:
        return event(_STEP_EVENTS[step])
    if note.get("event") == "view_done":
        report = note["report"]
        told = {"engine": engine_of(report), "cached": bool(report.get("cached"))}
        return event(EventType.VIEW_COMPLETED, view=note["view"], seconds=report.get("total_s"), **told)
    if note.get("event") == "preview_done":
        view = note["view"]
        return event(EventType.PREVIEW_READY, view=view, preview_url=f"/v1/jobs/{record['id']}/previews/{view}")
    finished = entry.kind is EntryKind.STEP_FINISHED or "finished" in note
    if note.get("event") in ("frame_done", "model_done", LEFT_OUT) or (finished and step in _TELLING_STEPS):
        return event(EventType.PROGRESS, step=step)
    return []


def reading(entry: Entry) -> tuple[str | None, Mapping[str, Any], bool]:
    """Step, note, and whether the entry is that step's first start; the same from both sagas."""
    if entry.kind is not EntryKind.NOTED:
        return entry.step, {}, entry.kind is EntryKind.STEP_STARTED and entry.attempt == 1
    note = entry.data["note"]
    if entry.data.get("sub"):
        return entry.data["sub"], note, False
    return note.get("started") or note.get("finished") or entry.step, note, "started" in note


def in_batch(record: Mapping[str, Any]) -> bool:
    """Whether the job was done as a row of a run's batch: it has no journal and no design of its own."""
    return "slice" in (record.get("run") or {})


def seconds_of(rfc3339: str) -> float:
    """A record's time in seconds since 1970."""
    return datetime.fromisoformat(rfc3339).timestamp()
