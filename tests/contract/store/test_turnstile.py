"""The way in, at a real server: whose key is good is counted, and nobody else; the window slides."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_keys import RedisKeys
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_turnstile import RedisTurnstile, Tally
from farm.domain.access import Scope

MINUTE_S = 0.6


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[RedisLink]:
    store = EmbeddedStore.start(tmp_path / "store")
    try:
        link = RedisLink(store.url)
        yield link
        await link.close()
    finally:
        store.stop()


async def test_key_and_count_are_one_question(link: RedisLink, trips: list[int]) -> None:
    keys, turnstile = RedisKeys(link.client), RedisTurnstile(link, 2)
    key, token = await keys.create(tenant="default", scopes=[Scope.JOBS_READ], name="")
    assert await turnstile.by_token("farm_000000000000_" + "A" * 43) is None  # the script is known from here on
    trips.clear()
    passage = await turnstile.by_token(token)
    assert len(trips) == 1
    assert passage is not None
    assert (passage.principal, passage.tally.allowed, passage.tally.remaining(2)) == (key.principal, True, 1)
    held = await turnstile.by_key(key.id)
    assert held is not None
    assert held.tally.remaining(2) == 0
    over = await turnstile.by_token(token)
    assert over is not None
    assert not over.tally.allowed
    assert 0 < over.tally.reset_s(2) <= 60


async def test_a_wrong_secret_uses_up_nothing_of_the_keys_minute(link: RedisLink) -> None:
    keys, turnstile = RedisKeys(link.client), RedisTurnstile(link, 1)
    key, token = await keys.create(tenant="default", scopes=[Scope.JOBS_READ], name="")
    for wrong in (f"farm_{key.id}_" + "A" * 43, "farm_000000000000_" + "A" * 43, "nothing", "", token + "A"):
        assert await turnstile.by_token(wrong) is None
    assert await turnstile.by_key("000000000000") is None
    assert await turnstile.by_key("") is None
    passage = await turnstile.by_token(token)
    assert passage is not None
    assert passage.tally.allowed
    await keys.revoke(key.id)
    assert await turnstile.by_token(token) is await turnstile.by_key(key.id) is None


async def test_the_window_slides_and_is_forgotten(link: RedisLink) -> None:
    turnstile = RedisTurnstile(link, 4, window_s=MINUTE_S)
    assert [(await turnstile.count("who")).allowed for _ in range(6)] == [True] * 4 + [False] * 2
    assert (await turnstile.count("another")).allowed
    refused = await turnstile.count("who")
    await asyncio.sleep(refused.reset_s(4) + 0.01)
    soon = await turnstile.count("who")  # the window before this one still weighs
    assert soon.before == 4
    assert soon.remaining(4) <= 1
    await asyncio.sleep(2 * MINUTE_S)
    assert not await link.client.exists("farm:rate:who")
    assert (await turnstile.count("who")).remaining(4) == 3


async def test_a_store_whose_clock_went_back_counts_anew(link: RedisLink) -> None:
    turnstile = RedisTurnstile(link, 1)
    await link.client.hset("farm:rate:who", mapping={"since": 9e15, "count": 1, "before": 1})
    assert (await turnstile.count("who")).allowed


@pytest.mark.parametrize(
    ("count", "before", "age_s", "remaining", "reset_s"),
    [
        (0, 10, 0.0, 0, 0.0),  # any moment now: ten tenths of ten is what it is at its very beginning
        (5, 10, 15.0, 0, 15.0),  # a quarter is over; half of ten and five are ten after 30 s
        (10, 0, 20.0, 0, 40.0),
        (10, 10, 59.0, 0, 1.0),
    ],
)
def test_it_is_told_when_one_more_is_let_in(
    count: int, before: int, age_s: float, remaining: int, reset_s: float
) -> None:
    tally = Tally(allowed=False, count=count, before=before, age_s=age_s)
    assert tally.remaining(10) == remaining
    assert tally.reset_s(10) == pytest.approx(reset_s)


async def test_many_at_once_share_their_questions(link: RedisLink, trips: list[int]) -> None:
    turnstile = RedisTurnstile(link, 100)
    await turnstile.count("first")
    trips.clear()
    tallies = await asyncio.gather(*(turnstile.count("who") for _ in range(60)))
    assert sorted(tally.count for tally in tallies) == list(range(1, 61))
    assert len(trips) <= 4
