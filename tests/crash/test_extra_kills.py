"""SIGKILL at the appends round a model that cannot be made: the pictures stay, and it is given up once."""

import pytest

from tests.crash.coordinators import coordinator_process
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_promises
from tests.workshop import prepared

FRONT = "front_0deg"
APPENDS = range(8, 16)
"""From the model's first attempt to where its job ends."""


@pytest.mark.parametrize("number", APPENDS)
async def test_killed_about_a_model_that_fails_the_job_ends_with_its_pictures(place: Place, number: int) -> None:
    async with open_shop(place) as shop:
        where = ("before", "after")[number % 2]
        failpoints = f"worker.render=blank:model*99;journal.{number}.{where}=kill"
        async with coordinator_process(place, lease_s=0.4) as lives:
            wanted = prepared(product_id="tee", views=[FRONT], model=True)
            accepted = await shop.service.submit(wanted, failpoints=failpoints)
            record = await shop.ended(accepted["id"])
        assert set(lives.exit_codes) <= {-9}, "a coordinator died of something else"
        assert lives.killed == 1
        assert (record["status"], list(record["outputs"])) == ("completed", [f"{FRONT}.png"])
        assert [warning["code"] for warning in record["warnings"]] == ["extra_left_out"]
        await check_promises(shop, record)
        assert (await shop.audit()).findings == []
