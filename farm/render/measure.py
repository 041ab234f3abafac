"""What a job's journal says in figures: metrics are told from the entries just written, and from nothing else.

So they cannot disagree with the journal; an append whose answer was lost and that is repeated is told once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.render.metrics import Meter
from farm.render.record import reading
from farm.saga.journal import ENDINGS, Entry, EntryKind
from farm.saga.state import SagaState

NONE = "none"
"""The label of an error that is none."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Tells a meter of appends; the observer of an engine that drives jobs."""

    meter: Meter

    def __call__(self, before: SagaState, entries: Sequence[Entry], after: SagaState, took_s: float) -> None:
        """Tell of one append.

        Args:
            before: the saga's state before ``entries``, after: behind them.
            took_s: how long the append took, waiting for the store included.
        """
        self.meter.observe("farm_append_seconds", took_s)
        for entry in entries:
            self._entry(entry, before, after)

    def _entry(self, entry: Entry, before: SagaState, after: SagaState) -> None:
        meter = self.meter
        step, note, _ = reading(entry)
        match entry.kind:
            case EntryKind.STEP_FAILED:
                meter.count("farm_step_failures_total", step=entry.step or "", code=_code(entry.data.get("error")))
            case EntryKind.STEP_FINISHED:
                if (started := after.steps.get(entry.step or "")) is not None:
                    meter.observe("farm_step_seconds", entry.at_s - started.started_at_s, step=entry.step or "")
            case EntryKind.COMPENSATING:
                meter.count("farm_compensations_total", reason=str(entry.data.get("reason") or "failed"))
            case EntryKind.COMPENSATION_FAILED:
                meter.count("farm_compensation_failures_total", step=entry.step or "")
            case EntryKind.NOTED if step == "render_design":
                self._view(note, entry, before, after)
            case kind if kind in ENDINGS:
                status = str(kind)
                code = _code(after.error) if kind is EntryKind.FAILED else NONE
                meter.count("farm_jobs_ended_total", status=status, code=code)
                meter.observe("farm_job_seconds", entry.at_s - after.created_at_s, status=status)

    def _view(self, note: Mapping[str, Any], entry: Entry, before: SagaState, after: SagaState) -> None:
        meter, asked = self.meter, str(after.input.get("request", {}).get("engine", ""))
        match note.get("event"):
            case "view_attempt":
                if int(note.get("attempt", 1)) > 1:
                    meter.count("farm_view_retries_total")
            case "view_failed" | "frame_failed" | "model_failed" as event:
                engine = "model" if event == "model_failed" else asked
                meter.count("farm_views_total", outcome=_code(note.get("error")), engine=engine)
            case "frame_done":
                if note.get("cached"):
                    meter.count("farm_cache_hits_total")
                else:
                    meter.count("farm_views_total", outcome="done", engine=str(note.get("engine") or asked))
            case "view_done" | "model_done" as event:
                report = note.get("report", {})
                engine = "model" if event == "model_done" else str(report.get("engine") or asked)
                if report.get("cached"):
                    meter.count("farm_cache_hits_total")
                    return
                meter.count("farm_views_total", outcome="done", engine=engine)
                if isinstance(seconds := report.get("attempt_s", report.get("total_s")), int | float):
                    meter.observe("farm_view_seconds", float(seconds), engine=engine)
                if report.get("peak_rss_bytes") and report.get("node"):
                    node = str(report["node"])[:12]
                    meter.gauge("farm_worker_memory_bytes", float(report["peak_rss_bytes"]), node=node)


def _code(error: Mapping[str, Any] | None) -> str:
    """The code of what went wrong; of a step that was tried in vain that of its cause."""
    if not error:
        return NONE
    cause = error.get("cause") or {}
    return str(cause.get("code") or error.get("code") or "unknown")
