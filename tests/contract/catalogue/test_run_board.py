"""Where the movement of live runs is posted, on a real server."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_run_board import STALE_MS, RedisRunBoard
from farm.errors import StoreUnavailable
from farm.render.catalog.movement import Movement


@pytest.fixture
async def client(server: EmbeddedStore) -> AsyncIterator["redis.asyncio.Redis"]:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        yield client


async def test_what_was_posted_last_is_read_and_goes_by_itself(client: "redis.asyncio.Redis") -> None:
    board = RedisRunBoard(client)
    await board.post("run_a", Movement(rows_made=3))
    await board.post("run_a", Movement(rows_made=9, rows_per_s=2.5, seconds_left=40.0))
    assert await board.read(["run_b", "run_a"]) == [None, Movement(rows_made=9, rows_per_s=2.5, seconds_left=40.0)]
    assert await board.read([]) == []
    assert 0 < await client.pttl("farm:movement:run_a") <= STALE_MS


async def test_a_store_that_is_away_is_told_as_such() -> None:
    async with redis.asyncio.Redis.from_url("redis://127.0.0.1:1") as nobody:
        with pytest.raises(StoreUnavailable):
            await RedisRunBoard(nobody).post("run_a", Movement(rows_made=1))
