"""Equal work is done once: over jobs, retries and crashes; unless it is forced, or what is kept is damaged."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.errors import BlenderCrashed, ObjectMissing, StorageUnavailable
from farm.render import results
from farm.render.ports import ObjectInfo, ViewTask
from farm.render.steps.shots import Camera
from farm.render.sweep import Sweep
from farm.saga.clock import FakeClock
from tests.workshop import Workshop, baked, prepared, workshop

FRONT, BACK = "front_0deg", "back_180deg"
DAY_S = 86_400.0


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog(), cache_days=7.0)


async def finished(shop: Workshop, *, force: bool = False, failpoints: str = "", **request: Any) -> dict[str, Any]:
    async with shop.running():
        accepted = await shop.service.submit(prepared(**request), force=force, failpoints=failpoints)
        return await shop.ended(accepted["id"])


def painted(shop: Workshop) -> list[str]:
    """What was rendered since the last look."""
    found = [view for _, view in shop.painters.painted]
    shop.painters.painted.clear()
    return found


def kept(shop: Workshop) -> list[str]:
    return [item.key for item in shop.objects.list("t/default/cache/")]


async def test_the_same_pictures_are_not_rendered_twice(shop: Workshop) -> None:
    first = await finished(shop, product_id="tee")
    assert len(painted(shop)) == 6
    second = await finished(shop, product_id="mug", priority=7)
    assert painted(shop) == []
    assert second["status"] == "completed"
    assert {view["cached"] for view in second["views"]} == {True}
    assert {view["cached"] for view in first["views"]} == {False}
    assert [one["sha256"] for one in second["artifacts"]] == [one["sha256"] for one in first["artifacts"]]
    assert [one["fingerprint"] for one in second["artifacts"]] == [one["fingerprint"] for one in first["artifacts"]]
    for artifact in second["artifacts"]:
        assert shop.objects.get(artifact["key"], sha256=artifact["sha256"])
    product = await shop.catalog.get_product("default", "mug")
    assert product is not None
    assert {entry.job_id for entry in product.media} == {second["id"]}
    report = await shop.audit()
    assert (report.findings, report.counted["kept"]) == ([], 12)


async def test_only_what_differs_is_rendered(shop: Workshop) -> None:
    await finished(shop, views=[FRONT])
    painted(shop)
    record = await finished(shop, views=[FRONT, BACK])
    assert painted(shop) == [BACK]
    assert {view["view"]: view["cached"] for view in record["views"]} == {FRONT: True, BACK: False}
    await finished(shop, views=[FRONT], fabric_color="navy")
    assert painted(shop) == [FRONT]


async def test_another_tenant_has_a_cache_of_its_own(shop: Workshop) -> None:
    await finished(shop, views=[FRONT])
    async with shop.running():
        accepted = await shop.service.submit(prepared(views=[FRONT]), tenant="rival")
        await shop.ended(accepted["id"])
    assert painted(shop) == [FRONT, FRONT]


async def test_force_renders_all_the_same_and_keeps_the_new(shop: Workshop) -> None:
    await finished(shop, views=[FRONT])
    await finished(shop, views=[FRONT], force=True)
    assert painted(shop) == [FRONT, FRONT]
    await finished(shop, views=[FRONT])
    assert painted(shop) == []


async def test_a_damaged_picture_is_rendered_again_and_replaced(shop: Workshop) -> None:
    first = await finished(shop, views=[FRONT])
    key = keys.cached("default", first["artifacts"][0]["fingerprint"])
    shop.objects.put(key, b"rot", content_type="image/png")
    second = await finished(shop, views=[FRONT])
    assert painted(shop) == [FRONT, FRONT]
    assert shop.objects.get(key, sha256=second["artifacts"][0]["sha256"])
    assert (await shop.audit()).findings == []


async def test_a_retry_renders_only_the_views_that_were_not_finished(shop: Workshop) -> None:
    async def crash(task: ViewTask) -> None:
        if task.view == BACK:
            while (await shop.service.get(task.job_id))["views"][0]["status"] != "done":
                await asyncio.sleep(0.01)
            raise BlenderCrashed(view=task.view, reason="drill")

    # A retry reads its template anew, and this one stands in a folder: the first job's is made up.
    first = await finished(shop, views=[FRONT])
    shop.painters.before = crash
    async with shop.running():
        failed = await shop.ended(
            (await shop.service.retry(first["id"], {"views": [FRONT, BACK], "product_id": "tee"}))["id"]
        )
    assert (failed["status"], failed["error"]["code"]) == ("failed", "blender_crashed")
    report = await shop.audit()
    assert (report.findings, report.retained) == ([], 1), "what is kept is the cache's, not the job's"
    assert [item.key for item in shop.objects.list(keys.job("default", failed["id"]))] == [
        keys.design("default", failed["id"], 0)
    ]
    shop.painters.before = None
    painted(shop)
    async with shop.running():
        again = await shop.ended((await shop.service.retry(failed["id"]))["id"])
        assert painted(shop) == [BACK]
        forced = await shop.ended((await shop.service.retry(failed["id"], force=True))["id"])
    assert sorted(painted(shop)) == [BACK, FRONT]
    assert (again["status"], again["retried_from"]) == ("completed", failed["id"])
    assert {view["view"]: view["cached"] for view in again["views"]} == {FRONT: True, BACK: False}
    assert {view["cached"] for view in forced["views"]} == {False}


async def test_a_film_takes_its_frames(shop: Workshop) -> None:
    await finished(shop, mode="animation-only")
    assert len(painted(shop)) == 2
    record = await finished(shop, mode="all", views=[FRONT], model=False)
    assert painted(shop) == [FRONT], "a frame at the front is not the view's own picture"
    assert record["film"] == {"frames_done": 2, "frames": 2, "relit": 0, "cached": 2}


async def test_relit_pictures_are_kept_by_their_bake(shop: Workshop) -> None:
    baked(shop.objects)
    await finished(shop, engine="relight", views=[FRONT])
    await finished(shop, engine="relight", views=[FRONT], samples=33)
    assert len(shop.painters.relit) == 1
    baked(shop.objects, delta_e=0.1)
    await finished(shop, engine="relight", views=[FRONT])
    assert len(shop.painters.relit) == 2


async def test_deleting_a_job_takes_what_is_kept_of_its_design(shop: Workshop) -> None:
    record = await finished(shop, views=[FRONT])
    await finished(shop, views=[BACK])
    assert len(kept(shop)) == 4
    await shop.service.delete(record["id"], keep_media=True)
    assert kept(shop) == []
    painted(shop)
    await finished(shop, views=[FRONT])
    assert painted(shop) == [FRONT]


async def test_what_was_kept_long_enough_goes_with_the_sweep(shop: Workshop) -> None:
    record = await finished(shop, views=[FRONT])
    clock = FakeClock()
    await clock.advance(shop.objects.head(kept(shop)[0]).modified_s + 7 * DAY_S - 60 - clock.wall_s())  # type: ignore[union-attr]
    sweep = Sweep(sagas=shop.sagas, parts=shop.parts, clock=clock)
    assert await sweep.run() == 0
    await clock.advance(3600 + 120)
    assert await sweep.run() == 2
    assert kept(shop) == []
    assert (await shop.service.get(record["id"]))["status"] == "completed"


async def test_what_the_sweep_forgot_is_named_by_the_audit(shop: Workshop) -> None:
    await finished(shop, views=[FRONT])
    object.__setattr__(shop.settings, "cache_days", -1.0)
    assert {(finding.kind, finding.subject) for finding in (await shop.audit()).findings} == {
        ("orphan_object", key) for key in kept(shop)
    }
    object.__setattr__(shop.settings, "cache_days", 7.0)
    shop.objects.put("t/default/cache/of/nobody", b"x", content_type="image/png")
    assert [finding.subject for finding in (await shop.audit()).findings] == ["t/default/cache/of/nobody"]


async def test_a_drill_of_workers_meets_a_worker(shop: Workshop) -> None:
    await finished(shop, views=[FRONT])
    await finished(shop, views=[FRONT], failpoints="worker.render=crash*1")
    assert painted(shop) == [FRONT, FRONT]


async def test_a_coordinator_killed_between_keeping_and_its_note_costs_no_render(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is kept first: whoever takes the job up finds it, though its journal knows nothing of it."""
    whole = Camera.make

    async def cut_short(camera: Camera, *args: Any) -> Any:
        await whole(camera, *args)
        await asyncio.Event().wait()  # here the process dies

    monkeypatch.setattr(Camera, "make", cut_short)
    accepted = await shop.service.submit(prepared(views=[FRONT], product_id="tee"))
    async with shop.running():
        async with asyncio.timeout(10):
            while not any("/cache/of/" not in key for key in kept(shop)):
                await asyncio.sleep(0.01)
    monkeypatch.setattr(Camera, "make", whole)
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert record["status"] == "completed"
    assert painted(shop) == [FRONT]
    assert record["views"][0]["cached"] is True
    assert (await shop.audit()).findings == []


async def test_a_copy_that_no_note_knows_goes_with_its_attempt(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    await finished(shop, views=[FRONT])
    whole = Camera.kept

    async def cut_short(camera: Camera, *args: Any) -> Any:
        await whole(camera, *args)
        await asyncio.Event().wait()

    monkeypatch.setattr(Camera, "kept", cut_short)
    accepted = await shop.service.submit(prepared(views=[FRONT]))
    prefix = keys.work("default", accepted["id"])
    async with shop.running():
        async with asyncio.timeout(10):
            while not any(item.key.endswith(f"/{FRONT}.png") for item in shop.objects.list(prefix)):
                await asyncio.sleep(0.01)
    monkeypatch.setattr(Camera, "kept", whole)
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert record["status"] == "completed"
    assert list(shop.objects.list(prefix)) == []
    assert (await shop.audit()).findings == []


async def test_a_store_that_cannot_keep_fails_no_job(tmp_path: Path) -> None:
    class Full(MemoryStore):
        def put(self, key: str, data: bytes, *, content_type: str) -> str:
            if keys.is_cached(key):
                raise StorageUnavailable(reason="no room")
            return super().put(key, data, content_type=content_type)

    shop = workshop(tmp_path, open_memory(), Full(), MemoryCatalog(), cache_days=7.0)
    assert (await finished(shop, views=[FRONT]))["status"] == "completed"
    assert kept(shop) == []


async def test_a_forecast_tells_what_is_kept(shop: Workshop) -> None:
    await finished(shop, views=[FRONT])
    told = await shop.service.forecast(prepared(views=[FRONT, BACK]))
    assert [view["cached"] for view in told["views"]] == [True, False]
    forced = await shop.service.forecast(prepared(views=[FRONT, BACK]), force=True)
    assert [view["cached"] for view in forced["views"]] == [False, False]
    assert told["core_s"] < forced["core_s"]
    await finished(shop, mode="animation-only")
    assert (await shop.service.forecast(prepared(mode="animation-only")))["frames_cached"] == 2


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_equal_jobs_at_the_same_moment_render_once(shop: Workshop, saga: str) -> None:
    shop.painters.seconds = 0.05
    wanted = [prepared(views=[FRONT, BACK], product_id=f"tee-{number}", saga=saga) for number in range(5)]
    ids = [(await shop.service.submit(one))["id"] for one in wanted]
    async with shop.running():
        records = [await shop.ended(job_id) for job_id in ids]
    assert {record["status"] for record in records} == {"completed"}
    assert sorted(painted(shop)) == [BACK, FRONT]
    assert len({record["artifacts"][0]["sha256"] for record in records}) == 1
    assert (await shop.audit()).findings == []


async def test_who_waited_in_vain_renders_itself(shop: Workshop) -> None:
    """The one that went ahead fails, or is cancelled: each failure stays its own."""
    began = asyncio.Event()

    async def first_hangs(task: ViewTask) -> None:
        if not began.is_set():
            began.set()
            await asyncio.Event().wait()

    shop.painters.before = first_hangs
    async with shop.running():
        ids = [(await shop.service.submit(prepared(views=[FRONT])))["id"]]
        await began.wait()
        ids += [(await shop.service.submit(prepared(views=[FRONT])))["id"] for _ in range(2)]
        await asyncio.sleep(0.1)
        assert painted(shop) == [FRONT]
        await shop.service.cancel(ids[0])
        records = [await shop.ended(job_id) for job_id in ids]
    assert [record["status"] for record in records] == ["cancelled", "completed", "completed"]
    assert painted(shop) == [FRONT]
    assert sorted(record["views"][0]["cached"] for record in records[1:]) == [False, True]


async def test_an_urgent_job_does_not_wait_for_one_that_is_not(shop: Workshop) -> None:
    began = asyncio.Event()

    async def slow(task: ViewTask) -> None:
        if task.request["priority"] < 0:
            began.set()
            await asyncio.Event().wait()

    shop.painters.before = slow
    await shop.service.submit(prepared(views=[FRONT], priority=-50))
    async with shop.running():
        await began.wait()
        urgent = (await shop.service.submit(prepared(views=[FRONT])))["id"]
        assert (await shop.ended(urgent))["status"] == "completed"


class _Asked(MemoryStore):
    """Counts how often something that is not there is asked for."""

    missed = listed = 0

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        try:
            return super().get(key, sha256=sha256)
        except ObjectMissing:
            self.missed += "/cache/of/" in key
            raise

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self.listed += "/cache/of/" in prefix
        return super().list(prefix)


async def test_what_is_not_kept_is_looked_for_once_however_many_pictures(tmp_path: Path) -> None:
    store = _Asked()
    shop = workshop(tmp_path, open_memory(), store, MemoryCatalog(), cache_days=7.0, film_frames=12)
    await finished(shop, mode="all", model=False)
    assert (store.missed, store.listed) == (0, 2)  # once for the stills, once for the frames
    assert len(painted(shop)) == 6 + 12
    await finished(shop, mode="all", model=False)
    assert painted(shop) == []


async def test_of_a_design_with_very_many_kept_pictures_each_is_asked_for(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_LISTED", 3)
    await finished(shop)
    painted(shop)
    assert {view["cached"] for view in (await finished(shop))["views"]} == {True}
    assert painted(shop) == []
