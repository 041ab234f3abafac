"""One contract over both heartbeats: who may beat, what is seen of it, and how it lapses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_heartbeat import MemoryHeartbeat, MemoryProgressBoard
from farm.adapters.redis_heartbeat import RedisBeats, RedisProgressBoard, RedisPulse
from farm.errors import SagaError, StoreUnavailable
from farm.render.tasks.heartbeat import Beat, Beats, Board, ProcessId, Pulse

BEAT = Beat(process=ProcessId(node_id="node", identity="12:34"), fraction=0.25, ticks=3, phase="rendering")


@dataclass(frozen=True)
class Sides:
    """The worker's side, the coordinator's, and the onlookers'."""

    worker: Pulse
    coordinator: Beats
    board: Board


@pytest.fixture(params=["memory", "redis"])
async def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sides]:
    if request.param == "memory":
        heartbeat = MemoryHeartbeat()
        yield Sides(heartbeat, heartbeat, MemoryProgressBoard(heartbeat.progress))
        return
    store = EmbeddedStore.start(tmp_path_factory.mktemp("store"))
    pulse = RedisPulse(store.url)
    async with redis.asyncio.Redis.from_url(store.url) as client:
        yield Sides(pulse, RedisBeats(client), RedisProgressBoard(client))
    pulse.close()
    store.stop()


async def test_a_granted_attempt_beats_and_is_seen(sides: Sides) -> None:
    grant = await sides.coordinator.grant("job", "front_0deg")
    assert await sides.coordinator.read([grant]) == [None]
    assert sides.worker.beat(grant, BEAT, ttl_s=10)
    assert await sides.coordinator.read([grant]) == [BEAT]
    assert await sides.board.read("job") == {"front_0deg": 0.25}


async def test_a_later_grant_fences_the_earlier_one(sides: Sides) -> None:
    old = await sides.coordinator.grant("job", "front_0deg")
    assert sides.worker.beat(old, BEAT, ttl_s=10)
    new = await sides.coordinator.grant("job", "front_0deg")
    assert new.epoch > old.epoch
    assert not sides.worker.beat(old, BEAT, ttl_s=10)
    assert await sides.coordinator.read([old, new]) == [None, None]
    assert await sides.board.read("job") == {}
    await sides.coordinator.revoke(old)
    assert sides.worker.beat(new, BEAT, ttl_s=10)


async def test_a_revoked_attempt_is_refused_but_its_process_is_still_known(sides: Sides) -> None:
    grant = await sides.coordinator.grant("job", "front_0deg")
    assert sides.worker.beat(grant, BEAT, ttl_s=10)
    await sides.coordinator.revoke(grant)
    assert not sides.worker.beat(grant, BEAT, ttl_s=10)
    assert await sides.coordinator.read([grant]) == [BEAT]
    assert await sides.board.read("job") == {}
    again = await sides.coordinator.grant("job", "front_0deg")
    assert again.epoch > grant.epoch


async def test_how_far_a_view_came_outlasts_its_attempts(sides: Sides) -> None:
    for fraction, farthest in ((0.9, 0.9), (0.1, 0.9), (0.95, 0.95)):
        grant = await sides.coordinator.grant("job", "model")
        assert (await sides.board.shares("job")).now == {}
        assert sides.worker.beat(grant, replace(BEAT, fraction=fraction), ttl_s=10)
        shares = await sides.board.shares("job")
        assert (shares.now, shares.farthest) == ({"model": fraction}, {"model": farthest})
        await sides.coordinator.revoke(grant)
        assert (await sides.board.shares("job")).farthest == {"model": farthest}
    of_both = await sides.board.shares_each(["another", "job"])
    assert [one.farthest for one in of_both] == [{}, (await sides.board.shares("job")).farthest]
    assert list(await sides.board.shares_each([])) == []


async def test_a_beat_lapses(sides: Sides) -> None:
    grant = await sides.coordinator.grant("job", "front_0deg")
    assert sides.worker.beat(grant, BEAT, ttl_s=0.05)
    await asyncio.sleep(0.1)
    assert await sides.coordinator.read([grant]) == [None]
    assert sides.worker.beat(grant, BEAT, ttl_s=10), "nobody took its place"


async def test_views_and_jobs_do_not_mix(sides: Sides) -> None:
    one = await sides.coordinator.grant("job", "front_0deg")
    two = await sides.coordinator.grant("job", "back_180deg")
    other = await sides.coordinator.grant("other", "front_0deg")
    assert sides.worker.beat(two, BEAT, ttl_s=10)
    assert await sides.coordinator.read([one, two, other]) == [None, BEAT, None]
    assert await sides.coordinator.read([]) in ([], ())


async def test_the_board_is_written_read_and_wiped(sides: Sides) -> None:
    await sides.board.report("job", "front_0deg", 0.5)
    await sides.board.report("job", "back_180deg", 1.0)
    assert await sides.board.read("job") == {"front_0deg": 0.5, "back_180deg": 1.0}
    await sides.board.clear("job")
    assert await sides.board.read("job") == {}


async def test_a_store_that_is_away_is_one_of_our_errors(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/nobody.sock"
    async with redis.asyncio.Redis.from_url(url) as client:
        with pytest.raises(StoreUnavailable):
            await RedisBeats(client).grant("job", "front_0deg")


async def test_what_the_store_refuses_is_not_asked_again(tmp_path: Path) -> None:
    """An outage passes; keys of another kind, or commands that are not allowed, stay as they are."""
    store = EmbeddedStore.start(tmp_path)
    pulse = RedisPulse(store.url)
    async with redis.asyncio.Redis.from_url(store.url) as client:
        grant = await RedisBeats(client).grant("job", "front_0deg")
        await client.set("farm:progress:job", "no hash")
        with pytest.raises(SagaError, match="WRONGTYPE") as refused:
            pulse.beat(grant, BEAT, ttl_s=10)
        assert not refused.value.retryable
        with pytest.raises(SagaError):
            await RedisProgressBoard(client).read("job")
        await client.config_set("maxmemory", "1")
        with pytest.raises(StoreUnavailable):
            await RedisBeats(client).grant("job", "back_180deg")
    pulse.close()
    store.stop()
