from farm.errors import ViewStalled, ViewTimedOut
from farm.render.tasks.heartbeat import Beat, ProcessId
from farm.render.tasks.watch import Limits, Watch

LIMITS = Limits(deadline_s=100, stall_s=20, lease_s=5)
PROCESS = ProcessId(node_id="n", identity="1:2")


def beat(ticks: int, phase: str = "rendering") -> Beat:
    return Beat(process=PROCESS, ticks=ticks, phase=phase)


def test_time_in_the_queue_does_not_count() -> None:
    watch = Watch("front_0deg", LIMITS)
    assert watch.observe(None, 0) is None
    assert watch.observe(None, 1000) is None
    assert watch.observe(beat(1), 1001) is None


def test_beats_without_progress_are_a_stall_that_names_the_phase() -> None:
    watch = Watch("front_0deg", LIMITS)
    for second in range(20):
        assert watch.observe(beat(1, "opening Blender"), second) is None
    assert watch.observe(beat(1, "opening Blender"), 20) is None
    error = watch.observe(beat(1, "opening Blender"), 21)
    assert isinstance(error, ViewStalled)
    assert error.reason == "stuck while opening Blender"


def test_any_tick_is_progress() -> None:
    watch = Watch("front_0deg", LIMITS)
    for second in range(0, 99, 3):
        assert watch.observe(beat(second), second) is None


def test_progress_does_not_excuse_a_missed_deadline() -> None:
    watch = Watch("front_0deg", LIMITS)
    errors = [watch.observe(beat(second), second) for second in range(103)]
    assert errors[:101] == [None] * 101
    assert isinstance(errors[101], ViewTimedOut)


def test_a_heart_that_stops_is_a_stall() -> None:
    watch = Watch("front_0deg", LIMITS)
    watch.observe(beat(1), 0)
    assert watch.observe(None, 5) is None
    error = watch.observe(None, 5.1)
    assert isinstance(error, ViewStalled)
    assert error.reason == "its heartbeat stopped"
    assert watch.last is not None


def test_what_could_not_be_seen_is_not_held_against_it() -> None:
    watch = Watch("front_0deg", LIMITS)
    watch.observe(beat(1), 0)
    watch.blind(60)
    assert watch.observe(beat(1), 61) is None
    assert isinstance(watch.observe(beat(1), 81), ViewStalled)
