import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import uvicorn

from farm.render.ports import ViewTask
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
