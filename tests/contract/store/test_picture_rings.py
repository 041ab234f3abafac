"""Tenants' keys for pictures, on a real store: whoever rotates at once, each rotation counts, and none is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_keys import RedisKeys
from farm.adapters.redis_picture_rings import RedisPictureRings
from farm.domain.picture_address import PictureKey
from farm.errors import InvalidRequest


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("rings"))
    yield store.url
    store.stop()


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
async def client(store_url: str, request: pytest.FixtureRequest) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of each kind: one reads bytes, one text."""
    async with redis.asyncio.Redis.from_url(store_url, decode_responses=request.param) as found:
        await found.flushdb()
        yield found


async def test_a_first_key_is_settled_once_whoever_asks_at_once(client: redis.asyncio.Redis) -> None:
    rings = [RedisPictureRings(client) for _ in range(4)]
    assert (await rings[0].ring("shop")).current is None
    settled = await asyncio.gather(*(one.settle("shop") for one in rings))
    assert len({ring.keys for ring in settled}) == 1
    assert (await rings[0].ring("other")).current is None


async def test_rotations_at_once_all_count(client: redis.asyncio.Redis) -> None:
    rings = [RedisPictureRings(client) for _ in range(5)]
    first = (await rings[0].settle("shop")).current
    await asyncio.gather(*(one.rotate("shop", old_s=60.0) for one in rings))
    ring = await rings[0].ring("shop")
    assert len(ring.keys) == 6
    assert [key.until_s is None for key in ring.keys] == [True] + [False] * 5
    assert ring.keys[-1].id == (first.id if first else "")


async def test_the_farms_secret_signs_whatever_the_client_reads(client: redis.asyncio.Redis) -> None:
    for _ in range(2):  # made, then found
        secret, _ = await RedisKeys(client).settle_signing_secret()
        assert len(PictureKey.of(secret, "shop", "0123456789ab").secret) == 43


async def test_what_is_no_tenant_gets_no_key(client: redis.asyncio.Redis) -> None:
    for wrong in ("", "No Tenant", "a/b", "x" * 41):
        with pytest.raises(InvalidRequest):
            await RedisPictureRings(client).settle(wrong)
    assert not await client.exists("farm:picture-keys")
