"""Webhooks over HTTP: added, tested, looked at, replayed; and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from farm.adapters.redis_link import RedisLink
from farm.domain.access import Scope
from farm.notify.collector import Collector
from farm.wiring import open_webhooks
from tests.api.conftest import Open, Shopfront
from tests.webhook_receiver import HOST, Receiver, receiving
from tests.workshop import prepared


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
async def shop(opened: Open) -> Shopfront:
    return await opened(webhook_http_hosts=HOST)


@asynccontextmanager
async def courier(shop: Shopfront, store_url: str) -> AsyncIterator[None]:
    """What the courier actor does, in this process."""
    place = shop.workshop
    link = RedisLink(store_url)
    hooks = open_webhooks(place.settings, link, place.sagas)
    postman = hooks.postman()
    collector = Collector(
        events=place.sagas.events,
        records=place.sagas.records,
        book=hooks.book,
        outbox=hooks.outbox,
        oldest_job_s=3600.0,
        ring=postman.ring,
    )
    tasks = [asyncio.create_task(collector.run()), asyncio.create_task(postman.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await link.close()


async def test_a_job_is_told_of_and_never_waits_for_whoever_is_told(
    shop: Shopfront, store_url: str, receiver: Receiver
) -> None:
    with receiving() as dead:
        dead.slow_s = 60.0
        made = (await shop.client.post("/v1/webhooks", json={"url": receiver.url})).json()
        assert (await shop.client.post("/v1/webhooks", json={"url": dead.url})).status_code == 201
        async with courier(shop, store_url), shop.workshop.running():
            job = await shop.workshop.service.submit(prepared(), tenant="default")
            record = await shop.workshop.ended(job["id"], within_s=20.0)
            assert record["status"] == "completed"
            async with asyncio.timeout(10):
                while "render.job.completed" not in receiver.types:
                    await asyncio.sleep(0.02)
        assert "render.job.progress" not in receiver.types
        assert receiver.types.count("render.job.view_completed") == 6
        last = next(got for got in receiver.received if b"job.completed" in got.body).verified(made["secret"])
        assert (last["subject"], last["data"]["status"]) == (job["id"], "completed")
        assert len(last["data"]["outputs"]) == len(record["outputs"])
        dead.slow_s = 0.0
    log = (await shop.client.get(f"/v1/webhooks/{made['id']}/deliveries?limit=200")).json()["deliveries"]
    assert {delivery["state"] for delivery in log} == {"delivered"}
    assert min(one["body"]["sequence"] for one in log) == 1


async def test_the_life_of_a_webhook(shop: Shopfront, store_url: str, receiver: Receiver) -> None:
    wanted = {"url": receiver.url, "name": "ß", "events": ["render.job.failed"]}
    made = await shop.client.post("/v1/webhooks", json=wanted)
    assert made.status_code == 201, made.text
    hook = made.json()
    at = f"/v1/webhooks/{hook['id']}"
    (listed,) = (await shop.client.get("/v1/webhooks")).json()
    assert listed == {name: value for name, value in hook.items() if name != "secret"}
    assert listed == (await shop.client.get(at)).json()
    assert listed["events"] == ["render.job.failed"]

    tried = (await shop.client.post(f"{at}/test")).json()
    assert (tried["state"], tried["attempts"][0]["status"]) == ("delivered", 204)
    receiver.answers = [500]
    failed = (await shop.client.post(f"{at}/test")).json()
    assert (failed["state"], failed["attempts"][0]["status"]) == ("failed", 500)
    page = (await shop.client.get(f"{at}/deliveries", params={"state": "failed"})).json()
    assert [delivery["id"] for delivery in page["deliveries"]] == [failed["id"]]

    async with courier(shop, store_url):
        replayed = await shop.client.post(f"{at}/deliveries/{failed['id']}/replay")
        assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
        async with asyncio.timeout(10):
            while len(receiver.received) < 3:
                await asyncio.sleep(0.02)
    assert receiver.received[2].id == failed["id"]

    turned = (await shop.client.post(f"{at}/rotate")).json()
    assert turned["secret"] != hook["secret"]
    assert turned["secrets"] == 2
    receiver.answers = [410]
    await shop.client.post(f"{at}/test")
    gone = (await shop.client.get(at)).json()
    assert gone["status"] == "disabled"
    refused = await shop.client.post(f"{at}/deliveries/{failed['id']}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await shop.client.post(f"{at}/enable")).json()["status"] == "enabled"
    assert (await shop.client.delete(at)).status_code == 204
    assert (await shop.client.get(at)).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://example.com/"}, "webhook_refused"),
        ({"url": "https://10.1.2.3/"}, "webhook_refused"),
        ({"url": "https://169.254.169.254/latest"}, "webhook_refused"),
        ({"url": "https://example.com/", "events": ["render.job.progress"]}, "invalid_request"),
        ({"url": "https://example.com/", "secret": "whsec_short"}, "invalid_request"),
        ({"url": "https://example.com/", "colour": "red"}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
async def test_what_cannot_be_added(shop: Shopfront, body: dict[str, object], code: str) -> None:
    answer = await shop.client.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["hint"]


async def test_it_needs_its_scope_and_shows_nothing_of_others(shop: Shopfront, receiver: Receiver) -> None:
    hook = (await shop.client.post("/v1/webhooks", json={"url": receiver.url})).json()
    async with await shop.visitor("default") as writer:
        assert (await writer.get("/v1/webhooks")).status_code == 403
    for scope in (Scope.WEBHOOKS, Scope.ADMIN):
        async with await shop.visitor("other", scope) as other:
            assert (await other.get("/v1/webhooks")).json() == []
            for asked in ("GET", "DELETE", "POST /test", "GET /deliveries", "POST /rotate", "POST /enable"):
                method, _, path = asked.partition(" ")
                answer = await other.request(method, f"/v1/webhooks/{hook['id']}{path}")
                assert answer.status_code == 404, asked
    assert len((await shop.client.get("/v1/webhooks")).json()) == 1


async def test_the_same_key_is_the_same_webhook(shop: Shopfront, receiver: Receiver) -> None:
    first, second = [
        (await shop.client.post("/v1/webhooks", json={"url": receiver.url}, headers={"Idempotency-Key": "k"})).json()
        for _ in range(2)
    ]
    assert first == second
    other = await shop.client.post(
        "/v1/webhooks", json={"url": receiver.url, "name": "other"}, headers={"Idempotency-Key": "k"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
