"""A process's connections: bounded, waited for, and given back whatever becomes of those who held them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from farm.adapters import redis_connections
from farm.adapters.redis_connections import COMMANDS, Connections
from farm.adapters.redis_keys import RedisKeys
from farm.adapters.redis_link import RedisLink, translated
from farm.errors import StoreUnavailable
from farm.settings import Settings
from farm.wiring import open_farm
from tests.contract.servers.valkey import Server, valkey


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    with valkey(tmp_path_factory.mktemp("pool")) as server:
        yield server


def connections(server: Server) -> int:
    with server.admin() as admin:
        return len(admin.client_list()) - 1


async def test_four_hundred_at_once_wait_for_each_other(server: Server, tmp_path: Path) -> None:
    """As many requests as a replica admits; and the three stores of a farm are one process's business."""
    settings = Settings(home=tmp_path, redis_url=server.url)
    async with open_farm(settings, store_url=server.url) as farm:
        assert await asyncio.gather(*(farm.keys.holder(f"k{n}") for n in range(400))) == [None] * 400
        await asyncio.gather(*(store.records.count() for store in (farm.sagas, farm.runs, farm.batches)))
        assert connections(server) <= COMMANDS
    async with asyncio.timeout(5):
        while connections(server):
            await asyncio.sleep(0.02)


async def test_who_waits_too_long_hears_of_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connections, "WAIT_S", 0.2)
    few = Connections(server.url, commands=2)
    try:
        busy = [asyncio.ensure_future(cast("Awaitable[object]", few.client.blpop(["nobody"], timeout=1))) for _ in "ab"]
        await asyncio.sleep(0.1)
        with pytest.raises(StoreUnavailable, match="No connection available"):
            await RedisKeys(few.client).holder("k")
        await asyncio.gather(*busy)
        assert await RedisKeys(few.client).holder("k") is None
    finally:
        await few.aclose()


async def test_whoever_is_cancelled_gives_the_connection_back(server: Server) -> None:
    few = Connections(server.url, commands=4)
    try:
        for turn in range(60):
            asking = [asyncio.create_task(RedisKeys(few.client).holder(f"k{n}")) for n in range(20)]
            for _ in range(turn % 30):  # a different point each time
                await asyncio.sleep(0)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        assert await asyncio.wait_for(asyncio.gather(*(few.client.ping() for _ in range(8))), 5) == [True] * 8
    finally:
        await few.aclose()


async def test_links_of_one_process_share_connections_and_the_first_closes_them(
    server: Server, open_link: Callable[[str], RedisLink]
) -> None:
    link = open_link(server.url)
    other = link.beside("elsewhere")
    assert other.connections is link.connections
    await other.close()
    with translated():
        assert await link.client.ping()
