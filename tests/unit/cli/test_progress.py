import io
from dataclasses import replace

from rich.console import Console

from farm.cli.progress import PlainLines, since_start_s
from farm.home.state import HostState, Phase
from tests.unit.cli.paper import JOB, Journal


def lines_of(*records: Journal | HostState) -> list[str]:
    """What is written, without the times in front."""
    written = io.StringIO()
    with PlainLines("logo.png on crew-tee", Console(file=written, width=80)) as progress:
        for record in records:
            if isinstance(record, HostState):
                progress.host(record)
            else:
                progress.job(record.record())
    return [line.partition("] ")[2] for line in written.getvalue().splitlines()]


def host(phase: Phase, **seconds: float) -> HostState:
    return HostState(process="1:1", version="1", started_at_s=0.0, phase=phase, seconds=seconds)


def test_the_title_comes_first_and_each_thing_is_told_once() -> None:
    begun = Journal(views=["front_0deg", "left_90deg"]).rendering().view_begins("front_0deg")
    assert lines_of(begun, begun) == ["logo.png on crew-tee", f"{JOB} rendering: rendering"]
    begun.view_done("front_0deg", 2.14)
    told = lines_of(begun, begun)
    assert told[1:] == ["front_0deg: done in 2.1 s", "that is the first picture", f"{JOB} rendering: rendering"]


def test_a_failure_and_the_next_attempt_are_told() -> None:
    journal = Journal(views=["front_0deg"]).rendering().view_begins("front_0deg")
    journal.view_failed("front_0deg", "view_stalled", "no progress for 60 s").view_begins("front_0deg", 2)
    assert lines_of(journal)[1:3] == ["view_stalled: no progress for 60 s", "front_0deg: attempt 2"]


def test_an_ended_job_is_told_by_its_status() -> None:
    journal = Journal(views=["front_0deg"]).rendering().stopped().undoing("cancelled")
    undoing = lines_of(journal)[-1]
    ended = lines_of(journal.undone().cancelled())[-1]
    assert (undoing, ended) == (f"{JOB} undoing: rendering", f"{JOB} cancelled")


def test_phases_that_were_over_before_are_none_of_this_commands_time() -> None:
    starting = [host(Phase.STARTING), host(Phase.RAY, store=0.3), host(Phase.READY, store=0.3, ray=4.9)]
    assert lines_of(*starting) == ["logo.png on crew-tee", "store: 0.3 s", "Ray: 4.9 s"]
    assert lines_of(*starting[1:]) == ["logo.png on crew-tee", "Ray: 4.9 s"]
    assert lines_of(starting[2]) == []


def test_waiting_for_a_farm_that_goes_down_is_said_once() -> None:
    draining = host(Phase.DRAINING, store=0.3)
    (_, said) = lines_of(draining, replace(draining, stay=True))
    assert said.startswith("the farm is going down after its running jobs")


def test_time_is_counted_from_the_start_of_the_process() -> None:
    assert 0.0 < since_start_s() < 24 * 3600


def test_a_picture_that_arrives_early_is_the_first_and_is_told_with_its_place() -> None:
    written = io.StringIO()
    with PlainLines("logo.png on crew-tee", Console(file=written, width=80)) as progress:
        for _ in range(2):
            progress.arrived("front_0deg", "relit here, shirt/front_0deg.png; the job stores it")
        progress.job(
            Journal(views=["front_0deg"]).rendering().view_begins("front_0deg").view_done("front_0deg", 2).record()
        )
    told = [line.partition("] ")[2] for line in written.getvalue().splitlines()]
    early = "front_0deg: relit here, shirt/front_0deg.png; the job stores it"
    assert told[1:4] == [early, "that is the first picture", "front_0deg: done in 2.0 s"]
    assert told.count("that is the first picture") == 1
