"""What a farm has learned of its pace, on a real server: mixed, bounded, never stuck in the past."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_pace_book import MOST_KINDS, MOST_WEIGHT, RedisPaceBook
from farm.errors import StoreUnavailable
from farm.render.catalog.lessons import Lesson
from farm.render.estimate import Paces


@pytest.fixture
async def client(server: EmbeddedStore) -> AsyncIterator["redis.asyncio.Redis"]:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete("farm:paces")
        yield client


async def test_lessons_are_mixed_by_their_weight_and_the_past_fades(client: "redis.asyncio.Redis") -> None:
    book = RedisPaceBook(client)
    assert await book.read() == Paces({})
    await book.learn([Lesson(name="a", mean_s=1.0, weight=1.0), Lesson(name="b", mean_s=7.5, weight=0.02)])
    await book.learn([Lesson(name="a", mean_s=2.0, weight=3.0)])
    assert (await book.read()).learned == {"a": pytest.approx(1.75), "b": pytest.approx(7.5)}
    await book.learn([Lesson(name="a", mean_s=1.75, weight=1e6)])
    await book.learn([Lesson(name="a", mean_s=0.75, weight=MOST_WEIGHT)])
    assert (await book.read()).learned["a"] == pytest.approx(1.25), "what is known weighs no more than that"
    assert await RedisPaceBook(client, namespace="other").read() == Paces({})


async def test_it_keeps_so_many_kinds_and_those_that_were_learned_last(client: "redis.asyncio.Redis") -> None:
    now_s = iter(range(10_000))
    book = RedisPaceBook(client, now_s=lambda: float(next(now_s)))
    for number in range(MOST_KINDS + 20):
        await book.learn([Lesson(name=f"kind {number}", mean_s=1.0, weight=1.0)])
        await book.learn([Lesson(name="kind 0", mean_s=1.0, weight=1.0)])
    kept = (await book.read()).learned
    assert len(kept) == MOST_KINDS
    assert {"kind 0", f"kind {MOST_KINDS + 19}"} <= set(kept)
    assert "kind 1" not in kept


async def test_what_is_damaged_is_learned_anew(client: "redis.asyncio.Redis") -> None:
    await client.hset("farm:paces", "a", "1 nonsense 3")
    await RedisPaceBook(client).learn([Lesson(name="a", mean_s=3.0, weight=1.0)])
    assert (await RedisPaceBook(client).read()).learned == {"a": 3.0}


async def test_a_store_that_is_away_is_told_as_such() -> None:
    async with redis.asyncio.Redis.from_url("redis://127.0.0.1:1") as nobody:
        with pytest.raises(StoreUnavailable):
            await RedisPaceBook(nobody).read()
