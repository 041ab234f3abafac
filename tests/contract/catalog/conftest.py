from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.own_catalog import OwnCatalog


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server of this session's own, on a Unix socket."""
    store = EmbeddedStore.start(tmp_path_factory.mktemp("catalog"))
    yield store.url
    store.stop()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
def catalog(request: pytest.FixtureRequest) -> OwnCatalog:
    """An empty catalogue of each kind."""
    if request.param == "memory":
        return MemoryCatalog()
    return BuiltinCatalog(request.getfixturevalue("redis"), f"case-{uuid4().hex}")
