"""What Redis adds to the contract: outages, records of another version, both kinds of client, size."""

from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.product_history import MOST_CHANGES
from farm.errors import ShopRefused, ShopUnavailable
from tests.contract.catalog.wanted import PRODUCT, TENANT, by_hand, ids, wanted


async def test_no_server_is_an_outage(tmp_path: Path) -> None:
    client: Redis = Redis.from_url(f"unix://{tmp_path}/nobody")
    catalog = BuiltinCatalog(client)
    for use in (
        catalog.get_product(TENANT, PRODUCT),
        catalog.list_products(TENANT),
        catalog.associate(TENANT, PRODUCT, wanted("a")),
        catalog.dissociate(TENANT, PRODUCT, "a"),
    ):
        with pytest.raises(ShopUnavailable):
            await use
    await client.aclose()


async def test_a_full_server_is_an_outage_and_changes_nothing(redis: Redis) -> None:
    catalog = BuiltinCatalog(redis, f"case-{uuid4().hex}")
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(ShopUnavailable):
            await catalog.associate(TENANT, PRODUCT, wanted("b"))
        assert ids(await catalog.get_product(TENANT, PRODUCT)) == ["a.front", "a.back"]
    finally:
        await redis.config_set("maxmemory", "0")


async def test_a_record_of_another_version_is_left_alone(redis: Redis) -> None:
    catalog = BuiltinCatalog(redis, namespace := f"case-{uuid4().hex}")
    await catalog.create_product(TENANT, PRODUCT)
    key = f"{namespace}:product:{TENANT}:{PRODUCT}"
    for text in ('{"schema":2}', "{", '{"schema":1}'):
        await redis.hset(key, mapping={"token": "x", "text": text})
        with pytest.raises(ShopRefused):
            await catalog.associate(TENANT, PRODUCT, wanted("a"))
        assert await redis.hget(key, "text") == text.encode()


async def test_a_client_that_decodes_serves_as_well(redis_url: str) -> None:
    client: Redis = Redis.from_url(redis_url, decode_responses=True)
    catalog = BuiltinCatalog(client, f"case-{uuid4().hex}")
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("é")])
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    assert [ids(product) for product in await catalog.list_products(TENANT)] == [["é", "a.front", "a.back"]]
    await client.aclose()


async def test_a_catalogue_longer_than_a_page_is_listed_whole(redis: Redis) -> None:
    catalog = BuiltinCatalog(redis, f"case-{uuid4().hex}")
    names = [f"tee-{number:03}" for number in range(401)]
    for name in names:
        await catalog.create_product(TENANT, name)
    assert [product.id for product in await catalog.list_products(TENANT)] == names


async def test_a_product_rendered_again_and_again_stays_small(redis: Redis) -> None:
    catalog = BuiltinCatalog(redis, namespace := f"case-{uuid4().hex}")
    sizes: list[int] = []
    for number in range(3 * MOST_CHANGES):
        await catalog.associate(TENANT, PRODUCT, wanted(f"job_{number:026}", views=tuple("abcdef"), film=True))
        sizes.append(await redis.hstrlen(f"{namespace}:product:{TENANT}:{PRODUCT}", "text"))
    assert sizes[-1] == sizes[2 * MOST_CHANGES] < 60_000


async def test_nothing_is_left_of_a_product_that_went(redis: Redis) -> None:
    catalog = BuiltinCatalog(redis, namespace := f"case-{uuid4().hex}")
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    assert len([key async for key in redis.scan_iter(f"{namespace}:*")]) == 2
    await catalog.dissociate(TENANT, PRODUCT, "a")
    assert [key async for key in redis.scan_iter(f"{namespace}:*")] == []


async def test_what_redis_refuses_for_good_is_no_outage(redis: Redis) -> None:
    catalog = BuiltinCatalog(redis, namespace := f"case-{uuid4().hex}")
    await redis.set(f"{namespace}:product:{TENANT}:{PRODUCT}", "no hash")
    for use in (catalog.get_product(TENANT, PRODUCT), catalog.associate(TENANT, PRODUCT, wanted("a"))):
        with pytest.raises(ShopRefused, match=f"{PRODUCT}.*WRONGTYPE"):
            await use
