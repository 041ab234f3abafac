"""What `farm catalog run` and `watch` say where nothing can be redrawn: each thing once."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from farm.cli import run_screen
from farm.cli.run_screen import SAY_EVERY_S, RunScreen


def record(made: int, **more: Any) -> dict[str, Any]:
    counts = {"failed": 0, "cached": 0} | more.pop("counts", {})
    plain = {"name": "spring", "status": "running", "rows": 720, "rows_made": made, "counts": counts}
    return {**plain, "rows_per_s": None, "seconds_left": None, **more}


@pytest.fixture
def paper() -> io.StringIO:
    return io.StringIO()


class Clock:
    """One second passes with each look at a run."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(run_screen, "time", clock)
    return clock


@pytest.fixture
def screen(paper: io.StringIO, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> RunScreen:
    class Looking(RunScreen):
        def run(self, record: Mapping[str, Any]) -> None:
            clock.now_s += 1.0
            super().run(record)

    return Looking(Console(file=paper, width=60), quiet=False)


def test_a_pipe_is_told_what_changed_with_rate_and_time_left_and_nothing_twice(
    screen: RunScreen, paper: io.StringIO
) -> None:
    screen.run(record(0))
    for _ in range(60):
        screen.run(record(0))
    for made in range(1, 17):
        screen.run(record(made, rows_per_s=5.07, seconds_left=139.4))
    for _ in range(30):
        screen.run(record(16, counts={"failed": 1}, rows_per_s=0.4, seconds_left=1760.0))
    screen.run(record(720, status="completed"))
    lines = paper.getvalue().splitlines()
    assert lines[0] == "spring: 0 of 720 rows"
    assert lines[1] == "spring: 1 of 720 rows, 5.1 a second, 2 min 19 s left"
    assert lines[-1] == "spring: 16 of 720 rows, 1 failed, 24.0 a minute, 29 min 20 s left"
    assert len(lines) == len(set(lines))
    assert 3 <= len(lines) <= 2 + 15 / SAY_EVERY_S + 1, "no more than a line every few seconds"


def test_a_notice_is_said_once_until_another_comes(screen: RunScreen, paper: io.StringIO) -> None:
    for text in ("the farm died", "the farm died", "it is up", "the farm died"):
        screen.say(text)
    assert paper.getvalue().splitlines() == ["the farm died", "it is up", "the farm died"]
