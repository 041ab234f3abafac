"""Who answers at the port while the service is away: from outside, over real sockets."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from farm.home.listening import listeners
from serve_app import standing_in
from serve_app.standing_in import StandIn
from tests.ports import free_port

SERVICE = """
import socket, sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
door = socket.socket()
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
    door.setsockopt(socket.SOL_SOCKET, option, 1)
door.bind(("127.0.0.1", int(sys.argv[1])))
uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None)).run(sockets=[door])
"""


@pytest.fixture
def port() -> int:
    return free_port()


async def test_it_knows_how_long_it_has_been_alone(port: int) -> None:
    standing = StandIn("127.0.0.1", port)
    assert standing.alone_s == 0.0
    task = asyncio.create_task(standing.watch())
    await asyncio.sleep(0.3)
    assert 0.0 < standing.alone_s < 30.0
    with service(port):
        while standing.alone_s:
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert standing.alone_s == 0.0


@pytest.fixture
async def stand_in(port: int) -> AsyncIterator[str]:
    task = asyncio.create_task(StandIn("127.0.0.1", port).watch())
    while not listeners(port):
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not listeners(port)


@contextlib.contextmanager
def service(port: int) -> Iterator[None]:
    """As Ray Serve's proxy: a process of its own, at a port that it shares."""
    process = subprocess.Popen([sys.executable, "-c", SERVICE, str(port)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def until(statuses: list[int], wanted: int, count: int = 5) -> None:
    """The last ``count`` answers were ``wanted``."""
    deadline_s = time.monotonic() + 30
    while statuses[-count:] != [wanted] * count:
        assert time.monotonic() < deadline_s, statuses[-20:]
        await asyncio.sleep(0.02)


async def test_it_says_when_to_come_again_and_that_somebody_is_at_it(stand_in: str) -> None:
    async with httpx.AsyncClient(base_url=stand_in) as client:
        for method, path in (("GET", "/readyz"), ("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("HEAD", "/")):
            answer = await client.request(method, path)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["Connection"] == "close", "or the client would stay here for ever"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        problem = (await client.get("/v1/jobs")).json()
        assert (problem["code"], problem["retryable"]) == ("farm_starting", True)
        assert (await client.get("/healthz")).json() == {"status": "ok", "checks": {}}
        # A client that still sends its body must hear the answer too.
        big = await client.post("/v1/jobs", content=b"x" * 20_000_000)
        assert big.status_code == 503


async def test_a_client_that_asks_first_is_told_at_once(stand_in: str, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 503")
    writer.close()


async def test_it_gives_way_to_the_service_without_a_lost_request_and_comes_back_when_that_dies(
    stand_in: str, port: int
) -> None:
    statuses: list[int] = []
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            try:
                with urllib.request.urlopen(stand_in + "/v1/jobs", timeout=10) as answer:
                    statuses.append(answer.status)
            except urllib.error.HTTPError as error:
                statuses.append(error.code)
                json.loads(error.read())
            except OSError as error:
                print(repr(error))
                statuses.append(0)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            await until(statuses, 503)
            with service(port):
                await until(statuses, 200, 50)
                while len(listeners(port)) > 1:  # it is still on its way out
                    await asyncio.sleep(0.01)
                assert 0 not in statuses, "nobody was turned away"
            await until(statuses, 503)
            statuses.clear()  # the moment of the death is lost, as it must be
            await until(statuses, 503)
    finally:
        ending.set()
        await asyncio.to_thread(asking.join)


async def test_a_service_that_dies_while_it_takes_over_leaves_nobody_without_an_answer(
    monkeypatch: pytest.MonkeyPatch, stand_in: str, port: int
) -> None:
    monkeypatch.setattr(standing_in, "LET_IN_S", 3.0)
    async with httpx.AsyncClient(base_url=stand_in) as client:
        with service(port):
            deadline_s = time.monotonic() + 30
            while (answer := await client.get("/v1/jobs", headers={"Connection": "close"})).status_code != 200:
                assert time.monotonic() < deadline_s, answer
                await asyncio.sleep(0.01)
            await asyncio.sleep(3 * standing_in.LOOK_S)  # it has seen the service, and goes
        for _ in range(40):  # through the moment in which it would have shut
            answer = await client.get("/v1/jobs", headers={"Connection": "close"})
            assert answer.status_code == 503
            await asyncio.sleep(0.1)
