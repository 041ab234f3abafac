"""The coordinator is killed with SIGKILL at every append of a job, on the way there and on the way back."""

from typing import Any

import pytest

from tests.crash.coordinators import coordinator_process
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared

LEASE_S = 0.4
VIEWS = ["front_0deg", "back_180deg"]
SURE_APPENDS = {"granular": 8, "simple": 16}
TOO_MANY_APPENDS = {"granular": 16, "simple": 28}
"""A job of two views has more appends than the first number and fewer than the second, however they are bundled."""
BACK_APPENDS = {"granular": range(9, 26), "simple": range(16, 40)}
SURE_BACK_APPENDS = {"granular": 20, "simple": 26}
"""A job that is undone has more appends than this."""
THERE = [(saga, number) for saga in SURE_APPENDS for number in range(1, TOO_MANY_APPENDS[saga] + 1)]
BACK = [(saga, number) for saga, numbers in BACK_APPENDS.items() for number in numbers]


async def _run(place: Place, shop: Workshop, failpoints: str, saga: str) -> tuple[dict[str, Any], int]:
    async with coordinator_process(place, lease_s=LEASE_S) as lives:
        accepted = await shop.service.submit(prepared(saga=saga, product_id="tee", views=VIEWS), failpoints=failpoints)
        record = await shop.ended(accepted["id"])
    assert set(lives.exit_codes) <= {-9}, "a coordinator died of something else"
    return record, lives.killed


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(("saga", "number"), THERE)
async def test_killed_at_an_append_the_job_completes(place: Place, number: int, where: str, saga: str) -> None:
    async with open_shop(place) as shop:
        record, killed = await _run(place, shop, f"journal.{number}.{where}=kill", saga)
        assert record["status"] == "completed"
        assert len(record["outputs"]) == len(VIEWS)
        assert {view["status"] for view in record["views"]} == {"done"}
        assert killed == 1 or number > SURE_APPENDS[saga]
        assert killed == 0 or number < TOO_MANY_APPENDS[saga]
        await check_promises(shop, record)
        product = await shop.catalog.get_product("default", "tee")
        assert product is not None
        assert [entry.view for entry in product.media] == VIEWS


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(("saga", "number"), BACK)
async def test_killed_on_the_way_back_the_job_still_undoes_all(
    place: Place, number: int, where: str, saga: str
) -> None:
    async with open_shop(place) as shop:
        failpoints = f"complete_job.inside=raise*99;journal.{number}.{where}=kill"
        record, killed = await _run(place, shop, failpoints, saga)
        assert killed == 1 or number > SURE_BACK_APPENDS[saga]
        assert record["status"] == "failed"
        assert record["outputs"] == {}
        await check_promises(shop, record)
        product = await shop.catalog.get_product("default", "tee")
        assert product is None or product.media == ()


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_killed_again_and_again_the_job_still_ends(place: Place, saga: str) -> None:
    points = ";".join(f"journal.{number}.{where}=kill" for number in (1, 2, 3) for where in ("before", "after"))
    async with open_shop(place) as shop:
        record, killed = await _run(place, shop, points, saga)
        assert record["status"] == "completed"
        assert killed >= 3
        await check_promises(shop, record)
