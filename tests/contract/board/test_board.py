"""The board on a real server: posts are read with their age, and the silent are left out."""

from collections.abc import Iterator

import pytest
import redis.asyncio

from farm.adapters import redis_board
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_board import BOARD, RedisBoard


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("board"))
    yield store
    store.stop()


async def test_what_is_posted_is_read_and_the_silent_fall_off(
    server: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        board = RedisBoard(client)
        assert await board.read() == []
        await board.post("coordinator-b", {"slots": 2})
        await board.post("coordinator-a", {"slots": 1})
        await board.post("coordinator-a", {"slots": 3, "running": [{"name": "ä"}]})
        first, second = await board.read()
        assert (first["name"], first["slots"], first["running"]) == ("coordinator-a", 3, [{"name": "ä"}])
        assert second["name"] == "coordinator-b"
        assert 0 <= first["age_s"] < 5
        await client.hset(BOARD, "coordinator-b@", 0)
        assert [post["name"] for post in await board.read()] == ["coordinator-a"]
        await board.post("coordinator-c", {})
        await board.take_down("coordinator-c")
        assert [post["name"] for post in await board.read()] == ["coordinator-a"]
        monkeypatch.setattr(redis_board, "STALE_S", 0.0)
        assert await board.read() == []
        assert 0 < await client.pttl(BOARD) <= 60_000
