import asyncio

import pytest

from farm.adapters.memory_journal import open_memory
from farm.errors import FailpointReached, InvalidSettings
from farm.saga.failpoint import Action, Failpoint, Failpoints, parse_failpoints


def test_a_specification_is_read() -> None:
    found = parse_failpoints(" render.inside=kill*3; compensate.store=raise;journal.12.after=hang ;")
    assert list(found.values()) == [
        Failpoint(point="render.inside", action=Action.KILL, times=3),
        Failpoint(point="compensate.store.inside", action=Action.RAISE),
        Failpoint(point="journal.12.after", action=Action.HANG),
    ]
    assert parse_failpoints("") == {}


@pytest.mark.parametrize(
    "token",
    [
        "render",
        "render=raise",
        "render.inside",
        "render.inside=",
        "render.inside=explode",
        "render.inside=raise*0",
        "render.inside=raise*x",
        "render.outside=raise",
        "journal.0.before=raise",
        "journal.one.before=raise",
        "journal.1.inside=raise",
        "journal.inside=raise",
        "compensate.=raise",
        "compensate.a.b=raise",
        "=raise",
    ],
)
def test_a_bad_token_is_named(token: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_failpoints(f"a.before=raise;{token};b.after=kill")
    assert caught.value.value == token
    assert token in str(caught.value)


def test_a_point_is_set_once() -> None:
    with pytest.raises(InvalidSettings, match="twice"):
        parse_failpoints("compensate.a=raise;compensate.a.inside=kill")


async def test_times_are_counted_per_saga_and_over_coordinators() -> None:
    counters = open_memory().counters
    points = parse_failpoints("one.before=raise*2")
    for failpoints in (Failpoints(points, counters), Failpoints(points, counters)):
        with pytest.raises(FailpointReached):
            await failpoints.reach("s", "one.before")
    await Failpoints(points, counters).reach("s", "one.before")
    with pytest.raises(FailpointReached):
        await Failpoints(points, counters).reach("another", "one.before")


async def test_other_points_are_passed_by() -> None:
    failpoints = Failpoints(parse_failpoints("one.before=raise"), open_memory().counters)
    await failpoints.reach("s", "one.after")
    assert failpoints.armed
    assert not Failpoints({}, open_memory().counters).armed


async def test_kill_is_called_and_hang_hangs() -> None:
    killed: list[str] = []
    points = parse_failpoints("one.before=kill;one.after=hang")
    failpoints = Failpoints(points, open_memory().counters, kill=lambda: killed.append("now"))
    await failpoints.reach("s", "one.before")
    assert killed == ["now"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(failpoints.reach("s", "one.after"), 0.02)
