"""The sweep removes what nobody owns any more, and nothing else."""

import asyncio
import os
import time
from dataclasses import replace
from typing import Any

import redis.asyncio

from farm.domain import keys
from farm.render.ports import Association, MediaEntry
from farm.render.sweep import Sweep
from farm.saga.clock import SystemClock
from tests.crash.places import Place
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared

VIEWS = ["front_0deg"]
FAILING = "complete_job.inside=raise*99"
DAY_S = 86_400.0
ENDED_BYTES = 10_000
"""What an ended job of six views may take in the store: record, events, last entry."""


def _sweep(shop: Workshop, **settings: Any) -> Sweep:
    parts = replace(shop.parts, settings=replace(shop.settings, **settings))
    return Sweep(sagas=shop.sagas, parts=parts, clock=SystemClock())


async def _run(shop: Workshop, failpoints: str = "") -> dict[str, Any]:
    async with shop.running():
        accepted = await shop.service.submit(prepared(product_id="tee", views=VIEWS), failpoints=failpoints)
        return await shop.ended(accepted["id"])


def _keys(shop: Workshop, prefix: str = "t/") -> set[str]:
    return {item.key for item in shop.objects.list(prefix)}


async def test_what_came_too_late_goes_and_the_rest_stays(shop: Workshop) -> None:
    done, failed = await _run(shop), await _run(shop, FAILING)
    waiting = await shop.service.submit(prepared(views=VIEWS))
    before = _keys(shop)
    for record in (done, failed):
        for key in ("work/late/front.png", "out/late.png"):
            shop.objects.put(keys.job("default", record["id"]) + key, b"late", content_type="image/png")
    assert len((await shop.audit()).findings) == 4
    assert await _sweep(shop).run() == 4
    assert _keys(shop) == before
    assert keys.design("default", failed["id"], 0) in before
    assert await _sweep(shop).run() == 0
    async with shop.running():
        await check_promises(shop, done, failed, await shop.ended(waiting["id"]))


async def test_media_that_came_too_late_go(shop: Workshop) -> None:
    """As a coordinator leaves them that was suspended between its last check and its write."""
    done, failed = await _run(shop), await _run(shop, FAILING)
    before = await shop.catalog.get_product("default", "tee")
    association = _association(failed)
    await shop.catalog.associate("default", "tee", association)
    assert "orphan_media" in {finding.kind for finding in (await shop.audit()).findings}
    await _sweep(shop).run()
    assert await shop.catalog.get_product("default", "tee") == before
    await check_promises(shop, done, failed)


def _association(record: dict[str, Any]) -> Association:
    url = f"https://pictures.example/{record['id']}.png"
    entry = MediaEntry(id=f"{record['id']}.front_0deg", url=url, view="front_0deg")
    colour = record["request"]["fabric_color"]
    return Association(job_id=record["id"], fabric_color=colour, entries=(entry,), thumbnail=url, replace=True)


async def test_designs_go_when_their_time_is_over(shop: Workshop) -> None:
    failed = await _run(shop, FAILING)
    assert await _sweep(shop, retry_days=1.0).run() == 0
    time.sleep(0.02)  # noqa: ASYNC251
    assert await _sweep(shop, retry_days=1e-7).run() == 1
    await check_promises(shop, failed)
    assert _keys(shop) == set()


async def test_uploads_without_a_job_go_after_a_day(shop: Workshop, place: Place) -> None:
    old, fresh = (keys.uploads("default", name) + "0.png" for name in ("old", "fresh"))
    for key in (old, fresh):
        shop.objects.put(key, b"upload", content_type="image/png")
    path = next((place.home / "objects").rglob("old/0.png"))
    os.utime(path, (time.time() - DAY_S - 60,) * 2)
    waiting = await shop.service.submit(prepared(views=VIEWS))
    assert await _sweep(shop).run() == 1
    (kept,) = _keys(shop) - {fresh}
    assert kept.startswith(keys.uploads("default", waiting["id"]))


async def test_jobs_are_tidied_whose_coordinator_died_right_behind_their_end(shop: Workshop) -> None:
    older = await _run(shop)
    newer = await _run(shop, "complete_job.after=hang")  # its coordinator is stopped before it could tidy
    assert len(await shop.sagas.journal.load(newer["id"])) > 1
    async with shop.running():
        pass
    await _sweep(shop).run()
    assert len(await shop.sagas.journal.load(newer["id"])) == 1
    assert (await shop.service.get(older["id"]))["superseded_by"] == newer["id"]
    await check_promises(shop, older, newer)


async def test_a_job_that_finds_no_room_ends_at_its_deadline(shop: Workshop) -> None:
    waiting = await shop.service.submit(prepared(views=VIEWS))
    hurried = replace(shop, settings=replace(shop.settings, job_deadline_s=0.2))
    async with hurried.running(concurrency=0):
        await asyncio.sleep(0.4)
        assert (await shop.service.get(waiting["id"]))["status"] == "pending"
        await _sweep(shop, job_deadline_s=0.2).run()
        record = await shop.ended(waiting["id"])
    assert (record["status"], record["error"]["code"]) == ("failed", "deadline_exceeded")
    assert shop.painters.painted == []
    assert (await shop.audit()).findings == []


async def test_pictures_that_no_product_shows_go_and_the_others_never(shop: Workshop) -> None:
    older, newer = await _run(shop), await _run(shop)
    async with shop.running():
        loose = await shop.ended((await shop.service.submit(prepared(views=VIEWS)))["id"])
    assert await _sweep(shop, output_days=1.0, record_days=1.0).run() == 0
    time.sleep(0.02)  # noqa: ASYNC251
    assert await _sweep(shop, output_days=1e-7).run() == 2 * 3  # design, picture, manifest
    assert {key.split("/")[3] for key in _keys(shop, "t/default/jobs/")} == {newer["id"]}
    for record in (older, loose):
        expired = await shop.service.get(record["id"])
        assert (expired["outputs"], expired["artifacts"], expired["status"]) == ({}, [], "completed")
        assert expired["outputs_expired_at"] is not None
    await check_promises(shop, newer)
    assert await _sweep(shop, output_days=1e-7).run() == 0

    await _sweep(shop, output_days=1e-7, record_days=1e-7).run()
    assert [record["id"] for record in (await shop.service.list())[0]] == [newer["id"]]
    assert (await shop.audit()).findings == []
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert {entry.job_id for entry in product.media} == {newer["id"]}


async def test_failed_jobs_are_forgotten_with_their_designs_and_never_before(shop: Workshop) -> None:
    failed = await _run(shop, FAILING)
    time.sleep(0.02)  # noqa: ASYNC251
    await _sweep(shop, record_days=1e-7, retry_days=1.0).run()
    assert (await shop.service.get(failed["id"]))["status"] == "failed", "its design is kept for a retry"
    await _sweep(shop, record_days=1e-7, retry_days=1e-8).run()
    assert await shop.sagas.records.get(failed["id"]) is None
    assert [key for key in _keys(shop) if failed["id"] in key] == []
    assert (await shop.audit()).findings == []


async def test_an_ended_job_takes_a_bounded_place_in_the_store(shop: Workshop, place: Place) -> None:
    shop.painters.report = {"total_s": 12.3, "device": "optix", "threads": 16, "node": "a" * 56, "samples": 64}
    async with shop.running():
        record = await shop.ended((await shop.service.submit(prepared(product_id="full")))["id"])
    before = await shop.service.get(record["id"])
    await _sweep(shop).run()
    async with redis.asyncio.Redis.from_url(place.store_url) as client:
        taken = {
            key.decode(): await client.memory_usage(key, samples=0) or 0
            async for key in client.scan_iter(f"*{record['id']}*")
        }
    print(f"an ended job of six views takes {sum(taken.values())} bytes: {taken}")
    assert sum(taken.values()) < ENDED_BYTES
    assert await shop.service.get(record["id"]) == before
