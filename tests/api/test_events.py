import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import redis
import uvicorn
from fastapi.sse import ServerSentEvent

from farm.render.ports import ViewTask
from serve_app.event_stream import job_events
from serve_app.followers import Followers
from tests.api.conftest import Shopfront
from tests.api.test_jobs import form


async def lines(
    client: httpx.AsyncClient, url: str, after: int = 0
) -> AsyncIterator[tuple[int | None, dict[str, Any]]]:
    """The events of a stream: number (none for live progress) and data."""
    headers = {"Last-Event-ID": str(after)} if after else {}
    async with client.stream("GET", url, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        number, data = None, ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                number = int(value)
            elif name == "data":
                data = value
            elif line == "" and data:
                yield number, json.loads(data)
                number, data = None, ""


async def test_a_jobs_events_come_in_order_and_the_stream_ends_with_the_job(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    async with shop.workshop.running():
        found = [(number, data) async for number, data in lines(shop.client, job["events_url"])]
    numbered = [(number, data) for number, data in found if number is not None]
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert numbered[0][1]["type"] == "render.job.created"
    assert numbered[-1][1]["type"] == "render.job.completed"
    assert all(data["specversion"] == "1.0" and data["subject"] == job["id"] for _, data in numbered)


CUTS = 50


@asynccontextmanager
async def on_loopback(shop: Shopfront) -> AsyncIterator[str]:
    """The same application behind real sockets, which can be cut."""
    server = uvicorn.Server(uvicorn.Config(shop.app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def cut(client: httpx.AsyncClient, url: str, seen: list[int], after_s: float) -> bool:
    """Read a stream behind the last event seen and break the connection in the middle; whether it had ended before."""
    with suppress(TimeoutError):
        async with asyncio.timeout(after_s):
            async for number, data in lines(client, url, seen[-1] if seen else 0):
                if number is not None:
                    seen.append(number)
                    if data["type"] == "render.job.completed":
                        return True
    return False


async def test_a_stream_cut_fifty_times_tells_each_event_once_in_order(shop: Shopfront) -> None:
    """At random moments of a running job, on real connections, resumed by Last-Event-ID as a browser does."""
    seen: list[int] = []
    chance, cuts = random.Random(7), 0
    resting = asyncio.Semaphore(0)

    async def hold(task: ViewTask) -> None:
        await resting.acquire()

    shop.workshop.painters.before = hold
    async with on_loopback(shop) as address, shop.workshop.running():
        headers = dict(shop.client.headers)
        async with httpx.AsyncClient(base_url=address, headers=headers) as client:
            job = (await client.post("/v1/jobs", **form())).json()
            while not await cut(client, job["events_url"], seen, chance.uniform(0.002, 0.06)):
                cuts += 1
                if cuts % (CUTS // 5) == 0:  # a view may be painted
                    resting.release()
        whole = [number async for number, _ in lines(shop.client, job["events_url"])]
    assert cuts >= CUTS
    assert seen == whole == list(range(1, len(whole) + 1))


async def test_a_stream_of_an_ended_job_ends_behind_its_last_event(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    await shop.client.post(job["cancel_url"])
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    async with asyncio.timeout(20):
        kinds = [data["type"] async for _, data in lines(shop.client, job["events_url"])]
        assert kinds[-1] == "render.job.cancelled"
        assert [number async for number, _ in lines(shop.client, job["events_url"], len(kinds))] == []


async def running_job(shop: Shopfront) -> dict[str, Any]:
    return dict((await shop.client.post("/v1/jobs", **form())).json())


async def first_number(stream: AsyncGenerator[ServerSentEvent]) -> int:
    async for event in stream:
        if event.id is not None:
            return int(event.id)
    raise AssertionError("the stream ended")


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def connections(shop: Shopfront, store_url: str) -> int:
    """How many connections wait for events in the store."""
    with redis.Redis.from_url(store_url, decode_responses=True) as client:
        return sum(one["cmd"] == "xread" for one in client.client_list())


async def test_twenty_viewers_of_a_job_hold_one_connection_and_see_all(shop: Shopfront, store_url: str) -> None:
    job = await running_job(shop)
    followers = Followers(shop.workshop.service)
    streams = [job_events(followers, job["id"], after=n % 2) for n in range(20)]
    read = [asyncio.create_task(collect(stream)) for stream in streams]
    await until(lambda: connections(shop, store_url) > 0)
    await asyncio.sleep(0.3)
    assert (connections(shop, store_url), len(followers)) == (1, 1)
    async with shop.workshop.running():
        async with asyncio.timeout(30):
            found = await asyncio.gather(*read)
    last = found[0][-1]
    assert list(found[0::2]) == [list(range(1, last + 1))] * 10
    assert list(found[1::2]) == [list(range(2, last + 1))] * 10
    assert len(followers) == 0


async def collect(stream: AsyncGenerator[ServerSentEvent]) -> list[int]:
    return [int(event.id) async for event in stream if event.id is not None]


async def test_a_viewer_that_goes_away_leaves_nothing_and_disturbs_nobody(shop: Shopfront) -> None:
    job = await running_job(shop)
    followers = Followers(shop.workshop.service)
    goes, stays = (job_events(followers, job["id"], after=0) for _ in range(2))
    assert await first_number(goes) == await first_number(stays) == 1
    await goes.aclose()
    waiting = asyncio.create_task(anext(stays))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await until(lambda: len(followers) == 0)
    await until(lambda: not [task for task in asyncio.all_tasks() if job["id"] in task.get_name()])


async def test_a_slow_viewer_misses_no_event_and_holds_up_nobody(shop: Shopfront) -> None:
    job = await running_job(shop)
    followers = Followers(shop.workshop.service)
    slow, quick = (job_events(followers, job["id"], after=0) for _ in range(2))
    assert await first_number(slow) == 1
    async with shop.workshop.running(), asyncio.timeout(30):
        whole = await collect(quick)
    assert await collect(slow) == whole[1:]


async def test_a_store_that_goes_away_ends_a_stream_without_an_error(shop: Shopfront, store_url: str) -> None:
    job = await running_job(shop)
    followers = Followers(shop.workshop.service)
    stream = job_events(followers, job["id"], after=0)
    assert await first_number(stream) == 1
    reading = asyncio.create_task(collect(stream))
    await until(lambda: connections(shop, store_url) == 1)
    with redis.Redis.from_url(store_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(20):
        assert await reading == []
    again = job_events(followers, job["id"], after=0)
    assert await first_number(again) == 1, "and it can be taken up again"
    await again.aclose()


async def test_a_stream_ends_politely_after_its_time(shop: Shopfront) -> None:
    job = await running_job(shop)
    followers = Followers(shop.workshop.service)
    async with asyncio.timeout(20):
        assert await collect(job_events(followers, job["id"], after=0, lasting_s=0.5)) == [1]
    assert len(followers) == 0
