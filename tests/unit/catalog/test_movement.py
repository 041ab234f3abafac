"""The movement of a run: counted row by row, at the rate of late, and never backwards."""

import pytest

from farm.render.catalog.movement import MOST_MARKS, WINDOW_S, Movement, Pedometer
from farm.render.catalog.pieces import Pieces


def walked(pedometer: Pedometer, steps: list[tuple[float, float]]) -> Movement:
    return [pedometer.at(at_s, made) for at_s, made in steps][-1]


def test_nothing_is_told_of_the_rate_before_rows_came() -> None:
    pedometer = Pedometer(100)
    assert walked(pedometer, [(0, 0), (30, 0)]) == Movement(rows_made=0)
    assert pedometer.at(31, 1) == Movement(rows_made=1), "the workers' start is not counted"
    assert pedometer.at(35, 9) == Movement(rows_made=9, rows_per_s=2.0, seconds_left=45.5)


def test_the_rate_is_that_of_late_and_falls_while_nothing_comes() -> None:
    pedometer = Pedometer(10_000)
    quick = walked(pedometer, [(float(t), t * 10.0) for t in range(1, 61)])
    assert quick.rows_per_s == pytest.approx(10.0, rel=0.01)
    slow = walked(pedometer, [(60.0 + t, 600.0 + t) for t in range(1, int(WINDOW_S) + 1)])
    assert slow.rows_per_s == pytest.approx(1.0, rel=0.1), "what was before the window is forgotten"
    later = pedometer.at(120.0, slow.rows_made)
    assert later.rows_per_s is not None
    assert slow.rows_per_s is not None
    assert later.rows_per_s < slow.rows_per_s


def test_slow_rows_have_a_rate_too() -> None:
    told = walked(Pedometer(50), [(60.0 * n, float(n)) for n in range(21)])
    assert told.rows_per_s == pytest.approx(1 / 60, rel=0.01)
    assert told.seconds_left == pytest.approx(30 * 60, rel=0.01)


def test_a_piece_that_is_begun_again_takes_no_rows_back() -> None:
    pedometer = Pedometer(100)
    assert walked(pedometer, [(0, 4.7), (1, 2.0)]).rows_made == 4
    assert pedometer.at(2, 250.0).rows_made == 100


def test_marks_stay_few() -> None:
    pedometer = Pedometer(1_000_000)
    told = walked(pedometer, [(n / 1000, float(n)) for n in range(1, 20_000)])
    assert len(pedometer._marks) <= MOST_MARKS
    assert told.rows_per_s == pytest.approx(1000, rel=0.02)


def test_pieces_under_way_count_by_what_their_workers_say() -> None:
    pieces = Pieces()
    pieces.begin("b", 3)
    with pieces.out("b", "rows-0003", 10):
        assert pieces.made(["b"], [{"rows-0003": 0.25, "rows-0000": 1.0}]) == 5.5
        pieces.settle("b", 10)
    assert pieces.made(["b", "other"], [{}, {}]) == 13
    pieces.forget("b")
    assert pieces.made(["b"], [{}]) == 0
