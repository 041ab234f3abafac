"""Catalogue runs from the first row to the report, on a real store; with everything that rows can meet."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from farm.adapters.memory_heartbeat import MemoryProgressBoard
from farm.domain import keys
from farm.errors import BadPicture, BlenderCrashed, Conflict, FetchFailed
from farm.render.catalog.plan import Plan, Planner
from farm.render.estimate import CROWDED, ROW_S
from tests.catalogue_shop import CatalogueShop, open_catalogue
from tests.crash.places import Place
from tests.workshop import prepared


@pytest.fixture
async def farm(place: Place) -> AsyncIterator[CatalogueShop]:
    async with open_catalogue(place) as shop:
        yield shop


def rows(farm: CatalogueShop, count: int, **cells: Any) -> list[dict[str, Any]]:
    return [
        {"product_id": f"tee-{number}", "design": farm.design(f"{number}.png", (number % 250, 3, 4)), **cells}
        for number in range(1, count + 1)
    ]


async def test_every_row_is_completed_once_and_the_products_show_it(farm: CatalogueShop) -> None:
    async with farm.running():
        run_id = await farm.start(rows(farm, 12, fabric_color="white|navy"))
        record = await farm.ended(run_id)
    report = await farm.report(run_id)
    assert record["status"] == "completed"
    assert (record["counts"]["completed"], record["rows"], record["rows_done"]) == (24, 24, 24)
    assert [(row.row, row.variant) for row in report] == [(n, v) for n in range(1, 13) for v in (0, 1)]
    assert {row.status for row in report} == {"completed"}
    assert all(row.job_id and row.fingerprint and list(row.outputs) == ["front_0deg"] for row in report)
    assert len({row.job_id for row in report}) == 24
    product = await farm.shop.catalog.get_product("default", "tee-7")
    assert product is not None
    assert [entry.fabric_color for entry in product.media] == ["#ffffff", "#1f2a44"]
    job = await farm.shop.service.get(str(report[0].job_id))
    assert job["status"] == "completed"
    assert job["run"]["id"] == run_id
    manifest = json.loads(farm.shop.objects.get(keys.manifest_of(job)))
    assert manifest["jobs"][job["id"]]["outputs"] == job["artifacts"]
    assert (await farm.audit()).findings == []


async def test_its_movement_is_seen_row_by_row_within_a_slice(place: Place) -> None:
    seen: list[tuple[int, int]] = []
    async with open_catalogue(place, catalog_batch_rows=12) as farm:
        live = farm.shop.service.live
        assert isinstance(live, MemoryProgressBoard)
        farm.painters.live, farm.painters.slots = live, 1

        async def shown(row: Mapping[str, Any]) -> None:
            made = int(row["design"].rpartition("/")[2].partition(".")[0]) - 1  # rows before this one
            async with asyncio.timeout(20):
                while (run := await farm.service.get(run_id))["rows_made"] < made:
                    await asyncio.sleep(0.05)
            seen.append((run["rows_made"], run["rows_done"]))

        farm.painters.before = shown
        run_id = await farm.start(rows(farm, 12))
        async with farm.running():
            ended = await farm.ended(run_id)
    assert seen == [(made, 0) for made in range(12)], "each row shows while the slice is under way"
    assert (ended["rows_made"], ended["rows_done"], ended["rows_per_s"], ended["seconds_left"]) == (12, 12, None, None)


async def test_a_plan_goes_by_what_a_run_taught(farm: CatalogueShop) -> None:
    async def planned() -> Plan:
        return await Planner(farm.kit, tenant="default", cores=2, force=True).plan(farm.items(rows(farm, 40)))

    async with farm.running():
        before = await planned()
        await farm.ended(await farm.start(rows(farm, 12)))
        after = await planned()
    learned = (await farm.kit.paces.read()).learned
    assert learned["relight/64/png/alone"] == pytest.approx(0.0075), "the painters say how long they took"
    assert learned["print/64//alone"] == pytest.approx(0.0025)
    assert (before.views, after.views) == (40, 40)
    assert after.core_s == pytest.approx(40 * 0.01)
    assert after.core_s < before.core_s / 5
    assert after.seconds == pytest.approx(learned["start"] + (40 * 0.01 + 40 * ROW_S) * CROWDED / 2)


async def test_a_second_run_renders_nothing_and_a_third_only_what_changed(farm: CatalogueShop) -> None:
    lines = rows(farm, 12)
    async with farm.running():
        first = await farm.start(lines)
        await farm.ended(first)
        painted = len(farm.painters.painted)
        second = await farm.start(lines)
        again = await farm.ended(second)
        assert len(farm.painters.painted) == painted
        assert again["counts"]["cached"] == 12
        before, after = await farm.report(first), await farm.report(second)
        assert [row.job_id for row in after] == [row.job_id for row in before]
        assert {(row.status, row.code, row.cached) for row in after} == {("completed", "unchanged", True)}
        farm.design("5.png", (9, 9, 9))
        third = await farm.start(lines)
        await farm.ended(third)
    assert [design.rpartition("/")[2] for _, design in farm.painters.painted[painted:]] == ["5.png"]
    report = await farm.report(third)
    assert [row.row for row in report if not row.cached] == [5]
    product = await farm.shop.catalog.get_product("default", "tee-5")
    assert product is not None
    assert len(product.media) == 1, "still one set"
    assert product.media[0].job_id == report[4].job_id
    assert (await farm.audit()).findings == []


async def test_force_renders_again(farm: CatalogueShop) -> None:
    lines = rows(farm, 3)
    async with farm.running():
        await farm.ended(await farm.start(lines))
        await farm.ended(await farm.start(lines, force=True))
    assert len(farm.painters.painted) == 6


async def test_a_picture_that_was_lost_is_rendered_again(farm: CatalogueShop) -> None:
    lines = rows(farm, 3)
    async with farm.running():
        first = await farm.start(lines)
        await farm.ended(first)
        job = await farm.shop.service.get(str((await farm.report(first))[1].job_id))
        farm.shop.objects.delete([job["artifacts"][0]["key"]])
        second = await farm.start(lines)
        await farm.ended(second)
    assert [row.cached for row in await farm.report(second)] == [True, False, True]


async def test_bad_rows_are_reported_and_stop_nothing(farm: CatalogueShop) -> None:
    lines = rows(farm, 8)
    lines[2]["size"] = "huge"
    lines[4]["design"] = "not-there.png"
    lines[5]["preset"] = "nowhere"
    lines[6]["template"] = "no-such-garment"
    async with farm.running():
        run_id = await farm.start(lines)
        record = await farm.ended(run_id)
    report = await farm.report(run_id)
    assert record["status"] == "completed"
    assert (record["counts"]["completed"], record["counts"]["failed"], record["counts"]["bad"]) == (4, 4, 4)
    assert {row.row: row.code for row in report if row.status == "failed"} == {
        3: "invalid_request",
        5: "design_not_found",
        6: "invalid_request",
        7: "not_found",
    }
    assert all(row.hint and row.message and row.product_id for row in report if row.status == "failed")
    assert (await farm.audit()).findings == []


async def test_a_row_whose_picture_is_bad_fails_alone_and_leaves_nothing(farm: CatalogueShop) -> None:
    def spoil(row: Mapping[str, Any]) -> None:
        if row["design"].endswith("/4.png"):
            raise BadPicture(view="front_0deg", reason="blank")

    farm.painters.before = spoil
    async with farm.running():
        run_id = await farm.start(rows(farm, 6))
        await farm.ended(run_id)
    report = await farm.report(run_id)
    assert [row.status for row in report] == ["completed"] * 3 + ["failed"] + ["completed"] * 2
    assert report[3].code == "bad_picture"
    job = await farm.shop.service.get(str(report[3].job_id))
    assert (job["status"], job["error"]["code"]) == ("failed", "bad_picture")
    assert await farm.shop.catalog.get_product("default", "tee-4") is None
    assert (await farm.audit()).findings == []


async def test_a_row_that_kills_its_worker_fails_alone(farm: CatalogueShop) -> None:
    def kill(row: Mapping[str, Any]) -> None:
        if row["design"].endswith("/2.png"):
            raise BlenderCrashed(view="rows", reason="killed")

    farm.painters.before = kill
    async with farm.running():
        run_id = await farm.start(rows(farm, 5))
        await farm.ended(run_id)
    report = await farm.report(run_id)
    assert [row.status for row in report] == ["completed", "failed", "completed", "completed", "completed"]
    assert report[1].code == "blender_crashed"
    assert (await farm.audit()).findings == []


async def test_a_server_that_stumbles_is_asked_again(farm: CatalogueShop) -> None:
    asked: Counter[str] = Counter()

    def stumble(row: Mapping[str, Any]) -> None:
        asked[row["design"]] += 1
        if asked[row["design"]] == 1:
            raise FetchFailed(address=row["design"], reason="503")

    farm.painters.before = stumble
    async with farm.running():
        run_id = await farm.start(rows(farm, 4))
        record = await farm.ended(run_id)
    assert record["counts"]["completed"] == 4


async def test_past_its_failures_a_run_stops_and_says_what_it_skipped(farm: CatalogueShop) -> None:
    lines = [{"product_id": f"t-{n}", "design": "missing.png"} for n in range(10)] + rows(farm, 60)
    async with farm.running():
        run_id = await farm.start(lines, max_failures=5, window=5)
        record = await farm.ended(run_id)
        report = await farm.report(run_id)
        assert (record["status"], record["error"]["code"]) == ("failed", "run_stopped")
        assert record["skipped"] == Counter(row.status for row in report)["skipped"] > 0
        assert len(report) == 70
        again = await farm.service.retry(run_id, only=["skipped"])
        ended = await farm.ended(again["id"])
    assert ended["counts"]["completed"] == ended["rows"] == record["skipped"]
    assert (await farm.audit()).findings == []


async def test_a_cancelled_run_undoes_what_is_under_way_and_keeps_what_is_done(farm: CatalogueShop) -> None:
    farm.painters.seconds = 0.02
    async with farm.running():
        run_id = await farm.start(rows(farm, 60), window=10)
        while (await farm.service.get(run_id))["rows_done"] < 10:
            await asyncio.sleep(0.02)
        await farm.service.cancel(run_id)
        record = await farm.ended(run_id)
    report = await farm.report(run_id)
    seen = Counter(row.status for row in report)
    assert record["status"] == "cancelled"
    assert len(report) == 60 == sum(seen.values())
    assert seen["completed"] >= 10
    assert seen["skipped"] == record["skipped"] > 0
    assert seen["completed"] == record["counts"]["completed"]
    for row in report:
        product = await farm.shop.catalog.get_product("default", str(row.product_id))
        assert (product is not None) == (row.status == "completed"), row
    assert (await farm.audit()).findings == []


async def test_a_paused_run_begins_nothing_until_it_goes_on(farm: CatalogueShop) -> None:
    async with farm.running():
        run_id = await farm.start(rows(farm, 40), window=5)
        await farm.service.pause(run_id)
        assert (await farm.service.get(run_id))["status"] == "paused"
        await asyncio.sleep(1.0)
        done = (await farm.service.get(run_id))["rows_done"]
        await asyncio.sleep(0.5)
        assert (await farm.service.get(run_id))["rows_done"] == done < 40
        await farm.service.resume(run_id)
        record = await farm.ended(run_id)
    assert record["counts"]["completed"] == 40
    with pytest.raises(Conflict):
        await farm.service.pause(run_id)


async def test_ordinary_rows_are_ordinary_jobs_of_low_priority(farm: CatalogueShop) -> None:
    lines = rows(farm, 6)
    lines[1]["engine"] = lines[4]["engine"] = "cycles"
    async with farm.running():
        run_id = await farm.start(lines)
        record = await farm.ended(run_id)
        report = await farm.report(run_id)
        assert record["counts"]["completed"] == 6
        job = await farm.shop.service.get(str(report[1].job_id))
        assert job["priority"] < 0
        assert job["run"] == {"id": run_id, "row": 2, "variant": 0}
        assert len(farm.shop.painters.painted) == 2
        await farm.ended(await farm.start(lines))
    assert (await farm.audit()).findings == []


async def test_single_jobs_go_first(farm: CatalogueShop) -> None:
    farm.shop.painters.seconds = 0.4
    async with farm.running():
        job = await farm.shop.service.submit(prepared(views=["front_0deg"]))
        run_id = await farm.start(rows(farm, 3))
        await farm.shop.ended(job["id"])
        assert farm.painters.painted == []
        await farm.ended(run_id)
    assert len(farm.painters.painted) == 3


async def test_a_row_of_a_batch_cannot_be_cancelled_alone(farm: CatalogueShop) -> None:
    farm.painters.seconds = 0.3
    async with farm.running():
        run_id = await farm.start(rows(farm, 2))
        async with asyncio.timeout(20):
            while not (found := (await farm.shop.service.list(status="rendering"))[0]):
                await asyncio.sleep(0.01)
        with pytest.raises(Conflict, match=run_id):
            await farm.shop.service.cancel(found[0]["id"])
        await farm.ended(run_id)
