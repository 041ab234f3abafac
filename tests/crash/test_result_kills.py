"""SIGKILL around every append of a job that keeps its pictures, shows previews, or takes what was kept."""

import asyncio
from typing import Any

from tests.crash.coordinators import coordinator_process
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_promises
from tests.workshop import Workshop, baked, prepared

FRONT = "front_0deg"
KEPT = {"cache_days": 7.0}
APPENDS = range(4, 9)
"""From where the textures are composed to where the view is stored, with some to spare on both sides."""


async def _run(place: Place, shop: Workshop, failpoints: str, **request: Any) -> tuple[dict[str, Any], int]:
    async with coordinator_process(place, lease_s=0.4, **KEPT) as lives:
        wanted = prepared(product_id="tee", views=[FRONT], engine="cycles", **request)
        accepted = await shop.service.submit(wanted, failpoints=failpoints)
        record = await shop.ended(accepted["id"])
    assert set(lives.exit_codes) <= {-9}, "a coordinator died of something else"
    return record, lives.killed


async def test_killed_between_the_picture_and_its_note_nothing_is_rendered_again(place: Place) -> None:
    """The picture is kept before it is journaled, so a successor finds it; killed anywhere else, all is as ever."""
    async with open_shop(place, **KEPT) as shop:
        baked(shop.objects)
        cached: dict[int, bool] = {}
        for number in APPENDS:
            # Another cloth each time, or the second job would find what the first one kept.
            colour = f"#0000{number:02x}"
            record, killed = await _run(place, shop, f"journal.{number}.before=kill", fabric_color=colour)
            assert (record["status"], killed) == ("completed", 1)
            await check_promises(shop, record)
            cached[number] = record["views"][0]["cached"]
        assert True in cached.values(), cached
        assert False in cached.values(), cached


async def test_killed_while_it_takes_what_is_kept_a_job_takes_it_again(place: Place) -> None:
    async with open_shop(place, **KEPT) as shop:
        first, _ = await _run(place, shop, "")
        assert first["views"][0]["cached"] is False
        for number in APPENDS:
            for where in ("before", "after"):
                record, killed = await _run(place, shop, f"journal.{number}.{where}=kill")
                assert (record["status"], killed) == ("completed", 1)
                assert record["views"][0]["cached"] is True
                assert record["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]
                await check_promises(shop, record)


async def test_a_job_that_is_undone_leaves_what_it_finished_to_its_retry(place: Place) -> None:
    async with open_shop(place, **KEPT) as shop:
        failed, _ = await _run(place, shop, "store_outputs.inside=raise*99;journal.7.after=kill")
        assert failed["status"] == "failed"
        await check_promises(shop, failed)
        again, _ = await _run(place, shop, "")
        assert again["views"][0]["cached"] is True
        await asyncio.gather(shop.service.delete(failed["id"]), shop.service.delete(again["id"]))
        assert list(shop.objects.list("t/")) == []
        assert (await shop.audit()).findings == []
