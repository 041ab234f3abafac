from typing import Any

from farm.domain.event import rfc3339
from farm.render.statistics import percentiles, statistics_of


def record(created_s: float, waited_s: float | None, took_s: float | None, status: str = "completed") -> dict[str, Any]:
    started_s = None if waited_s is None else created_s + waited_s
    finished_s = None if took_s is None or started_s is None else started_s + took_s
    return {
        "created_at": rfc3339(created_s),
        "started_at": None if started_s is None else rfc3339(started_s),
        "finished_at": None if finished_s is None else rfc3339(finished_s),
        "status": status,
        "views": [{"seconds": 2.0}, {"seconds": None}],
    }


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentiles([float(number) for number in range(1, 101)]) == {"p50": 50.0, "p90": 90.0, "p99": 99.0}
    assert percentiles([7.0]) == {"p50": 7.0, "p90": 7.0, "p99": 7.0}
    assert percentiles([]) == {"p50": None, "p90": None, "p99": None}


def test_rates_are_of_the_time_that_the_sample_covers() -> None:
    now_s = 1_000_000.0
    jobs = [record(now_s - 1800, 1, 10), record(now_s - 900, 3, 20), record(now_s - 60, None, None, "pending")]
    found = statistics_of([*jobs, record(now_s - 7200, 1, 1), record(now_s - 90, 1, 5, "failed")], now_s)
    assert found["sample"] == 4
    assert found["per_hour"] == {"accepted": 8.0, "completed": 4.0, "failed": 2.0, "cancelled": 0.0}
    assert found["seconds"]["waiting"] == {"p50": 1.0, "p90": 3.0, "p99": 3.0}
    assert found["seconds"]["working"] == {"p50": 10.0, "p90": 20.0, "p99": 20.0}
    assert found["seconds"]["view"]["p50"] == 2.0


def test_nothing_happened_yet() -> None:
    found = statistics_of([], 1_000_000.0)
    assert (found["sample"], found["per_hour"]["accepted"], found["seconds"]["view"]["p99"]) == (0, 0.0, None)
