import os
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.medusa_api import Limits, MedusaApi
from farm.adapters.medusa_catalog import MedusaCatalog
from farm.adapters.shop_lock import ShopLock
from tests.contract.medusa.merchant import Merchant
from tests.contract.medusa.shop import Shop, lacking, shop

LIMITS = Limits(connect_s=2.0, call_s=10.0, answer_max_bytes=1_000_000)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "medusa: runs against a real Medusa; `scripts/medusa.sh install` first")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("lock"))
    yield store.url
    store.stop()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def medusa() -> Iterator[Shop]:
    """A real shop."""
    reason = lacking()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; CI calls `scripts/medusa.sh install` before the tests")
        pytest.skip(f"{reason}; run `scripts/medusa.sh install`")
    with shop() as running:
        yield running


@pytest.fixture
def merchant(medusa: Shop) -> Merchant:
    """A new product and the person who looks after it."""
    return Merchant.with_product(medusa, f"tee-{uuid4().hex}")


@pytest.fixture
def open_catalog(redis: Redis) -> Callable[..., MedusaCatalog]:
    """Opens catalogues with short waits: each as another process would."""

    def opened(url: str, api_key: str, *, limits: Limits = LIMITS, **lock: float) -> MedusaCatalog:
        waits = {"ttl_s": 20.0, "settle_s": 0.5, "wait_s": 30.0, **lock}
        return MedusaCatalog(MedusaApi(url, api_key, limits=limits), ShopLock(redis, **waits))

    return opened


@pytest.fixture
def catalog(medusa: Shop, open_catalog: Callable[..., MedusaCatalog]) -> MedusaCatalog:
    return open_catalog(medusa.url, medusa.api_key)
