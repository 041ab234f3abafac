"""The store is killed, silent or full while jobs run: nothing accepted is lost, nothing half accepted is left."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_journal import open_redis
from farm.errors import StoreUnavailable
from farm.saga.clock import settle
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared

SAGAS = ("granular", "simple")
VIEWS = ["front_0deg", "back_180deg"]
LEASE_S = 1.0


async def test_a_question_asked_as_the_last_answers_come_is_answered(place: Place) -> None:
    store = open_redis(place.store_url, namespace=place.namespace)
    admin = redis.Redis.from_url(place.store_url)

    async def ask(answered: list[str], name: str) -> None:
        await store.records.get(name)
        answered.append(name)
        if len(answered) == 1:  # only the one whose answer is heard first asks again
            await store.records.get("again")

    try:
        for _ in range(4):
            admin.client_pause(20)
            answered: list[str] = []
            asking = [asyncio.create_task(ask(answered, "a"))]
            await settle()  # it is under way, so that the next question goes out beside it
            asking.append(asyncio.create_task(ask(answered, "b")))
            await settle()
            time.sleep(0.2)  # noqa: ASYNC251  # the loop is busy until both answers are there
            await asyncio.wait_for(asyncio.gather(*asking), 5)
    finally:
        admin.close()
        await store.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Of a store of its own, that a test may kill."""
    EmbeddedStore.start(tmp_path)
    yield tmp_path
    if (running := EmbeddedStore.connect(tmp_path)) is not None:
        os.kill(running.pid, signal.SIGCONT)
        running.stop()


@pytest.fixture
async def shop(home: Path) -> AsyncIterator[Workshop]:
    place = Place(home=home, store_url=EmbeddedStore.start(home).url, namespace="farm")
    async with open_shop(place, lease_s=LEASE_S) as shop:
        shop.painters.seconds = 0.05
        yield shop


@pytest.fixture
def admin(home: Path) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(EmbeddedStore.start(home).url) as client:
        yield client


def signalled(home: Path, number: signal.Signals) -> None:
    server = EmbeddedStore.connect(home)
    assert server is not None
    os.kill(server.pid, number)


async def submitted(shop: Workshop, count: int) -> list[str]:
    """Jobs of both sagas, each with a product of its own."""
    requests = [prepared(saga=SAGAS[n % 2], product_id=f"tee-{n}", views=VIEWS) for n in range(count)]
    return [(await shop.service.submit(request))["id"] for request in requests]


async def outlasting(shop: Workshop, job_id: str) -> dict[str, Any]:
    """The job's record once it has ended; a reader hears of a restarted server by an error, and asks again."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await shop.ended(job_id)
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def check_completed(shop: Workshop, jobs: list[str]) -> None:
    records = [await outlasting(shop, job_id) for job_id in jobs]
    assert {record["status"] for record in records} == {"completed"}
    assert {record["error"] and record["error"]["message"] for record in records} == {None}
    await check_promises(shop, *records)


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.25, 0.45])
async def test_killed_and_started_again_nothing_accepted_is_lost(shop: Workshop, home: Path, after_s: float) -> None:
    async with shop.running(shards=2):
        jobs = await submitted(shop, 6)
        await asyncio.sleep(after_s)
        signalled(home, signal.SIGKILL)
        await asyncio.sleep(0.3)
        EmbeddedStore.start(home)
        await check_completed(shop, jobs)
    painted = shop.painters.painted
    assert len(painted) <= len(jobs) * len(VIEWS) * 2


async def test_killed_again_and_again_all_jobs_still_end(shop: Workshop, home: Path) -> None:
    async with shop.running(shards=2):
        jobs = await submitted(shop, 12)
        for _ in range(4):
            await asyncio.sleep(0.25)
            signalled(home, signal.SIGKILL)
            EmbeddedStore.start(home)
        await check_completed(shop, jobs)


async def test_away_for_longer_than_the_leases_what_runs_goes_on(shop: Workshop, home: Path) -> None:
    """One coordinator: nobody else is there to take its jobs, so nothing may be begun anew."""
    gate = asyncio.Event()
    shop.painters.before = lambda task: gate.wait()
    async with shop.running():
        jobs = await submitted(shop, 4)
        async with asyncio.timeout(10):
            while shop.painters.running < len(jobs) * len(VIEWS):
                await asyncio.sleep(0.01)
        signalled(home, signal.SIGKILL)
        with pytest.raises(StoreUnavailable) as refused:
            await shop.service.submit(prepared())
        assert refused.value.retryable
        assert refused.value.hint
        gate.set()
        await asyncio.sleep(4 * LEASE_S)
        EmbeddedStore.start(home)
        await check_completed(shop, jobs)
    assert len(shop.painters.painted) == len(set(shop.painters.painted)), "a view was painted again for the outage"


async def test_a_job_refused_by_a_dead_store_leaves_no_trace(shop: Workshop, home: Path) -> None:
    signalled(home, signal.SIGKILL)
    with pytest.raises(StoreUnavailable):
        await shop.service.submit(prepared())
    assert list(shop.objects.list("t/")) == []
    EmbeddedStore.start(home)
    assert (await shop.service.list()) == ([], None)
    await check_promises(shop)


async def test_silent_for_a_while_it_is_waited_for(shop: Workshop, home: Path) -> None:
    """A server that neither answers nor hangs up: requests end by their timeout."""
    async with shop.running(shards=2):
        jobs = await submitted(shop, 4)
        await asyncio.sleep(0.15)
        signalled(home, signal.SIGSTOP)
        with pytest.raises(StoreUnavailable):
            await shop.service.submit(prepared())
        signalled(home, signal.SIGCONT)
        await check_completed(shop, jobs)
        assert len((await shop.service.list())[0]) == len(jobs)


async def test_full_it_refuses_new_jobs_and_pauses_those_that_run(shop: Workshop, admin: redis.Redis) -> None:
    async with shop.running(shards=2):
        jobs = await submitted(shop, 6)
        await asyncio.sleep(0.1)
        admin.config_set("maxmemory", "100kb")
        with pytest.raises(StoreUnavailable, match=r"(?i)memory"):
            await shop.service.submit(prepared())
        records, _ = await shop.service.list()
        assert sorted(record["id"] for record in records) == sorted(jobs)
        uploads = [item.key for item in shop.objects.list("t/default/uploads/")]
        assert all(any(job_id in key for job_id in jobs) for key in uploads), "the refused job left its upload"
        await asyncio.sleep(1.0)
        # As written: what the service shows has the progress inside views too, whose keys expire meanwhile.
        paused = (await shop.sagas.records.list({})).records
        await asyncio.sleep(0.5)
        assert (await shop.sagas.records.list({})).records == paused, "something was written into the full store"
        assert {record["phase"] for record in paused} & {"forward"}
        admin.config_set("maxmemory", "0")
        await check_completed(shop, jobs)


async def test_full_while_jobs_are_undone(shop: Workshop, admin: redis.Redis) -> None:
    async with shop.running():
        requests = [prepared(saga=saga, product_id="tee", views=VIEWS) for saga in SAGAS]
        failing = "complete_job.inside=raise*99"
        jobs = [(await shop.service.submit(request, failpoints=failing))["id"] for request in requests]
        async with asyncio.timeout(20):
            while not any([(await shop.service.get(job_id))["phase"] == "compensating" for job_id in jobs]):
                await asyncio.sleep(0.005)
        admin.config_set("maxmemory", "100kb")
        await asyncio.sleep(2 * LEASE_S)
        admin.config_set("maxmemory", "0")
        records = [await shop.ended(job_id) for job_id in jobs]
    assert {record["status"] for record in records} == {"failed"}
    await check_promises(shop, *records)
    assert await shop.catalog.get_product("default", "tee") is None
