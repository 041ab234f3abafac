"""What a job tells the world: CloudEvents 1.0, numbered without gaps per job."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any


class EventType(StrEnum):
    CREATED = "render.job.created"
    COMPOSITING = "render.job.compositing"
    RENDERING = "render.job.rendering"
    PROGRESS = "render.job.progress"
    PREVIEW_READY = "render.job.preview_ready"
    VIEW_COMPLETED = "render.job.view_completed"
    COMPENSATING = "render.job.compensating"
    COMPLETED = "render.job.completed"
    FAILED = "render.job.failed"
    CANCELLED = "render.job.cancelled"


TERMINAL = frozenset({EventType.COMPLETED, EventType.FAILED, EventType.CANCELLED})


@lru_cache(maxsize=8192)  # A record is made at every append, mostly of moments that stood in the one before.
def rfc3339(at_s: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cloud_event(kind: EventType, *, job_id: str, at_s: float, data: Mapping[str, Any]) -> dict[str, Any]:
    """A CloudEvent but for its ``id``: the journal numbers it when it is appended."""
    return {
        "specversion": "1.0",
        "type": str(kind),
        "source": "/farm",
        "subject": job_id,
        "time": rfc3339(at_s),
        "datacontenttype": "application/json",
        "data": dict(data),
    }
