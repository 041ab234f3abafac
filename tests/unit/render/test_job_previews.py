"""A traced job shows relit pictures until its own are there; they cost it nothing and leave nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.errors import BadPicture, BlenderCrashed
from farm.render.ports import ViewTask
from farm.render.prepare import Prepared
from farm.render.steps import previews
from tests.workshop import Workshop, baked, prepared, workshop

FRONT, BACK = "front_0deg", "back_180deg"
VIEWS = [FRONT, BACK]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())


def traced(**request: Any) -> Prepared:
    return prepared(engine="cycles", **request)


def gate(shop: Workshop, *held: str) -> asyncio.Event:
    """Holds the rendering of these views, of all without names."""
    opened = asyncio.Event()

    async def hold(task: ViewTask) -> None:
        if not held or task.view in held:
            await opened.wait()

    shop.painters.before = hold
    return opened


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await look():
            await asyncio.sleep(0.01)


def shown(record: dict[str, Any]) -> dict[str, bool]:
    return {view["view"]: view["preview"] is not None for view in record["views"]}


async def events(shop: Workshop, job_id: str) -> list[dict[str, Any]]:
    return [event async for event in shop.service.follow(job_id)]


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_previews_come_at_once_and_give_way_view_by_view(shop: Workshop, saga: str) -> None:
    baked(shop.objects)
    opened = gate(shop, BACK)
    job = (await shop.service.submit(traced(views=VIEWS, product_id="tee", saga=saga)))["id"]

    async def back_alone() -> bool:
        record = await shop.service.get(job)
        return [view["status"] for view in record["views"]] == ["done", "waiting"] and shown(record)[BACK]

    async with shop.running():
        await until(back_alone)
        record = await shop.service.get(job)
        assert shown(record) == {FRONT: False, BACK: True}, "the picture itself took the preview's place"
        key = record["views"][1]["preview"]
        assert key.startswith(keys.work("default", job) + previews.PREVIEW)
        assert shop.objects.get(key)
        opened.set()
        record = await shop.ended(job)
    assert shown(record) == {FRONT: False, BACK: False}
    told = [event for event in await events(shop, job) if event["type"] == "render.job.preview_ready"]
    assert f"/v1/jobs/{job}/previews/{BACK}" in [event["data"]["preview_url"] for event in told]
    assert set(record["outputs"]) == {f"{view}.png" for view in VIEWS}
    assert [view["attempts"] for view in record["views"]] == [1, 1], "a preview is no attempt"
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert [entry.url for entry in product.media] == list(record["outputs"].values())
    assert list(shop.objects.list(keys.work("default", job))) == []
    assert (await shop.audit()).findings == []


@pytest.mark.parametrize("bake", [False, True])
async def test_without_a_bake_or_without_tracing_there_are_none(shop: Workshop, bake: bool) -> None:
    if bake:
        baked(shop.objects)
    async with shop.running():
        job = await shop.service.submit(prepared(views=VIEWS, engine="relight" if bake else "cycles"))
        record = await shop.ended(job["id"])
    assert [name for _, name in shop.painters.relit] == (VIEWS if bake else [])
    assert "render.job.preview_ready" not in [event["type"] for event in await events(shop, job["id"])]
    assert record["status"] == "completed"


async def test_a_preview_is_no_larger_than_its_bake(shop: Workshop) -> None:
    sizes = []
    opened = gate(shop)

    def look(task: ViewTask) -> None:
        sizes.append((task.name, task.request["size"], task.preview))
        if len(sizes) == 2:
            opened.set()

    shop.painters.before_relit = look
    baked(shop.objects, size_px=80)
    baked(shop.objects, FRONT, size_px=100)
    async with shop.running():
        job = await shop.service.submit(traced(views=VIEWS, size=128))
        await shop.ended(job["id"])
    assert sizes == [(f"preview_{FRONT}", 100, True), (f"preview_{BACK}", 80, True)]


@pytest.mark.parametrize("error", [BadPicture(view="x", reason="blank"), BlenderCrashed(view="x", reason="drill")])
async def test_a_preview_that_fails_fails_nothing_and_is_not_tried_again(shop: Workshop, error: Exception) -> None:
    def fail(task: ViewTask) -> None:
        raise error

    shop.painters.before_relit = fail
    shop.painters.seconds = 0.05
    baked(shop.objects)
    async with shop.running():
        record = await shop.ended((await shop.service.submit(traced(views=VIEWS)))["id"])
    assert record["status"] == "completed"
    assert record["last_error"] is None
    assert [view["attempts"] for view in record["views"]] == [1, 1]
    assert len(shop.painters.relit) <= 2
    assert (await shop.audit()).findings == []


@pytest.mark.parametrize("ending", ["completed", "cancelled", "failed"])
async def test_a_preview_that_hangs_delays_nothing_and_is_stopped(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(previews, "GRACE_S", 0.05)
    hanging, stopped = asyncio.Event(), asyncio.Event()

    async def hang(task: ViewTask) -> None:
        hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def held(task: ViewTask) -> None:
        await hanging.wait()
        if ending == "failed":
            raise BlenderCrashed(view=task.view, reason="drill")
        if ending == "cancelled":
            await shop.service.cancel(task.job_id)
            await asyncio.Event().wait()

    shop.painters.before, shop.painters.before_relit = held, hang
    baked(shop.objects)
    async with shop.running():
        job = await shop.service.submit(traced(views=[FRONT]))
        record = await shop.ended(job["id"], within_s=10)
    assert record["status"] == ending
    assert stopped.is_set()
    assert (await shop.audit()).findings == []


async def test_another_coordinator_makes_no_preview_twice(shop: Workshop) -> None:
    baked(shop.objects)
    opened = gate(shop)
    job = (await shop.service.submit(traced(views=VIEWS)))["id"]

    async def all_shown() -> bool:
        return all(shown(await shop.service.get(job)).values())

    async with shop.running():
        await until(all_shown)
    assert len(shop.painters.relit) == 2
    opened.set()
    async with shop.running():
        record = await shop.ended(job)
    assert record["status"] == "completed"
    assert len(shop.painters.relit) == 2


async def test_what_is_kept_needs_no_preview(tmp_path: Path) -> None:
    shop = workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog(), cache_days=7.0)
    async with shop.running():
        await shop.ended((await shop.service.submit(traced(views=[FRONT])))["id"])
        baked(shop.objects)
        shop.painters.seconds = 0.05
        await shop.ended((await shop.service.submit(traced(views=VIEWS)))["id"])
    assert [name for _, name in shop.painters.relit] == [f"preview_{BACK}"]
    assert not [item.key for item in shop.objects.list("t/default/cache/") if "preview" in item.key]
