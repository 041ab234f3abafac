"""The batch: the relit rows of one slice as one saga, so that a row costs a hundredth of a job's journal.

Its four steps are the seven of a job, done for all rows at once: accept (1, 2), relight (3, 4), attach (6), finish
(5, 7). What one row meets is that row's: it fails alone, and what it left goes before the batch ends. The pivot of the
rows is one atomic write of all their records, under the batch's lease; before it a cancel undoes all, after it nothing
does.
"""

from collections.abc import Sequence

from farm.domain.event import rfc3339
from farm.render.catalog.kit import Kit, Reader
from farm.render.catalog.steps import AcceptRows, AttachRows, FinishRows, RelightRows
from farm.render.catalog.steps.rows_step import ACCEPT, FINISH
from farm.saga.journal import Entry, Projection
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition


def batch_id(run_id: str, number: int) -> str:
    return f"{run_id}.{number:06d}"


def batch_definition(kit: Kit, reader: Reader) -> SagaDefinition:
    """The saga of a batch."""
    settings = kit.parts.settings
    undo = RetryPolicy(
        max_attempts=settings.compensation_attempts, base_s=settings.backoff_base_s, max_wait_s=settings.backoff_max_s
    )
    return SagaDefinition(
        name="batch",
        steps=(AcceptRows(kit, reader), RelightRows(kit, reader), AttachRows(kit, reader), FinishRows(kit, reader)),
        last=FINISH,
        deadline_s=settings.job_deadline_s,
        undo_retry=undo,
        undo_timeout_s=600.0,
    )


def batch_projection(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
    """A `Projector`: what the run has to know of a batch that has ended."""
    accepted = state.outputs.get(ACCEPT, {})
    statuses = {SagaPhase.COMPLETED: "completed", SagaPhase.FAILED: "failed", SagaPhase.CANCELLED: "cancelled"}
    record = {
        "id": saga_id,
        "status": statuses.get(state.phase, "running"),
        "run": state.input["run"],
        "slice": state.input["slice"],
        "tenant": state.input["tenant"],
        "rows": state.input["rows"],
        "unchanged": accepted.get("unchanged", {}),
        "failed": accepted.get("failed", {}),
        "error": state.error,
        "compensation_pending": state.compensation_pending,
        "updated_at": rfc3339(state.updated_at_s or state.created_at_s),
    }
    return Projection(
        record=record, index={"run": state.input["run"]}, created_at_s=state.created_at_s, live=state.live, events=()
    )
