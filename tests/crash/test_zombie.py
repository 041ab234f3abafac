"""A suspended coordinator wakes up when its job has long been another's: it is fenced, and nothing of it stays."""

import asyncio
from typing import Any

import pytest

from farm.domain import keys
from tests.crash.freezing import frozen_at
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared

LEASE_S = 0.4
SAGAS = ("granular", "simple")
VIEWS = ["front_0deg", "back_180deg"]
FORWARD = [
    "append:2.before", "append:4.after", "put:design/", "put:work/compose-", "put:work/", "put:out/front",
    "put:out/back", "put:manifest", "associate:", "associated:", "delete:work/",
]  # fmt: skip
BACK = ["dissociate:", "delete:manifest", "delete:out/", "delete:work/compose-", "delete:design/"]


async def _submitted(shop: Workshop, saga: str, **more: Any) -> str:
    accepted = await shop.service.submit(prepared(saga=saga, product_id="tee", views=VIEWS), **more)
    return str(accepted["id"])


async def _shown(shop: Workshop) -> list[str | None]:
    product = await shop.catalog.get_product("default", "tee")
    return [entry.view for entry in product.media] if product else []


@pytest.mark.parametrize(("saga", "point"), [(SAGAS[n % 2], point) for n, point in enumerate(FORWARD)])
async def test_it_wakes_when_another_has_completed_its_job(place: Place, point: str, saga: str) -> None:
    async with open_shop(place, lease_s=LEASE_S) as shop:
        async with frozen_at(place, point, lease_s=LEASE_S) as frozen:
            job_id = await _submitted(shop, saga)
            await frozen.until_it_freezes()
            async with shop.running():
                record = await shop.ended(job_id)
                frozen.thaw()
                await frozen.until_it_is_done()
            assert "another coordinator took over" in frozen.log.read_text("utf-8")
        assert record["status"] == "completed"
        await check_promises(shop, record)
        assert await _shown(shop) == VIEWS


@pytest.mark.parametrize(("saga", "point"), [(SAGAS[(n + 1) % 2], point) for n, point in enumerate(FORWARD)])
async def test_it_wakes_when_its_job_was_cancelled(place: Place, point: str, saga: str) -> None:
    async with open_shop(place, lease_s=LEASE_S) as shop:
        async with frozen_at(place, point, lease_s=LEASE_S) as frozen:
            job_id = await _submitted(shop, saga)
            await frozen.until_it_freezes()
            async with shop.running():
                await shop.service.cancel(job_id)
                record = await shop.ended(job_id)
            frozen.thaw()
            await frozen.until_it_is_done()
        assert record["status"] == "cancelled"
        await check_promises(shop, record)
        assert await _shown(shop) == []


@pytest.mark.parametrize("point", BACK)
async def test_it_wakes_when_another_has_undone_its_job(place: Place, point: str) -> None:
    async with open_shop(place, lease_s=LEASE_S) as shop:
        async with shop.running():
            earlier = await shop.ended(await _submitted(shop, "granular"))
        before = await shop.catalog.get_product("default", "tee")
        async with frozen_at(place, point, lease_s=LEASE_S, retry_days=0.0) as frozen:
            job_id = await _submitted(shop, "granular", failpoints="complete_job.inside=raise*99")
            await frozen.until_it_freezes()
            async with shop.running():
                record = await shop.ended(job_id)
                frozen.thaw()
                await frozen.until_it_is_done()
        assert record["status"] == "failed"
        await check_promises(shop, record, earlier)
        assert await shop.catalog.get_product("default", "tee") == before


async def test_it_wakes_before_anybody_took_its_job_and_goes_on(place: Place) -> None:
    async with open_shop(place, lease_s=LEASE_S) as shop:
        async with frozen_at(place, "put:out/back", lease_s=LEASE_S) as frozen:
            job_id = await _submitted(shop, "granular")
            await frozen.until_it_freezes()
            await asyncio.sleep(2 * LEASE_S)
            frozen.thaw()
            record = await shop.ended(job_id)
            await frozen.until_it_is_done()
            assert "took over" not in frozen.log.read_text("utf-8")
        assert record["status"] == "completed"
        assert record["steps"][-2]["attempts"] == 1
        await check_promises(shop, record)


async def test_both_are_suspended_in_turn_and_the_third_finishes(place: Place) -> None:
    async with open_shop(place, lease_s=LEASE_S) as shop:
        second_home = Place(home=place.home / "second", store_url=place.store_url, namespace=place.namespace)
        second_home.home.mkdir()
        (second_home.home / "objects").symlink_to(place.home / "objects")
        async with frozen_at(place, "put:out/", lease_s=LEASE_S) as first:
            job_id = await _submitted(shop, "granular")
            await first.until_it_freezes()
            async with frozen_at(second_home, "associated:", lease_s=LEASE_S) as second:
                await second.until_it_freezes()
                async with shop.running():
                    record = await shop.ended(job_id)
                    first.thaw()
                    second.thaw()
                    await first.until_it_is_done()
                    await second.until_it_is_done()
        assert record["status"] == "completed"
        await check_promises(shop, record)
        assert await _shown(shop) == VIEWS
        assert [item.key for item in shop.objects.list(keys.work("default", job_id))] == []


async def test_coordinators_that_come_and_go_hand_their_jobs_over(shop: Workshop) -> None:
    """As when a farm is updated: each is stopped in the middle and gives its jobs back as they stand."""
    shop.painters.seconds = 0.02
    accepted = [
        await shop.service.submit(prepared(saga=SAGAS[n % 2], product_id=f"tee-{n}", views=VIEWS)) for n in range(12)
    ]
    for _ in range(15):
        async with shop.running(shards=2):
            await asyncio.sleep(0.05)
        assert shop.painters.running == 0
        assert await shop.leases.held() == (), "a job was not given back"
    async with shop.running():
        records = [await shop.ended(job["id"]) for job in accepted]
    assert {record["status"] for record in records} == {"completed"}
    await check_promises(shop, *records)
