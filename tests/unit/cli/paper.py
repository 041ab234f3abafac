"""Job records of every kind, made as the farm makes them: by folding a journal, here one that was written by hand."""

from typing import Any

from farm.domain.ids import new_job_id
from farm.domain.request import parse_request
from farm.domain.template import Template
from farm.render.prepare import normalise
from farm.render.progress import with_shares
from farm.render.record import record_of
from farm.render.tasks.heartbeat import Shares
from farm.saga.fold import fold
from farm.saga.journal import Entry, EntryKind
from farm.settings import Settings

AT_S = 1_800_000_000.0
JOB = new_job_id(1_800_000_000_000)
BEFORE_RENDERING = ("create_job", "upload_design", "compose_design")


class Journal:
    """A journal that grows by what a test says happened; half a second passes with each entry."""

    def __init__(self, *, warnings: tuple[dict[str, str], ...] = (), **request: Any) -> None:
        template = Template.load(Settings.load({}).templates_folder / "crew-tee")
        parsed = parse_request(request)
        placements = template.placements(parsed.preset, parsed.placements, 1)
        self.entries: list[Entry] = []
        self._add(
            EntryKind.CREATED,
            tenant="default",
            request=normalise(parsed, placements),
            template={"id": template.id, "version": template.version, "hash": template.hash},
            designs=[{"key": "k", "sha256": "0" * 64, "size_bytes": 1, "width_px": 600, "height_px": 800}],
            warnings=list(warnings),
            film_frames=36,
            failpoints="",
        )

    def _add(self, kind: EntryKind, step: str | None = None, attempt: int = 0, **data: Any) -> "Journal":
        seq = len(self.entries) + 1
        self.entries.append(Entry(seq=seq, kind=kind, step=step, attempt=attempt, data=data, at_s=AT_S + seq / 2))
        return self

    def started(self, step: str, attempt: int = 1) -> "Journal":
        return self._add(EntryKind.STEP_STARTED, step, attempt)

    def finished(self, step: str, **output: Any) -> "Journal":
        return self._add(EntryKind.STEP_FINISHED, step, 1, **output)

    def rendering(self) -> "Journal":
        """Everything up to the first view."""
        for step in BEFORE_RENDERING:
            self.started(step).finished(step)
        return self.started("render_design")

    def noted(self, **note: Any) -> "Journal":
        return self._add(EntryKind.NOTED, "render_design", 1, note=note)

    def view_begins(self, view: str, attempt: int = 1) -> "Journal":
        return self.noted(event="view_attempt", view=view, attempt=attempt)

    def view_done(self, view: str, seconds: float = 2.1) -> "Journal":
        return self.noted(event="view_done", view=view, report={"total_s": seconds})

    def view_failed(self, view: str, code: str, message: str) -> "Journal":
        return self.noted(event="view_failed", view=view, error={"code": code, "message": message, "hint": ""})

    def completed(self, *views: str) -> "Journal":
        artifacts = [
            {
                "kind": "still",
                "name": f"{view}.png",
                "key": f"out/{view}.png",
                "sha256": "1" * 64,
                "size_bytes": 412_000,
            }
            | {"content_type": "image/png", "width_px": 1024, "height_px": 1024, "view": view}
            for view in views
        ]
        self.finished("render_design", artifacts=artifacts)
        self.started("store_outputs").finished("store_outputs", artifacts=artifacts)
        self.started("associate_media").finished("associate_media", media_ids=[f"m-{view}" for view in views])
        return self.started("complete_job").finished("complete_job")._add(EntryKind.COMPLETED)

    def stopped(self) -> "Journal":
        """The running step was cancelled, as the engine notes it."""
        return self._add(EntryKind.STEP_FAILED, "render_design", 1, error={"code": "cancelled"}, final=True)

    def undoing(self, reason: str, error: dict[str, str] | None = None) -> "Journal":
        self._add(EntryKind.COMPENSATING, reason=reason, error=error)
        return self._add(EntryKind.COMPENSATION_STARTED, "render_design", 1)

    def undone(self) -> "Journal":
        return self._add(EntryKind.COMPENSATION_FINISHED, "render_design", 1)

    def failed(self, error: dict[str, str], *, pending: bool = False) -> "Journal":
        left = ["render_design"] if pending else []
        return self._add(EntryKind.FAILED, error=error, compensation_pending=pending, steps_left=left)

    def cancelled(self) -> "Journal":
        return self._add(EntryKind.CANCELLED, error=None, compensation_pending=False, steps_left=[])

    def record(self, live: dict[str, float] | None = None, eta_s: float | None = None) -> dict[str, Any]:
        """The record as the service answers it; of views that no worker reports, waiting ones render at nothing."""
        record = record_of(JOB, fold(self.entries), lambda key: f"file:///objects/{key}")
        begun = {view["view"]: 0.0 for view in record["views"] if view["status"] == "rendering"}
        told = with_shares(record, Shares(now={**begun, **(live or {})}), AT_S)
        return {**told, "eta_s": eta_s, "superseded_by": None}
