import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.errors import BlenderCrashed, Conflict, DesignGone, InvalidRequest, JobEnded, NotFound
from farm.render.ports import ViewTask
from farm.render.sagas import Sagas
from farm.saga.step import SagaDefinition
from tests.workshop import Workshop, prepared, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())


async def _finished(shop: Workshop, **request: Any) -> dict[str, Any]:
    async with shop.running():
        return await shop.ended((await shop.service.submit(prepared(**request)))["id"])


async def test_a_job_ends_with_its_pictures_on_the_product(shop: Workshop) -> None:
    record = await _finished(shop, product_id="tee")
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert [entry.view for entry in product.media] == record["request"]["views"]
    assert product.thumbnail == record["outputs"]["front_0deg.png"]
    assert record["progress"] == 100.0
    assert [view["status"] for view in record["views"]] == ["done"] * 6
    assert (await shop.audit()).findings == []


async def test_nothing_temporary_is_left(shop: Workshop) -> None:
    record = await _finished(shop)
    left = {item.key for item in shop.objects.list("t/")}
    job = keys.job("default", record["id"])
    outputs = {keys.out("default", record["id"], name) for name in record["outputs"]}
    assert left == outputs | {job + "design/0.png", job + "manifest.json"}


async def test_cancelling_a_waiting_job_leaves_nothing(shop: Workshop) -> None:
    accepted = await shop.service.submit(prepared(product_id="tee"))
    await shop.service.cancel(accepted["id"])
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert record["status"] == "cancelled"
    assert list(shop.objects.list("t/")) == []
    assert (await shop.audit()).findings == []
    with pytest.raises(JobEnded):
        await shop.service.cancel(accepted["id"])


async def test_a_failed_job_keeps_its_design_and_can_be_retried_with_changes(shop: Workshop) -> None:
    def crash(task: ViewTask) -> None:
        raise BlenderCrashed(view=task.view, reason="drill")

    shop.painters.before = crash
    failed = await _finished(shop, product_id="tee", fabric_color="navy")
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "blender_crashed"
    report = await shop.audit()
    assert (report.findings, report.retained) == ([], 1)

    shop.painters.before = None
    async with shop.running():
        again = await shop.service.retry(failed["id"], {"fabric_color": "red", "size": 96})
        record = await shop.ended(again["id"])
    assert record["status"] == "completed"
    assert (record["retried_from"], record["retry_count"]) == (failed["id"], 1)
    assert record["request"]["fabric_color"] == "#c8102e"
    assert record["request"]["size"] == 96
    assert record["request"]["product_id"] == "tee"


async def test_each_view_is_tried_as_often_as_the_settings_say(shop: Workshop) -> None:
    tries: dict[str, int] = {}

    def crash_at_first(task: ViewTask) -> None:
        tries[task.view] = tries.get(task.view, 0) + 1
        if tries[task.view] < shop.settings.view_attempts:
            raise BlenderCrashed(view=task.view, reason="drill")

    shop.painters.before = crash_at_first
    record = await _finished(shop)
    assert record["status"] == "completed"
    assert {view["attempts"] for view in record["views"]} == {shop.settings.view_attempts}


async def test_a_retry_without_its_design_says_so(shop: Workshop) -> None:
    record = await _finished(shop)
    shop.objects.delete([keys.design("default", record["id"], 0)])
    with pytest.raises(DesignGone):
        await shop.service.retry(record["id"])


async def test_deleting_takes_everything(shop: Workshop) -> None:
    record = await _finished(shop, product_id="tee")
    await shop.service.delete(record["id"])
    with pytest.raises(NotFound):
        await shop.service.get(record["id"])
    assert list(shop.objects.list("t/")) == []
    product = await shop.catalog.get_product("default", "tee")
    assert product is None or product.media == ()
    assert (await shop.audit()).findings == []


async def test_a_running_job_is_neither_deleted_nor_retried(shop: Workshop) -> None:
    accepted = await shop.service.submit(prepared())
    with pytest.raises(Conflict):
        await shop.service.delete(accepted["id"])
    with pytest.raises(Conflict):
        await shop.service.retry(accepted["id"])


@pytest.mark.parametrize("job_id", ["", "job_", "../../etc/passwd", "job_" + "i" * 26, "x" * 100_000])
async def test_an_unknown_id_is_not_found(shop: Workshop, job_id: str) -> None:
    with pytest.raises(NotFound):
        await shop.service.get(job_id)


async def test_lists_go_from_new_to_old_in_pages(shop: Workshop) -> None:
    ids = [(await shop.service.submit(prepared(product_id=f"tee-{number % 2}")))["id"] for number in range(5)]
    first, cursor = await shop.service.list(limit=3)
    rest, end = await shop.service.list(limit=3, cursor=cursor)
    assert sorted(job["id"] for job in [*first, *rest]) == sorted(ids)
    assert end is None
    assert len((await shop.service.list(product_id="tee-1"))[0]) == 2
    with pytest.raises(InvalidRequest):
        await shop.service.list(status="lost")


async def test_twenty_jobs_run_two_at_a_time_first_in_first_out(shop: Workshop) -> None:
    shop.painters.seconds = 0.005
    ids = [(await shop.service.submit(prepared(views=["front_0deg"])))["id"] for _ in range(20)]
    async with shop.running(concurrency=2):
        records = [await shop.ended(job_id) for job_id in ids]
    assert {record["status"] for record in records} == {"completed"}
    assert shop.painters.most == 2
    begun = [job_id for job_id, _ in shop.painters.painted]
    assert all(abs(begun.index(job_id) - position) <= 1 for position, job_id in enumerate(ids))


async def test_a_higher_priority_overtakes(shop: Workshop) -> None:
    ids = [(await shop.service.submit(prepared(views=["front_0deg"], priority=n)))["id"] for n in (0, 0, 5)]
    async with shop.running(concurrency=1):
        for job_id in ids:
            await shop.ended(job_id)
    assert [job_id for job_id, _ in shop.painters.painted] == [ids[2], ids[0], ids[1]]


async def test_a_film_is_one_more_output(shop: Workshop) -> None:
    record = await _finished(shop, mode="all", product_id="tee")
    assert set(record["outputs"]) == {
        *(f"{view}.png" for view in record["request"]["views"]),
        "animation.mp4",
        "model.glb",
    }
    assert record["film"] == {"frames_done": 2, "frames": 2, "relit": 0, "cached": 0}
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert record["outputs"]["animation.mp4"] in str(product.metadata)


async def test_a_model_comes_with_all_or_alone_and_goes_to_the_products_metadata(shop: Workshop) -> None:
    everything = await _finished(shop, mode="all", product_id="tee")
    assert everything["model"]["status"] == "done"
    alone = await _finished(shop, model=True, views=[], product_id="mug")
    assert list(alone["outputs"]) == ["model.glb"]
    assert alone["views"] == []
    assert alone["model"]["url"] == alone["outputs"]["model.glb"]
    assert alone["media_ids"] == []
    product = await shop.catalog.get_product("default", "mug")
    assert product is not None
    assert alone["outputs"]["model.glb"] in str(product.metadata)
    assert product.media == ()
    without = await _finished(shop, mode="all", model=False, views=["front_0deg"])
    assert set(without["outputs"]) == {"front_0deg.png", "animation.mp4"}
    assert without["model"] is None
    assert (await shop.audit()).findings == []


async def test_a_model_has_a_fingerprint_of_what_it_is_made_of_and_no_more(shop: Workshop) -> None:
    def of(record: dict[str, Any]) -> str:
        return next(str(one["fingerprint"]) for one in record["artifacts"] if one["kind"] == "model")

    plain = await _finished(shop, model=True, views=[])
    assert of(await _finished(shop, model=True, views=["back_180deg"], size=128, samples=3)) == of(plain)
    assert of(await _finished(shop, model=True, views=[], fabric_color="navy")) != of(plain)


async def test_a_model_that_fails_is_built_again_and_then_fails_its_job_without_a_trace(shop: Workshop) -> None:
    shop.painters.spoiled_models = 1
    record = await _finished(shop, model=True, views=["front_0deg"])
    assert record["model"]["attempts"] == 2
    shop.painters.spoiled_models = 99
    job = await shop.service.submit(prepared(model=True, views=[], product_id="tee"))
    async with shop.running():
        failed = await shop.ended(job["id"])
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "bad_model"
    assert failed["outputs"] == {}
    assert (await shop.audit()).findings == []


async def test_pictures_have_the_asked_shape(shop: Workshop) -> None:
    record = await _finished(shop, views=["front_0deg"], size=100, aspect="8:10")
    assert record["request"]["aspect"] == "4:5"
    assert [(one["width_px"], one["height_px"]) for one in record["artifacts"]] == [(80, 100)]


async def test_the_film_alone_has_no_stills(shop: Workshop) -> None:
    record = await _finished(shop, mode="animation-only")
    assert list(record["outputs"]) == ["animation.mp4"]
    assert record["views"] == []
    assert (await shop.audit()).findings == []


async def test_a_newer_job_takes_the_place_of_an_older_one_and_gives_it_back(shop: Workshop) -> None:
    older = await _finished(shop, product_id="tee")
    newer = await _finished(shop, product_id="tee", views=["back_180deg"])
    assert (await shop.service.get(older["id"]))["superseded_by"] == newer["id"]
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert [entry.url for entry in product.media] == [newer["outputs"]["back_180deg.png"]]
    assert product.thumbnail == newer["outputs"]["back_180deg.png"]
    assert (await shop.audit()).findings == []

    newest = await _finished(shop, product_id="tee")
    await shop.service.delete(newer["id"])
    assert (await shop.service.get(older["id"]))["superseded_by"] == newest["id"]
    assert (await shop.audit()).findings == []
    await shop.service.delete(newest["id"])
    assert (await shop.service.get(older["id"]))["superseded_by"] is None
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert [entry.url for entry in product.media] == list(older["outputs"].values())
    assert (await shop.audit()).findings == []


async def test_another_colour_stays_beside_it(shop: Workshop) -> None:
    red = await _finished(shop, product_id="tee", fabric_color="red")
    navy = await _finished(shop, product_id="tee", fabric_color="navy")
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert {entry.job_id for entry in product.media} == {red["id"], navy["id"]}
    assert len(product.media) == 12
    assert (await shop.audit()).findings == []


async def test_following_an_ended_job_ends(shop: Workshop) -> None:
    record = await _finished(shop)
    async with asyncio.timeout(5):
        events = [event async for event in shop.service.follow(record["id"])]
        assert [event async for event in shop.service.follow(record["id"], after=len(events))] == []


async def test_a_poisoned_view_fails_its_job_with_the_cause_and_says_a_retry_may_help(shop: Workshop) -> None:
    def crash(task: ViewTask) -> None:
        if task.view == "back_180deg":
            raise BlenderCrashed(view=task.view, reason="drill")

    shop.painters.before = crash
    record = await _finished(shop)
    assert record["error"]["code"] == "blender_crashed"
    assert record["error"]["retryable"] is True
    assert f"failed {shop.settings.view_attempts} times" in record["error"]["message"]
    backs = [view for _, view in shop.painters.painted if view == "back_180deg"]
    assert len(backs) == shop.settings.view_attempts, "the step began all over again"


@pytest.mark.parametrize(
    ("first", "overrides", "panel"),
    [
        ({"placements": [{"y_cm": 20, "width_cm": 10}]}, {"preset": "back-large"}, "back"),
        ({}, {"preset": "back-large"}, "back"),
        ({"preset": "back-large"}, {"format": "jpeg"}, "back"),
    ],
)
async def test_a_retry_can_print_elsewhere(
    shop: Workshop, first: dict[str, Any], overrides: dict[str, Any], panel: str
) -> None:
    record = await _finished(shop, **first)
    again = await shop.service.retry(record["id"], overrides)
    assert [placement["panel"] for placement in again["request"]["placements"]] == [panel]


async def test_a_film_keeps_the_number_of_frames_it_was_accepted_with(shop: Workshop) -> None:
    accepted = await shop.service.submit(prepared(mode="animation-only"))
    object.__setattr__(shop.settings, "film_frames", 5)
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert record["film"] == {"frames_done": 2, "frames": 2, "relit": 0, "cached": 0}


async def test_deleting_a_job_may_leave_its_pictures_in_the_shop(shop: Workshop) -> None:
    record = await _finished(shop, product_id="tee")
    await shop.service.delete(record["id"], keep_media=True)
    with pytest.raises(NotFound):
        await shop.service.get(record["id"])
    assert (await shop.service.list())[0] == []
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert len(product.media) == 6
    assert (await shop.audit()).findings == []


async def test_a_job_that_nobody_can_drive_is_named(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Sagas, request: Mapping[str, Any]) -> SagaDefinition:
        raise KeyError(request["saga"])

    accepted = await shop.service.submit(prepared())
    monkeypatch.setattr(Sagas, "of", unknown)  # as in a version that knows no such saga
    async with shop.running(), asyncio.timeout(5):
        while not (report := await shop.audit()).findings:
            await asyncio.sleep(0.02)
    assert [(finding.kind, finding.subject) for finding in report.findings] == [("job_stuck", accepted["id"])]


async def test_equal_work_has_equal_fingerprints(shop: Workshop) -> None:
    def prints(record: dict[str, Any]) -> dict[str, str]:
        return {artifact["view"]: artifact["fingerprint"] for artifact in record["artifacts"]}

    first = prints(await _finished(shop, priority=1))
    assert len(set(first.values())) == 6
    assert prints(await _finished(shop, priority=2)) == first
    other = prints(await _finished(shop, fabric_color="red"))
    assert not set(other.values()) & set(first.values())


async def test_a_coordinator_goes_on_listening_whatever_the_doorbell_does(shop: Workshop, monkeypatch: Any) -> None:
    monkeypatch.setattr("farm.render.coordinator.POLL_S", 0.01)
    listened, real = [], shop.sagas.doorbell.listen

    async def ill() -> AsyncGenerator[str]:
        listened.append(1)
        if len(listened) == 1:
            raise RuntimeError("a defect")
        async for rung in real():
            yield rung

    monkeypatch.setattr(shop.sagas.doorbell, "listen", ill)
    async with shop.running():
        async with asyncio.timeout(10):
            while len(listened) < 2:
                await asyncio.sleep(0.01)
