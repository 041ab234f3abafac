"""How the farm does: rates, and how long jobs wait and take, from the newest records. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from farm.domain.status import Status
from farm.render.record import seconds_of

WINDOW_S = 3600.0
SHARES = (50, 90, 99)


def statistics_of(records: Iterable[Mapping[str, Any]], now_s: float, *, window_s: float = WINDOW_S) -> dict[str, Any]:
    """Of the jobs that were accepted within the window: how many per hour, and percentiles of their times in seconds.

    Waiting is from acceptance to the first step, working from there to the end, a view as its attempt took.
    """
    waits: list[float] = []
    works: list[float] = []
    views: list[float] = []
    ended = dict.fromkeys((str(status) for status in Status if status.ended), 0)
    accepted, oldest_s = 0, now_s
    for record in records:
        created_s = seconds_of(record["created_at"])
        if now_s - created_s > window_s:
            continue
        accepted += 1
        oldest_s = min(oldest_s, created_s)
        if record["started_at"] is not None:
            waits.append(max(0.0, seconds_of(record["started_at"]) - created_s))
        if record["finished_at"] is None:
            continue
        ended[record["status"]] += 1
        if record["status"] == Status.COMPLETED and record["started_at"] is not None:
            works.append(seconds_of(record["finished_at"]) - seconds_of(record["started_at"]))
        views += [float(view["seconds"]) for view in record["views"] if view["seconds"] is not None]
    # Of a farm that has just begun, or a sample that ends within the window, the rate is of the time that it covers.
    hours = max(now_s - oldest_s, 60.0) / 3600.0
    return {
        "window_s": window_s,
        "sample": accepted,
        "per_hour": {"accepted": round(accepted / hours, 2)}
        | {status: round(count / hours, 2) for status, count in ended.items()},
        "seconds": {"waiting": percentiles(waits), "working": percentiles(works), "view": percentiles(views)},
    }


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The nearest-rank percentiles; ``None`` of nothing."""
    ordered = sorted(values)
    return {
        f"p{share}": round(ordered[max(0, -(-share * len(ordered) // 100) - 1)], 3) if ordered else None
        for share in SHARES
    }
