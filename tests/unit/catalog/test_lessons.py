"""The lessons of a farm: of rows, of path-traced jobs, of whole runs."""

from typing import Any

import pytest

from farm.render.catalog.lessons import COLD, MOST_START_S, OF_A_RUN, Lesson, of_job, of_rows, of_run

REQUEST = {"size": 512, "format": "jpeg", "samples": 16, "mode": "images-only", "model": False}


def answer(i: int, **more: Any) -> dict[str, Any]:
    plain = {
        "i": i,
        "seconds": 0.8,
        "print_s": 0.2,
        "busy_s": 0.6,
        "made": 2,
        "alike": 1,
        "cold": False,
        "views": [{}, {}],
    }
    return {**plain, **more}


def test_rows_tell_of_pictures_and_of_their_prints() -> None:
    orders = [{"i": i, "request": REQUEST} for i in range(6)]
    answers = [
        answer(0),
        answer(1, busy_s=0.4, print_s=0.1, alike=2),
        answer(2, busy_s=0.4, print_s=0.1, alike=2),
        answer(3, made=1),  # one of its pictures was copied
        {"i": 4, "seconds": 0.1, "error": {}},
        answer(5, busy_s=80.0, cold=True),
    ]
    found = {one.name: one for one in of_rows(orders, answers)}
    alone, shared = found["relight/512/jpeg/alone"], found["relight/512/jpeg/shared"]
    assert [shared.mean_s, shared.weight] == pytest.approx([0.2, 4])
    assert alone.weight == pytest.approx(2 + 2 * COLD)
    assert alone.mean_s == pytest.approx((2 * 0.3 + 2 * COLD * 40) / (2 + 2 * COLD)), (
        "a process that warms up weighs little"
    )
    assert found["print/512//alone"].mean_s == pytest.approx(0.2)


def test_a_traced_job_tells_of_its_views_by_cores() -> None:
    views = [{"cached": False}, {"cached": True}, {"cached": False}]
    record = {
        "status": "completed", "request": REQUEST, "views": views, "usage": {"cpu_s": 30.0, "gpu_s": 0.0},
        "engine": {"chosen": "cycles"},
    }  # fmt: skip
    assert of_job(record) == [Lesson(name="cycles/512/16/alone", mean_s=15.0, weight=2.0)]
    for other in (
        {"status": "failed"},
        {"engine": {"chosen": "relight"}},
        {"usage": {"cpu_s": 1.0, "gpu_s": 3.0}},
        {"request": {**REQUEST, "model": True}},
    ):
        assert of_job({**record, **other}) == []


def test_a_run_tells_how_long_it_starts_and_how_crowded_it_is() -> None:
    start, share = of_run(start_s=4.0, moving_s=60.0, slots=2, work_s=98.0, rows=100)
    assert [start.mean_s, share.mean_s, share.weight] == pytest.approx([4.0, 1.2, OF_A_RUN])
    assert of_run(start_s=4.0, moving_s=6000.0, slots=2, work_s=98.0, rows=100)[1].mean_s == 4.0, (
        "it stood still for something"
    )
    assert [one.name for one in of_run(start_s=MOST_START_S + 1, moving_s=60.0, slots=2, work_s=98.0, rows=9)] == [
        "run"
    ]
    assert len(of_run(start_s=4.0, moving_s=1.0, slots=2, work_s=1.0, rows=1)) == 1, (
        "of so little the share tells nothing"
    )
