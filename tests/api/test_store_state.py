"""A store that cannot be trusted: readiness and whoever submits hear the same, and nothing is accepted."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import Shopfront
from tests.api.test_jobs import form
from tests.contract.servers.valkey import DURABLE, Server, failover, in_step, valkey


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with valkey(tmp_path_factory.mktemp("store"), *DURABLE) as server:
        yield server


@pytest.fixture
def store_url(server: Server) -> str:
    """Of the shop: a store that the test may spoil."""
    return server.url


@pytest.mark.parametrize(
    ("option", "wrong", "right", "code"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "store_evicts"),
        ("appendonly", "no", "yes", "store_not_durable"),
        ("min-replicas-to-write", "1", "0", "store_not_writable"),
    ],
)
async def test_an_unfit_store_is_told_and_takes_nothing_until_it_is_mended(
    shop: Shopfront, server: Server, option: str, wrong: str, right: str, code: str
) -> None:
    assert (await shop.client.get("/readyz")).status_code == 200
    with server.admin() as admin:
        admin.config_set(option, wrong)
        try:
            ready = await shop.connect().get("/readyz")
            assert (ready.status_code, ready.json()["checks"]["store"]) == (503, code)
            assert "Retry-After" in ready.headers
            refused = await shop.client.post("/v1/jobs", **form())
            # Where no write at all is taken, the count of requests is the first that is refused.
            assert (refused.status_code, refused.json()["code"]) == (503, code)
            assert refused.json()["retryable"]
            assert (await shop.connect().get("/healthz")).status_code == 200
        finally:
            admin.config_set(option, right)
    assert (await shop.client.post("/v1/jobs", **form())).status_code == 202
    assert (await shop.client.get("/readyz")).status_code == 200
    assert len((await shop.client.get("/v1/jobs")).json()["jobs"]) == 1


async def test_a_demoted_store_is_told_by_readiness(
    shop: Shopfront, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with valkey(tmp_path_factory.mktemp("other")) as other:
        other.follow(server)
        failover(server, other)
        try:
            ready = await shop.connect().get("/readyz")
            assert (ready.status_code, ready.json()["checks"]["store"]) == (503, "store_not_writable")
        finally:
            in_step(other)
            failover(other, server)
            other.follow(None)
    assert (await shop.connect().get("/readyz")).status_code == 200
