"""From an event to the receiver, over every adapter, to a real receiver on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from farm.adapters.web_post import WebPost
from farm.errors import Conflict, NotFound, WebhookRefused
from farm.notify.collector import FULL, Collector
from farm.notify.delivery import State
from farm.notify.postman import CONTENT_TYPE, Postman
from farm.notify.service import Webhooks
from tests.contract.hooks.places import Place, place
from tests.webhook_receiver import HOST, Receiver, receiving

POST = WebPost(frozenset({HOST}), timeout_s=1.0)
CREATED, PROGRESS, COMPLETED = "render.job.created", "render.job.progress", "render.job.completed"


@pytest.fixture(params=["memory", "redis"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with place(request.param, request) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def webhooks(here: Place) -> Webhooks:
    return Webhooks(book=here.book, outbox=here.outbox, post=POST, clock=here.clock)


def postman_of(here: Place) -> Postman:
    return Postman(book=here.book, outbox=here.outbox, post=POST, clock=here.clock, rng=Random(1))


def collector_of(here: Place) -> Collector:
    return Collector(
        events=here.sagas.events, records=here.sagas.records, book=here.book, outbox=here.outbox, oldest_job_s=3600.0
    )


@asynccontextmanager
async def collecting(here: Place) -> AsyncIterator[None]:
    running = asyncio.create_task(collector_of(here).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def collected(here: Place) -> None:
    """Everything that has happened so far is taken up."""
    newest = await here.sagas.events.newest()
    async with collecting(here):
        async with asyncio.timeout(10):
            while await here.outbox.cursor() != newest:
                await asyncio.sleep(0.01)


async def deliver(here: Place, postman: Postman | None = None) -> None:
    """Everything that is due is tried."""
    postman = postman or postman_of(here)
    async with asyncio.timeout(20):
        while await postman.round() or postman.under_way:
            await asyncio.sleep(0.01)


async def test_an_event_arrives_signed_as_the_reference_library_wants_it(here: Place, receiver: Receiver) -> None:
    one = await webhooks(here).add(tenant="default", url=receiver.url)
    await here.happens("job_1", CREATED, PROGRESS, COMPLETED)
    await here.happens("job_2", COMPLETED, tenant="another")
    await here.happens("job_3", COMPLETED)
    await collected(here)
    await deliver(here)
    # No progress, nothing of another tenant; the order is the best that can be done, and not promised.
    told = {event["id"]: event["type"] for event in (got.verified(one.secrets[0].text) for got in receiver.received)}
    assert told == {"job_1/1": CREATED, "job_1/3": COMPLETED, "job_3/1": COMPLETED}
    assert {got.headers["content-type"] for got in receiver.received} == {CONTENT_TYPE}
    log = (await here.outbox.list(one.id)).deliveries
    assert {delivery.state for delivery in log} == {State.DELIVERED}
    assert {got.id for got in receiver.received} == {delivery.id for delivery in log}


async def test_what_happened_before_the_endpoint_is_not_its_business(here: Place, receiver: Receiver) -> None:
    await here.happens("job_1", CREATED)
    await here.pass_time(0.01)
    first = await webhooks(here).add(tenant="default", url=receiver.url, events=[COMPLETED])
    await here.happens("job_2", CREATED, COMPLETED)
    await here.pass_time(0.01)
    await webhooks(here).add(tenant="default", url=receiver.url)
    await here.happens("job_3", CREATED)
    await collected(here)
    await deliver(here)
    assert sorted(receiver.types) == [COMPLETED, CREATED]
    told = next(got for got in receiver.received if b"completed" in got.body)
    assert told.verified(first.secrets[0].text)["id"] == "job_2/2"


async def test_a_failure_is_tried_again_under_the_same_id(here: Place, receiver: Receiver) -> None:
    receiver.answers = [500]
    hooks = webhooks(here)
    one = await hooks.add(tenant="default", url=receiver.url)
    await here.happens("job_1", COMPLETED)
    await collected(here)
    await deliver(here)
    (waiting,) = (await here.outbox.list(one.id)).deliveries
    assert (waiting.state, waiting.failures, waiting.attempts[0].status) == (State.PENDING, 1, 500)
    assert waiting.due_s is not None
    assert 4.5 < waiting.due_s - here.clock.wall_s() < 6.5
    again = await hooks.replay("default", one.id, waiting.id)  # rather than wait for it
    assert again.failures == 0
    await deliver(here)
    (done,) = (await here.outbox.list(one.id)).deliveries
    assert (done.state, [attempt.status for attempt in done.attempts]) == (State.DELIVERED, [500, 204])
    assert receiver.received[0].id == receiver.received[1].id
    assert receiver.received[0].body == receiver.received[1].body


async def test_410_disables_and_abandons_until_it_is_enabled_and_replayed(here: Place, receiver: Receiver) -> None:
    hooks = webhooks(here)
    one = await hooks.add(tenant="default", url=receiver.url)
    await here.happens("job_1", CREATED)
    await collected(here)
    receiver.answers = [410]
    await deliver(here)
    found = await hooks.get("default", one.id)
    assert found.disabled is not None
    assert "410" in found.disabled
    await here.happens("job_2", COMPLETED)
    await here.happens("job_3", COMPLETED, tenant="other")  # moves the cursor whoever it is for
    await here.pass_time(0.01)
    await hooks.add(tenant="other", url=receiver.url)
    await here.pass_time(0.01)
    await here.happens("job_4", COMPLETED, tenant="other")
    await collected(here)
    await deliver(here)
    assert len(receiver.received) == 2
    (gone,) = (await here.outbox.list(one.id)).deliveries
    assert gone.state is State.FAILED
    with pytest.raises(Conflict):
        await hooks.replay("default", one.id, gone.id)
    await hooks.enable("default", one.id)
    await hooks.replay("default", one.id, gone.id)
    await deliver(here)
    (done,) = (await here.outbox.list(one.id)).deliveries
    assert done.state is State.DELIVERED


async def test_while_a_secret_is_replaced_old_and_new_receiver_are_content(here: Place, receiver: Receiver) -> None:
    hooks = webhooks(here)
    one = await hooks.add(tenant="default", url=receiver.url)
    two = await hooks.rotate("default", one.id)
    await here.happens("job_1", COMPLETED)
    await collected(here)
    await deliver(here)
    (got,) = receiver.received
    assert len(got.headers["webhook-signature"].split()) == 2
    assert got.verified(one.secrets[0].text) == got.verified(two.secrets[0].text)


async def test_a_redirect_is_no_arrival_and_is_not_followed(here: Place, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.answers, receiver.headers = [302], {"Location": elsewhere.url}
        hooks = webhooks(here)
        one = await hooks.add(tenant="default", url=receiver.url)
        tried = await hooks.test("default", one.id)
        assert (tried.state, tried.attempts[0].status) == (State.FAILED, 302)
        assert elsewhere.received == []


async def test_a_test_says_at_once_what_became_of_it(here: Place, receiver: Receiver) -> None:
    hooks = webhooks(here)
    one = await hooks.add(tenant="default", url=receiver.url)
    good = await hooks.test("default", one.id)
    assert (good.state, good.attempts[0].status) == (State.DELIVERED, 204)
    assert receiver.received[0].verified(one.secrets[0].text)["type"] == "render.webhook.test"
    closed = await hooks.add(tenant="default", url=f"http://{HOST}:9/")
    bad = await hooks.test("default", closed.id)
    assert bad.state is State.FAILED
    assert bad.attempts[0].error is not None
    with pytest.raises(NotFound):
        await hooks.test("another", one.id)


@pytest.mark.parametrize("fault", ["slow_s", "drip_s"])
async def test_a_receiver_that_never_answers_ends_in_time_and_holds_up_nobody(
    here: Place, receiver: Receiver, fault: str
) -> None:
    setattr(receiver, fault, 5.0 if fault == "slow_s" else 0.05)
    hooks = webhooks(here)
    with receiving() as healthy:
        dead = await hooks.add(tenant="default", url=receiver.url)
        await hooks.add(tenant="default", url=healthy.url)
        for number in range(12):
            await here.happens(f"job_{number}", COMPLETED)
        await collected(here)
        postman = postman_of(here)
        began_s = asyncio.get_running_loop().time()
        while len(healthy.received) < 12:
            await postman.round()
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - began_s < 0.9, "the healthy one waited for the dead one"
        await asyncio.sleep(1.3)
        await postman.round()
        assert postman.under_way <= 1, "a failing endpoint has one place"
        tried = [delivery for delivery in (await here.outbox.list(dead.id)).deliveries if delivery.attempts]
        assert {attempt.status for delivery in tried for attempt in delivery.attempts} == {None}
        assert all("1 s" in str(delivery.attempts[0].error) for delivery in tried)
        receiver.slow_s = receiver.drip_s = 0.0
        while postman.under_way:
            await asyncio.sleep(0.05)


async def test_a_long_absence_is_made_up_for_from_the_jobs_themselves(
    here: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await webhooks(here).add(tenant="default", url=receiver.url)
    await here.happens("job_1", CREATED, COMPLETED)
    await here.happens("job_2", COMPLETED)

    async def dropped(position: str) -> bool:
        return False

    monkeypatch.setattr(here.sagas.events, "whole_after", dropped)
    await collected(here)
    await collected(here)  # nothing twice
    await deliver(here)
    assert sorted(receiver.types) == [COMPLETED, COMPLETED, CREATED]


async def test_an_endpoint_that_falls_too_far_behind_is_disabled(
    request: pytest.FixtureRequest, receiver: Receiver
) -> None:
    async with place("redis", request, most=3) as here:
        one = await webhooks(here).add(tenant="default", url=receiver.url)
        for number in range(5):
            await here.happens(f"job_{number}", COMPLETED)
        async with collecting(here), asyncio.timeout(10):
            while (await webhooks(here).get("default", one.id)).disabled != FULL:
                await asyncio.sleep(0.01)
        assert {delivery.state for delivery in (await here.outbox.list(one.id)).deliveries} == {State.ABANDONED}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.1.1:8443/",
        "https://0.0.0.0/",
        "https://user:secret@example.com/",
        "https://example.com\\@127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://[",
        "nonsense",
    ],
)
async def test_addresses_inside_are_refused_when_registered_and_when_sent_to(url: str) -> None:
    strict = WebPost(frozenset(), timeout_s=1.0)
    with pytest.raises(WebhookRefused):
        await strict.check(url)
    with pytest.raises(WebhookRefused):
        await strict.send(url, headers={}, body=b"{}")


async def test_a_name_that_leads_inside_later_is_refused_when_it_is_sent_to(here: Place, receiver: Receiver) -> None:
    names: dict[str, list[str]] = {}

    def look_up(host: str, port: int) -> list[str]:
        if host not in names:
            raise OSError("no such name")
        return names[host]

    strict = WebPost(frozenset(), timeout_s=1.0, resolve=look_up)
    hooks = Webhooks(book=here.book, outbox=here.outbox, post=strict, clock=here.clock)
    one = await hooks.add(tenant="default", url="https://receiver.invalid/hook")  # resolves to nothing today
    names["receiver.invalid"] = [HOST]
    tried = await hooks.test("default", one.id)
    assert tried.state is State.FAILED
    assert "not on the open internet" in str(tried.attempts[0].error)
    assert receiver.received == []
