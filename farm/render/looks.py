"""When the sweep has to look at a job again: by what the job is now, what is kept of it, and for how long."""

from collections.abc import Mapping
from typing import Any

from farm.domain.status import Status
from farm.render.record import seconds_of
from farm.render.retention import DAY_S, EXPIRED, keeps_unshown_pictures
from farm.settings import Settings

LATE_S = DAY_S
"""How long after a job's end a suspended coordinator may still have spoken in its name."""
STRAYS_S = (3600.0, LATE_S + 3600.0)
"""How long after its end an ended job is looked at for what came too late; the first look is at the end itself."""
AGAIN_S = 3600.0
"""Between calls to a job that is past its deadline and still lives."""


def next_look(record: Mapping[str, Any], settings: Settings, now_s: float) -> float | None:
    """From when a job is due again, later than ``now_s``; ``None`` when nothing will have to be done about it.

    Whatever changes a job enters it anew: its end, a newer job that takes its place, a deletion, a resumed
    compensation. So only what comes by time alone is foreseen here.
    """
    if not Status(record["status"]).ended:
        deadline_s = seconds_of(record["created_at"]) + settings.job_deadline_s
        return deadline_s if deadline_s > now_s else now_s + AGAIN_S
    if record["compensation_pending"]:
        return None
    ended_s = seconds_of(record["finished_at"])
    # A little later than the moment itself: what is kept for a day is kept the whole day.
    moments = (ended_s + wait_s + 1.0 for wait_s in (*STRAYS_S, *_retained_s(record, settings)))
    return min((moment for moment in moments if moment > now_s), default=None)


def _retained_s(record: Mapping[str, Any], settings: Settings) -> list[float]:
    """After which times something that is kept of an ended job goes."""
    output_s, record_s = settings.output_days * DAY_S, settings.record_days * DAY_S
    forgotten = [record_s] if record_s > 0 else []
    match Status(record["status"]):
        case Status.COMPLETED if record.get(EXPIRED) is not None:
            return forgotten
        case Status.COMPLETED:
            if output_s <= 0 or not keeps_unshown_pictures(record):
                return []
            return [output_s, *(max(wait_s, output_s) for wait_s in forgotten)]
        case Status.FAILED:
            retry_s = settings.retry_days * DAY_S
            return [retry_s, *(max(wait_s, retry_s) for wait_s in forgotten)]
        case _:
            return forgotten
