"""Both sagas, every step: an error before, inside and after the effect leaves nothing; one that passes leaves all."""

from typing import Any

import pytest

from farm.errors import FarmError
from farm.render.trail import STEPS
from tests.workshop import Workshop, prepared

POINTS = [f"{step}.{where}" for step in STEPS for where in ("before", "inside", "after")]
SAGAS = ("granular", "simple")


async def _run(shop: Workshop, failpoints: str, saga: str, **request: Any) -> dict[str, Any]:
    async with shop.running():
        accepted = await shop.service.submit(prepared(saga=saga, **request), failpoints=failpoints)
        return await shop.ended(accepted["id"])


async def _product(shop: Workshop) -> tuple[Any, Any]:
    product = await shop.catalog.get_product("default", "tee")
    return (product.media, product.thumbnail) if product else ((), None)


@pytest.mark.parametrize("saga", SAGAS)
@pytest.mark.parametrize("point", POINTS)
async def test_an_error_that_stays_undoes_the_job(shop: Workshop, point: str, saga: str) -> None:
    earlier = await _run(shop, "", saga, product_id="tee", fabric_color="red")
    before = await _product(shop)
    if point == "create_job.before":
        with pytest.raises(FarmError, match=r"create_job\.before"):
            await _run(shop, f"{point}=raise*99", saga, product_id="tee", fabric_color="red")
        jobs, _ = await shop.service.list()
        assert [job["id"] for job in jobs] == [earlier["id"]]
    else:
        record = await _run(shop, f"{point}=raise*99", saga, product_id="tee", fabric_color="red")
        if point == "complete_job.after":
            assert record["status"] == "completed"
            return
        assert record["status"] == "failed"
        assert record["error"]["code"]
        assert record["error"]["hint"]
        assert point in record["error"]["message"]
        assert record["outputs"] == {}
    report = await shop.audit()
    assert report.findings == []
    assert await _product(shop) == before


@pytest.mark.parametrize("saga", SAGAS)
@pytest.mark.parametrize("point", POINTS)
async def test_an_error_that_passes_is_survived(shop: Workshop, point: str, saga: str) -> None:
    record = await _run(shop, f"{point}=raise", saga, product_id="tee")
    assert record["status"] == "completed"
    assert len(record["outputs"]) == 6
    assert (await shop.audit()).findings == []
    painted = [view for _, view in shop.painters.painted]
    assert sorted(painted) == sorted(set(painted)), "a finished view was rendered again"


@pytest.mark.parametrize("saga", SAGAS)
@pytest.mark.parametrize("step", STEPS)
async def test_a_compensation_that_fails_at_first_is_tried_again(shop: Workshop, step: str, saga: str) -> None:
    failpoints = f"complete_job.inside=raise*99;compensate.{step}=raise*2"
    record = await _run(shop, failpoints, saga, product_id="tee")
    assert record["status"] == "failed"
    assert record["compensation_pending"] is False
    assert (await shop.audit()).findings == []
    assert await _product(shop) == ((), None)


@pytest.mark.parametrize("saga", SAGAS)
async def test_a_compensation_that_keeps_failing_waits_for_a_person(shop: Workshop, saga: str) -> None:
    failpoints = "complete_job.inside=raise*99;compensate.store_outputs=raise*6"
    record = await _run(shop, failpoints, saga, product_id="tee")
    assert record["status"] == "failed"
    assert record["compensation_pending"] is True
    assert [finding.kind for finding in (await shop.audit()).findings] == ["compensation_pending"]
    mended = await shop.service.compensate(record["id"])
    assert mended["compensation_pending"] is False
    assert (await shop.audit()).findings == []


@pytest.mark.parametrize("saga", SAGAS)
async def test_statuses_and_events_come_in_order(shop: Workshop, saga: str) -> None:
    record = await _run(shop, "", saga, product_id="tee")
    events = [event async for event in shop.service.follow(record["id"])]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    told = [event["type"].removeprefix("render.job.") for event in events]
    milestones = [name for name in told if name not in ("progress", "view_completed")]
    assert milestones == ["created", "compositing", "rendering", "completed"]
    assert told.count("view_completed") == 6
    progress = [event["data"]["progress"] for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == 100.0
