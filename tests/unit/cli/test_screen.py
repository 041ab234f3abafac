import io

import pytest
from rich.console import Console

from farm.cli.screen import JobPicture, job_panel
from tests.unit.cli.paper import JOB, Journal

VIEWS = ("front_0deg", "left_90deg", "right_270deg", "back_180deg", "front_45deg_left", "front_45deg_right")


def shown(picture: JobPicture, width: int = 80) -> list[str]:
    """The screen as lines of text, as a terminal of that width has it."""
    written = io.StringIO()
    console = Console(file=written, width=width, height=24, force_terminal=True, color_system=None)
    console.print(job_panel(picture, width=width))
    return [line.rstrip() for line in written.getvalue().splitlines()]


def rendering() -> Journal:
    journal = Journal().rendering().view_begins("front_0deg").view_done("front_0deg", 2.14)
    return journal.view_begins("left_90deg").view_begins("right_270deg", 2)


def test_the_start_shows_each_phase_with_its_time_and_the_one_that_runs() -> None:
    picture = JobPicture("logo.png on crew-tee", phases_s={"design": 0.21, "store": 0.3}, phase="ray", elapsed_s=3.6)
    picture.phase_since_s = 1.5
    lines = shown(picture)
    assert lines[0] == "logo.png on crew-tee"
    assert [line.split() for line in lines[2:]] == [
        ["✓", "design", "read", "0.2", "s"],
        ["✓", "store", "0.3", "s"],
        ["…", "Ray", "2.1", "s"],
    ]


def test_pictures_that_are_there_early_are_told_before_the_job_and_beside_its_views() -> None:
    early = {"front_0deg": "relit here, shirt/front_0deg.png", "left_90deg": "relit here, " + 90 * "shirt/"}
    lines = shown(JobPicture("logo.png on crew-tee", phase="ray", arrived=early))
    assert [line.split()[:2] for line in lines if "relit here" in line] == [["✓", "front_0deg"], ["✓", "left_90deg"]]
    assert max(map(len, lines)) <= 80
    lines = shown(JobPicture("t", record=rendering().record({"left_90deg": 0.42}), arrived=early))
    row = {line.split()[0]: line for line in lines if line.strip().startswith(VIEWS)}
    assert ["in the folder" in row[view] for view in VIEWS[:3]] == [False, True, False], "what is done is there anyway"


def test_a_running_job_shows_one_bar_per_view_with_its_share_and_the_time_left() -> None:
    record = rendering().record({"left_90deg": 0.42, "right_270deg": 0.05}, eta_s=11.6)
    lines = shown(JobPicture("t", record=record, first_picture_s=9.8))
    text = "\n".join(lines)
    assert f"{JOB}  rendering 31 %, about 12 s left" in text
    for view in VIEWS:
        assert sum(line.strip().startswith(view + " ") for line in lines) == 1, view
    row = {line.split()[0]: line for line in lines if line.strip().startswith(VIEWS)}
    assert "done  2.1 s" in row["front_0deg"]
    assert "42 %" in row["left_90deg"]
    assert "attempt 2" in row["right_270deg"]
    assert "waiting" in row["back_180deg"]
    assert "first picture after 9.8 s" in text


def test_a_bar_is_as_long_as_its_share() -> None:
    def filled(share: float) -> int:
        record = Journal(views=["front_0deg"]).rendering().view_begins("front_0deg").record({"front_0deg": share})
        written = io.StringIO()
        console = Console(file=written, width=80, force_terminal=True, color_system="truecolor")
        console.print(job_panel(JobPicture("t", record=record), width=80))
        row = next(line for line in written.getvalue().splitlines() if "front_0deg" in line)
        return row.partition("\x1b[90m")[0].count("━")

    assert filled(0.25) < filled(0.5) < filled(0.9)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_longer_than_the_terminal_and_none_is_folded(width: int) -> None:
    journal = rendering().view_failed("right_270deg", "blender_crashed", "Blender died while rendering: " + "x" * 300)
    record = journal.record({"left_90deg": 0.4}, eta_s=4000.0)
    lines = shown(JobPicture("a" * 300, record=record, first_picture_s=70.0, notice="press Ctrl-C again"), width)
    assert max(map(len, lines)) <= width
    assert len(lines) <= 24
    assert sum("front_45deg_right" in line for line in lines) == 1


def test_undoing_is_said_in_the_place_of_the_status() -> None:
    record = rendering().stopped().undoing("cancelled").record()
    assert any(f"{JOB}  undoing" in line and "rendering" in line for line in shown(JobPicture("t", record=record)))


def test_a_film_has_a_bar_of_its_own() -> None:
    journal = Journal(mode="animation-only").rendering()
    for frame in range(9):
        journal.noted(event="frame_done", frame=frame)
    lines = shown(JobPicture("t", record=journal.record()))
    assert any("animation" in line and "9 of 36 frames" in line for line in lines)
    assert not any("front_0deg" in line for line in lines)


def test_what_failed_and_is_tried_again_is_named() -> None:
    journal = rendering().view_failed("right_270deg", "view_stalled", "View right_270deg made no progress for 60 s.")
    assert any(
        "view_stalled  View right_270deg made" in line for line in shown(JobPicture("t", record=journal.record()))
    )
