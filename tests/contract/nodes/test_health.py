"""The health of nodes, over every adapter, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_nodes import MemoryNodes
from farm.adapters.redis_nodes import RedisNodes
from farm.render.ports import NodeHealth
from farm.render.tasks.health import LONGEST_REST_S, REST_S, WELL_S, Blocklist
from farm.saga.clock import FakeClock

LIMIT = 3
_names = count(1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "redis"])
async def health(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[NodeHealth]:
    if request.param == "memory":
        yield MemoryNodes(clock, limit=LIMIT)
        return
    server: EmbeddedStore = request.getfixturevalue("server")
    async with redis.asyncio.Redis.from_url(server.url) as client:
        yield RedisNodes(client, clock, limit=LIMIT, key=f"nodes{next(_names)}")


async def fail(health: NodeHealth, times: int, node: str = "bad") -> float | None:
    """Until when the node is sick after so many failures."""
    until_s = None
    for _ in range(times):
        until_s = (await health.failed(node, job_id="job_1", code="blender_crashed")).sick_until_s
    return until_s


async def test_a_node_is_sick_at_the_limit_and_rests(health: NodeHealth, clock: FakeClock) -> None:
    assert await fail(health, LIMIT - 1) is None
    until_s = await fail(health, 1)
    assert until_s == clock.wall_s() + REST_S
    (state,) = await health.list()
    assert (state.node_id, state.failed, state.last_code, state.last_job) == ("bad", 3, "blender_crashed", "job_1")
    assert state.sick(clock.wall_s())
    clock.jump(REST_S)
    assert not state.sick(clock.wall_s())


async def test_failures_fade_and_a_success_takes_some_away(health: NodeHealth, clock: FakeClock) -> None:
    for _ in range(6):  # one every two hours is what a healthy node has
        assert await fail(health, 1) is None
        clock.jump(7200.0)
    await fail(health, 2, "other")
    for _ in range(3):
        await health.succeeded("other")
    assert await fail(health, 1, "other") is None


async def test_half_of_all_views_broken_is_sick_too(health: NodeHealth, clock: FakeClock) -> None:
    for _ in range(5):
        await fail(health, 1)
        await health.succeeded("bad")
    (state,) = await health.list()
    assert state.spells >= 1


async def test_it_rests_longer_each_time_until_it_was_well_for_long(health: NodeHealth, clock: FakeClock) -> None:
    rests = []
    for _ in range(6):
        until_s = await fail(health, LIMIT)
        assert until_s is not None
        rests.append(until_s - clock.wall_s())
        clock.jump(until_s - clock.wall_s() + 1.0)
    assert rests == [300.0, 600.0, 1200.0, 2400.0, LONGEST_REST_S, LONGEST_REST_S]
    clock.jump(WELL_S)
    until_s = await fail(health, LIMIT)
    assert until_s == clock.wall_s() + REST_S


async def test_a_success_ends_a_spell(health: NodeHealth, clock: FakeClock) -> None:
    await fail(health, LIMIT)
    assert not (await health.succeeded("bad")).sick(clock.wall_s())


async def test_of_a_node_that_never_failed_nothing_is_kept_and_old_ones_are_forgotten(
    health: NodeHealth, clock: FakeClock
) -> None:
    assert (await health.succeeded("good")).failed == 0
    assert await health.list() == []
    await fail(health, 1, "one")
    await fail(health, LIMIT, "two")
    assert [state.node_id for state in await health.list()] == ["two", "one"]
    clock.jump(2 * 86_400.0)
    assert await health.list() == []


async def test_many_coordinators_count_together(health: NodeHealth) -> None:
    await asyncio.gather(*(health.failed("bad", job_id=f"job_{number}", code="x") for number in range(8)))
    (state,) = await health.list()
    assert state.failed == 8


async def test_a_job_leaves_a_node_alone_from_its_first_failure_and_others_when_it_is_sick(
    health: NodeHealth, clock: FakeClock
) -> None:
    one, other = Blocklist(health), Blocklist(health)
    await one.failed("bad", job_id="job_1", code="blender_crashed")
    assert one.avoided("job_1", clock.wall_s()).own == ("bad",)
    assert one.avoided("job_2", clock.wall_s()).choices()[0] == frozenset()
    for number in (2, 3):
        await one.failed("bad", job_id=f"job_{number}", code="blender_crashed")
    assert one.avoided("job_9", clock.wall_s()).sick == ("bad",)
    assert other.sick(clock.wall_s()) == ()
    await other.refresh()
    assert other.sick(clock.wall_s()) == ("bad",)
    clock.jump(REST_S)
    assert other.sick(clock.wall_s()) == ()
    assert one.avoided("job_1", clock.wall_s()).own == ("bad",)
