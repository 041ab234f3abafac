"""Jobs of a whole farm on a product of a real Medusa, looked over by the audit afterwards."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.file_store import FileStore
from farm.adapters.medusa_catalog import MedusaCatalog
from farm.adapters.memory_journal import open_memory
from farm.domain.ids import DEFAULT_TENANT as TENANT
from farm.saga.clock import SystemClock
from tests.contract.medusa.merchant import BY_HAND, Merchant
from tests.contract.medusa.shop import Shop
from tests.contract.servers.faulty import Fault, FaultyServer, Kind, faulty
from tests.workshop import Workshop, prepared, workshop

pytestmark = [pytest.mark.medusa, pytest.mark.timeout(300)]


@pytest.fixture
def proxy(medusa: Shop) -> Any:
    with faulty(medusa.url) as server:
        yield server


@pytest.fixture
async def farm(
    proxy: FaultyServer, medusa: Shop, tmp_path: Path, open_catalog: Callable[..., MedusaCatalog]
) -> AsyncIterator[Workshop]:
    sagas = open_memory(SystemClock())
    objects = FileStore(tmp_path / "objects", public_url="https://pictures.example.com")
    catalog = open_catalog(proxy.endpoint_url, medusa.api_key, settle_s=0.2)
    yield workshop(tmp_path, sagas, objects, catalog)
    await sagas.close()


async def run(farm: Workshop, merchant: Merchant, failpoints: str = "", **request: Any) -> dict[str, Any]:
    order = prepared(product_id=merchant.product_id, **request)
    async with farm.running():
        accepted = await farm.service.submit(order, failpoints=failpoints)
        return await farm.ended(accepted["id"], within_s=120.0)


async def findings(farm: Workshop, merchant: Merchant) -> list[Any]:
    """Of this product; the shop has others, of tests before."""
    return [found for found in (await farm.audit()).findings if merchant.product_id in found.subject + found.detail]


async def test_a_product_from_its_first_pictures_to_none(farm: Workshop, merchant: Merchant) -> None:
    before = merchant.look()
    first = await run(farm, merchant)
    assert first["status"] == "completed"
    assert merchant.look()["thumbnail"] == first["outputs"]["front_0deg.png"]
    assert merchant.look()["thumbnail"].startswith("https://pictures.example.com/")
    second = await run(farm, merchant)
    assert second["superseded"] == [first["id"]]
    assert len(merchant.urls()) == len(BY_HAND) + 6
    with_second = merchant.look()
    failed = await run(farm, merchant, "complete_job.inside=raise*99")
    assert failed["status"] == "failed"
    assert not failed["compensation_pending"]
    assert merchant.look() == with_second
    assert await findings(farm, merchant) == []
    await farm.service.delete(second["id"])
    product = await farm.catalog.get_product(TENANT, merchant.product_id)
    assert product is not None
    assert {entry.job_id for entry in product.media} == {None, first["id"]}
    assert await findings(farm, merchant) == []
    await farm.service.delete(first["id"])
    assert merchant.look() == before


@pytest.mark.parametrize("kind", [Kind.LOSE, Kind.ANSWER])
async def test_a_shop_with_bad_moments(farm: Workshop, proxy: FaultyServer, merchant: Merchant, kind: Kind) -> None:
    proxy.faults.append(Fault(kind=kind, method="POST", path="/admin/products", times=2, status=429))
    done = await run(farm, merchant)
    assert done["status"] == "completed"
    assert len(merchant.urls()) == len(BY_HAND) + 6
    assert await findings(farm, merchant) == []
    before = merchant.look()
    proxy.faults.append(Fault(kind=kind, method="POST", path="/admin/products", times=2, status=429))
    failed = await run(farm, merchant, "complete_job.inside=raise*99")
    assert failed["status"] == "failed"
    assert not failed["compensation_pending"]
    assert merchant.look() == before


async def test_an_entry_removed_by_a_person_is_found_by_the_audit(farm: Workshop, merchant: Merchant) -> None:
    done = await run(farm, merchant)
    there = merchant.look()["images"]
    merchant.change({"images": [{"id": image_id, "url": url} for image_id, url in there[:-1]]})
    found = await findings(farm, merchant)
    assert [(each.kind, done["id"] in each.detail) for each in found] == [("missing_media", True)]
