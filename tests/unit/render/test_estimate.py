"""What pictures take: by what was learned here, by the kind most like it, or as on any small machine."""

from typing import Any

import pytest

from farm.render.estimate import CROWDED, PRINT, ROW_S, RUN_SHARE, RUN_START, START_S, Kind, Paces, core_seconds


def request(**more: Any) -> dict[str, Any]:
    return {"views": ["front_0deg", "back_180deg"], "size": 512, "format": "jpeg", "samples": 16, **more}


def test_a_kind_is_told_by_its_name() -> None:
    kinds = [
        Kind.of_view("relight", request(), shared=True),
        Kind.of_view("cycles", request(), shared=True),
        Kind(engine=PRINT, size_px=1024),
    ]
    assert [str(kind) for kind in kinds] == ["relight/512/jpeg/shared", "cycles/512/16/alone", "print/1024//alone"]
    assert [Kind.parse(str(kind)) for kind in kinds] == kinds
    assert [Kind.parse(text) for text in (RUN_SHARE, "", "relight/x/jpeg/alone", "oven/1//alone")] == [None] * 4


def test_before_anything_was_learned_it_has_sane_figures() -> None:
    small, large = core_seconds("relight", request(size=256)), core_seconds("relight", request(size=1024))
    assert 0.05 < small < large < 1.0
    assert core_seconds("cycles", request()) > 5
    assert core_seconds("relight", request(), 0) == 0
    together = core_seconds("relight", request(), shared=True, prints=1 / 17)
    assert together < core_seconds("relight", request())


def test_what_was_made_here_counts_and_what_was_not_goes_by_the_likest() -> None:
    plain, shared = Kind.of_view("relight", request()), Kind.of_view("relight", request(), shared=True)
    paces = Paces({str(plain): 0.4, str(shared): 0.1, "print/512//alone": 2.0, RUN_SHARE: 1.5, "what/else": 9.0})
    assert core_seconds("relight", request(), paces=paces) == pytest.approx(2 * 0.4 + 2.0)
    assert core_seconds("relight", request(), paces=paces, shared=True, prints=0.5) == pytest.approx(2 * 0.1 + 1.0)
    slow = plain.usual_s / 0.4
    larger = Kind.of_view("relight", request(size=1024, format="png"))
    assert paces.seconds(larger) == pytest.approx(larger.usual_s / slow), "as much slower here as what is known"
    assert paces.seconds(Kind.of_view("cycles", request())) == Kind.of_view("cycles", request()).usual_s
    traced = Paces({"cycles/512/16/alone": 30.0, "cycles/512/128/alone": 90.0})
    near = Kind.of_view("cycles", request(samples=24))
    assert traced.seconds(near) == pytest.approx(30.0 * near.usual_s / Kind.of_view("cycles", request()).usual_s)


def test_a_run_takes_its_start_and_its_work_on_the_cores() -> None:
    assert Paces().run_s(100.0, 4, 50) == pytest.approx(START_S + (100 + 50 * ROW_S) / 4 * CROWDED)
    assert Paces({RUN_SHARE: 2.0, RUN_START: 1.0}).run_s(100.0, 4, 0) == pytest.approx(51.0)
    assert Paces().run_s(0.0, 4, 0) == 0.0
