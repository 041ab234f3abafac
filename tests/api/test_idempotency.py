"""The same key and request get the same answer, once, for a day; whatever happens in between."""

import asyncio
import itertools
from typing import Any

import httpx
import pytest
import redis.asyncio
from fastapi import Response

from farm.errors import QueueFull, StillInFlight
from serve_app import idempotency
from serve_app.idempotency import REPLAYED, Answers, Operation
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import DESIGN, SMALL, form
from tests.workshop import png

KEY: dict[str, Any] = {"headers": {"Idempotency-Key": "order-7"}}


async def test_the_first_answer_comes_again_byte_for_byte(shop: Shopfront) -> None:
    first = await shop.client.post("/v1/jobs", **form(), **KEY)
    async with shop.workshop.running():
        await shop.workshop.ended(first.json()["id"])
    again = await shop.client.post("/v1/jobs", **form(), **KEY)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert len((await shop.client.get("/v1/jobs")).json()["jobs"]) == 1


async def test_members_in_another_order_are_the_same_request_and_another_design_is_not(shop: Shopfront) -> None:
    files = [("design", ("a.png", DESIGN, "image/png"))]
    first = await shop.client.post("/v1/jobs", files=files, data={"request": '{"size":64,"samples":1}'}, **KEY)
    second = await shop.client.post("/v1/jobs", files=files, data={"request": '{ "samples": 1, "size": 64 }'}, **KEY)
    assert first.json()["id"] == second.json()["id"]
    for other in (form(fabric_color="red"), form(png((0, 0, 0, 255), 64))):
        refused = await shop.client.post("/v1/jobs", **other, **KEY)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")


async def test_while_the_first_is_in_flight_others_are_told_to_wait(
    shop: Shopfront, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    submit = shop.workshop.service.submit

    async def slow(*args: Any, **kwargs: Any) -> Any:
        began.set()
        await gate.wait()
        return await submit(*args, **kwargs)

    monkeypatch.setattr(type(shop.workshop.service), "submit", lambda self, *args, **kwargs: slow(*args, **kwargs))
    first = asyncio.create_task(shop.client.post("/v1/jobs", **form(), **KEY))
    await began.wait()
    early = await shop.client.post("/v1/jobs", **form(), **KEY)
    assert (early.status_code, early.json()["code"], early.json()["retryable"]) == (409, "still_in_flight", True)
    assert int(early.headers["Retry-After"]) >= 1
    gate.set()
    assert (await first).status_code == 202
    assert (await shop.client.post("/v1/jobs", **form(), **KEY)).json()["id"] == (await first).json()["id"]


async def test_many_at_once_make_one_job(shop: Shopfront) -> None:
    async def patient() -> httpx.Response:
        while (answer := await shop.client.post("/v1/jobs", **form(), **KEY)).status_code == 409:
            await asyncio.sleep(0.02)
        return answer

    answers = await asyncio.gather(*(patient() for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    async with shop.workshop.running():
        await shop.workshop.ended(answers[0].json()["id"])
    assert (await shop.workshop.audit()).clean


async def test_a_replica_that_dies_before_it_answers_leaves_one_job(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed replica gives nothing back: its reservation stays, its lease lapses, the next one has the same id."""
    monkeypatch.setattr(idempotency, "LEASE_S", 0.6)
    ids, made = itertools.count(1), list[str]()
    operation = Operation(tenant="dying", name="submit", key="k", digest="d", new_id=lambda: f"job_{next(ids)}")
    began = asyncio.Event()

    async def hang(job_id: str) -> Response:
        made.append(job_id)
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def answer(job_id: str) -> Response:
        made.append(job_id)
        return Response(b"{}", status_code=202)

    async with redis.asyncio.Redis.from_url(store_url) as client:
        dying = asyncio.create_task(Answers(_Mute(client)).once(operation, hang))  # type: ignore[arg-type]
        await began.wait()
        await asyncio.sleep(0.9)  # longer than a lease: it is renewed while its holder lives
        with pytest.raises(StillInFlight):
            await Answers(client).once(operation, answer)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        with pytest.raises(StillInFlight):
            await Answers(client).once(operation, answer)
        await asyncio.sleep(0.7)
        first = await Answers(client).once(operation, answer)
        again = await Answers(client).once(operation, answer)
        [kept] = await client.keys("farm:answers:dying:*")
        assert await client.ttl(kept) > idempotency.KEPT_S - 60
    assert (first.status_code, again.headers[REPLAYED]) == (202, "true")
    assert made == ["job_1", "job_1"]


class _Mute:
    """A client whose last word, the giving back of a lease, never arrives: the process was killed."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def eval(self, script: str, *args: Any) -> Any:
        return None if "DEL" in script else await self._client.eval(script, *args)


async def test_who_lost_the_lease_neither_prolongs_it_nor_frees_the_key(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage may outlast a lease: it is another's then, and so is what becomes of the key."""
    monkeypatch.setattr(idempotency, "LEASE_S", 0.6)
    operation = Operation(tenant="late", name="submit", key="k", digest="d", new_id=lambda: "job_1")
    began, refuse = asyncio.Event(), asyncio.Event()

    async def refused(job_id: str) -> Response:
        began.set()
        await refuse.wait()
        raise QueueFull(live=1, limit=1)

    async with redis.asyncio.Redis.from_url(store_url) as client:
        late = asyncio.create_task(Answers(client).once(operation, refused))
        await began.wait()
        [lease] = await client.keys("farm:answers:late:*:lease")
        await client.set(lease, "another", px=500)
        async with asyncio.timeout(5):
            while await client.exists(lease):
                await asyncio.sleep(0.05)
        await client.set(lease, "another", px=60_000)
        refuse.set()
        with pytest.raises(QueueFull):
            await late
        assert await client.get(lease) == b"another"
        assert await client.exists(lease[: -len(":lease")]), "the id is the other's"
        await client.delete(lease)


async def test_a_refusal_frees_the_key(opened: Open) -> None:
    shop = await opened(queue_max=1)
    await shop.client.post("/v1/jobs", **form())
    assert (await shop.client.post("/v1/jobs", **form(), **KEY)).status_code == 503
    assert (await shop.client.post("/v1/jobs", **form(b"no picture"), **KEY)).status_code == 415
    shop = await opened(queue_max=9)
    assert (await shop.client.post("/v1/jobs", **form(), **KEY)).status_code == 202


async def test_keys_are_a_tenants_own_and_an_operations_own(shop: Shopfront) -> None:
    first = await shop.client.post("/v1/jobs", **form(), **KEY)
    other = await (await shop.visitor("other")).post("/v1/jobs", **form(fabric_color="red"), **KEY)
    upload = await shop.client.post("/v1/uploads", json={"size_bytes": 7}, **KEY)
    assert (first.status_code, other.status_code, upload.status_code) == (202, 202, 201)
    assert first.json()["id"] != other.json()["id"]
    assert (await shop.client.post("/v1/uploads", json={"size_bytes": 8}, **KEY)).status_code == 422


@pytest.mark.parametrize("key", ["", "two words", "ü" * 3, "x" * 256])
async def test_a_key_that_is_none_is_refused(shop: Shopfront, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    answer = await shop.client.post("/v1/jobs", **form(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 422, SMALL
