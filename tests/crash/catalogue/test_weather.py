"""What is away for a while is waited for by a run, and no row fails of it; what only one row meets is that row's."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.s3_store import S3Store
from farm.errors import ShopUnavailable
from tests.catalogue_shop import CatalogueShop, open_catalogue, products_line
from tests.contract.servers.faulty import Fault, FaultyServer, Kind, faulty
from tests.contract.servers.fixtures import moto_server, s3_credentials
from tests.contract.servers.s3 import BUCKET, S3Server
from tests.crash.places import Place

__all__ = ["moto_server", "s3_credentials"]

REFUSED = 56
"""Writes in vain: more than all attempts of some rows together."""


@pytest.fixture
def server(moto_server: S3Server) -> Iterator[FaultyServer]:
    with faulty(moto_server.endpoint_url) as server:
        yield server


@pytest.fixture
async def farm(place: Place, server: FaultyServer) -> AsyncIterator[CatalogueShop]:
    """With its objects in S3."""
    store = S3Store(BUCKET, place.namespace, endpoint_url=server.endpoint_url, read_timeout_s=5.0)
    async with open_catalogue(place, objects=store, fetch_hosts="127.0.0.1") as shop:
        yield shop
    store.close()


def rows(farm: CatalogueShop, count: int, **cells: Any) -> list[dict[str, Any]]:
    return [{"product_id": f"tee-{n}", "design": farm.design(f"{n}.png", (n, 3, 4)), **cells} for n in range(count)]


async def test_an_outage_of_the_object_store_fails_no_row(farm: CatalogueShop, server: FaultyServer) -> None:
    outage = Fault(kind=Kind.ANSWER, method="PUT", path="/out/", status=503, code="SlowDown", times=REFUSED)
    server.faults.append(outage)
    async with farm.running():
        run_id = await farm.start(rows(farm, 10))
        record = await farm.ended(run_id)
    assert outage.times == 0
    assert record["counts"]["completed"] == 10, products_line(await farm.report(run_id))
    assert (await farm.audit()).findings == []


async def test_a_design_whose_server_is_away_fails_alone_also_as_an_ordinary_job(farm: CatalogueShop) -> None:
    away = {"product_id": "away", "design": "http://127.0.0.1:9/gone.png", "engine": "cycles"}
    async with farm.running():
        run_id = await farm.start([*rows(farm, 2, engine="cycles"), away, away | {"engine": "relight"}])
        await farm.ended(run_id)
    report = await farm.report(run_id)
    assert [(row.status, row.code) for row in report] == [("completed", None)] * 2 + [("failed", "fetch_failed")] * 2


async def test_a_shop_that_is_away_is_waited_for_and_a_product_it_cannot_change_fails_alone(
    farm: CatalogueShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    associate = BuiltinCatalog.associate

    async def stumbling(catalog: BuiltinCatalog, tenant: str, product_id: str, wanted: Any) -> Any:
        asked[product_id] += 1
        if product_id == "tee-3" or asked[product_id] <= 12:
            raise ShopUnavailable(reason="500")
        return await associate(catalog, tenant, product_id, wanted)

    monkeypatch.setattr(BuiltinCatalog, "associate", stumbling)
    async with farm.running():
        run_id = await farm.start(rows(farm, 5))
        await farm.ended(run_id)
    report = await farm.report(run_id)
    wanted = [("completed", None)] * 3 + [("failed", "shop_unavailable"), ("completed", None)]
    assert [(row.status, row.code) for row in report] == wanted
    assert (await farm.audit()).findings == []
