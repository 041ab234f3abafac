"""A short soak; `python -m bench.soak --jobs 5000 --kills` is the long one."""

from pathlib import Path

import pytest

from bench.soak import measure

JOBS = 600
MOST_GROWTH_MB = 16.0
MOST_STORE_BYTES_PER_JOB = 16_000


@pytest.mark.slow
async def test_many_jobs_with_coordinators_killed_all_the_while(tmp_path: Path) -> None:
    figures = await measure(tmp_path, JOBS, kills=True)
    print(figures)
    assert figures["completed"] + figures["failed"] + figures["cancelled"] == JOBS
    assert min(figures["completed"], figures["failed"], figures["cancelled"]) > 0
    assert figures["kills"] >= 10
    assert figures["last_rss_mb"] - figures["warm_rss_mb"] < MOST_GROWTH_MB
    assert figures["longest_journal_of_an_ended_job"] == 1
    assert figures["store_bytes_per_ended_job"] < MOST_STORE_BYTES_PER_JOB
