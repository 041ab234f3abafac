"""What an operation asks the store, counted at a real one: each question is a wait, and part of the API's cost."""

from tests.api.conftest import Shopfront
from tests.api.test_jobs import form


async def test_reading_a_job_asks_who_and_what(shop: Shopfront, trips: list[int]) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    await shop.client.get(f"/v1/jobs/{job['id']}")  # every script is known from here on
    trips.clear()
    answer = await shop.client.get(f"/v1/jobs/{job['id']}")
    assert (answer.status_code, len(trips)) == (200, 2)
    trips.clear()
    same = await shop.client.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, len(trips)) == (304, 2)


async def test_submitting_a_job_asks_who_whether_there_is_room_and_for_the_job(
    shop: Shopfront, trips: list[int]
) -> None:
    await shop.client.post("/v1/jobs", **form())  # every script is known from here on
    trips.clear()
    answer = await shop.client.post("/v1/jobs", **form())
    assert (answer.status_code, len(trips)) == (202, 3)
    shown, told = answer.json(), (await shop.client.get(answer.headers["Location"])).json()
    assert shown == told  # though it was not read
