"""The layer in Serve's proxy: nobody's body is read without a key, and nobody's beyond its size."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import redis.asyncio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from farm.domain.access import Scope
from farm.errors import StoreUnavailable
from farm.settings import Settings
from serve_app.proxy import MEETING_POINT, Gate, Guard, KeyGuard, with_meeting_point
from tests.api.conftest import Shopfront
from tests.api.test_jobs import DESIGN, form

BYTES = 5000


class Served:
    """An application behind the gate, which notes how much of each body came through."""

    def __init__(self, guard: Guard) -> None:
        self.read: list[int] = []

        async def take(request: Request) -> Response:
            size = 0
            try:
                async for chunk in request.stream():
                    size += len(chunk)
                    self.read.append(size)
            except ClientDisconnect:
                self.read.append(-1)
            return JSONResponse({"size": size})

        async def opening() -> Guard:
            return guard

        app = Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST", "PUT", "DELETE"])])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(Gate(app, opening)), base_url="http://localhost")


@pytest.fixture
async def guard(shop: Shopfront, store_url: str) -> AsyncIterator[KeyGuard]:
    settings = Settings.load({"FARM_HOME": str(shop.workshop.settings.home), "FARM_BODY_MAX_BYTES": str(BYTES)})
    async with redis.asyncio.Redis.from_url(store_url) as client:
        yield KeyGuard(settings, client)


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1000


async def test_a_body_without_a_key_is_not_read(shop: Shopfront, guard: KeyGuard) -> None:
    served = Served(guard)
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer farm_000000000000_" + "A" * 43},
        {"Authorization": "Basic eDp5"},
        {"Cookie": "farm_session=forged"},
        {"Cookie": "\x00=;;"},
    ]
    for one in headers:
        answer = await served.client.post("/v1/jobs", content=pieces(3), headers=one)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised"), one
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert served.read == []
    assert (await served.client.get("/healthz")).status_code == 200


async def test_whoever_has_a_key_a_session_or_a_ticket_may_send(shop: Shopfront, guard: KeyGuard) -> None:
    served = Served(guard)
    _, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_WRITE], name="")
    browser = shop.connect()
    await browser.post("/session", json={"key": token})
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": cookie}):
        assert (await served.client.post("/v1/jobs", content=pieces(3), headers=headers)).json() == {"size": 3000}
    upload = (await shop.client.post("/v1/uploads", json={"size_bytes": 2000})).json()
    path = upload["url"].removeprefix("http://localhost")
    assert (await served.client.put(path, content=pieces(2))).json() == {"size": 2000}
    assert (await served.client.put(path, content=pieces(3))).status_code == 413
    assert (await served.client.post(path, content=pieces(1))).status_code == 401, "a ticket is for its PUT alone"
    assert (await served.client.post("/session", content=b"x" * 20_000)).status_code == 413


async def test_the_length_is_looked_at_before_and_counted_while_it_comes(shop: Shopfront, guard: KeyGuard) -> None:
    served = Served(guard)
    _, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_WRITE], name="")
    served.client.headers["Authorization"] = f"Bearer {token}"
    stated = await served.client.post("/v1/jobs", content=b"x" * (BYTES + 1))
    assert (stated.status_code, stated.json()["code"], served.read) == (413, "body_too_large", [])
    for absurd in ("9" * 5000, "99999999999999999999"):
        told = await served.client.post("/v1/jobs", content=b"x", headers={"Content-Length": absurd})
        assert (told.status_code, served.read) == (413, [])
    unstated = await served.client.post("/v1/jobs", content=pieces(50))
    assert (unstated.status_code, unstated.json()["code"]) == (413, "body_too_large")
    assert served.read[-1] == -1, "the application hears that nobody is there any more"
    assert max(served.read) <= BYTES


async def test_a_store_that_is_away_lets_nobody_in(shop: Shopfront) -> None:
    class Away:
        async def admits(self, **_: Any) -> int | None:
            raise StoreUnavailable(reason="the drill")

    answer = await Served(Away()).client.post("/v1/jobs", **form(DESIGN))
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "Retry-After" in answer.headers


async def test_what_nobody_foresaw_is_the_farms_own_answer(shop: Shopfront, guard: KeyGuard) -> None:
    """And is not taken for that of a proxy without a replica, which would call the farm a starting one."""

    async def broken() -> None:
        raise RuntimeError("a secret")

    async def opening() -> Guard:
        return guard

    shop.app.add_api_route("/broken", broken)
    transport = httpx.ASGITransport(Gate(shop.app, opening))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for answer in (await client.get("/broken"), await client.head("/broken")):
            assert answer.status_code == 500
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["content-type"] == "application/problem+json"
        told = (await client.get("/broken")).json()
        assert (told["code"], "secret" in str(told)) == ("farm_error", False)


async def test_what_the_proxy_answers_by_itself_is_said_in_the_farms_words() -> None:
    """Ray Serve answers 404 until the application is there, and 500 for a replica that died; both as bare text."""

    async def serve_itself(scope: AsgiScope, receive: Receive, send: Send) -> None:
        status = int(scope["path"].rpartition("/")[2])
        farms_own = {"X-Content-Type-Options": "nosniff"} if "own" in scope["path"] else {}
        await PlainTextResponse("Path not found. Ping /-/routes", status, headers=farms_own)(scope, receive, send)

    async def opening() -> Guard:
        raise StoreUnavailable(reason="nobody asks it")

    gate = httpx.ASGITransport(Gate(serve_itself, opening))
    async with httpx.AsyncClient(transport=gate, base_url="http://localhost") as client:
        for status in (404, 408, 500, 503):
            answer = await client.get(f"/v1/jobs/{status}")
            assert (answer.status_code, answer.json()["code"]) == (503, "farm_starting"), status
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert (await client.get(f"/own/{status}")).status_code == status, "the application's word stands"
            assert (await client.get(f"/-/{status}")).status_code == status, "the proxy's own paths are its own"
        assert (await client.get("/v1/jobs/200")).text.startswith("Path")


async def test_a_proxy_that_raises_while_it_waits_for_a_replica_says_so_in_the_farms_words() -> None:
    async def dying(scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("the replica died")

    async def opening() -> Guard:
        raise ConnectionResetError("nor can its guard be opened")

    gate = httpx.ASGITransport(Gate(dying, opening))
    async with httpx.AsyncClient(transport=gate, base_url="http://localhost") as client:
        for answer in (await client.get("/v1/jobs"), await client.post("/v1/jobs", content=b"{}")):
            assert (answer.status_code, answer.json()["code"]) == (503, "farm_starting")
            assert int(answer.headers["Retry-After"]) > 0
        with pytest.raises(RuntimeError, match="died"):
            await client.get("/begun")


def meeting_point(method: str, path: str, **headers: str) -> bytes | None:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = with_meeting_point({"type": "http", "method": method, "path": path, "headers": raw})
    found = [value for name, value in scope["headers"] if name == MEETING_POINT]
    assert len(found) <= 1
    return found[0] if found else None


def test_requests_for_pictures_of_one_design_meet_in_one_replica_and_others_go_anywhere() -> None:
    front, back = "/v1/pictures/shop/dsn_1/front_0deg", "/v1/pictures/shop/dsn_1/back_180deg"
    assert meeting_point("GET", front) == meeting_point("HEAD", back) is not None
    assert meeting_point("GET", front) != meeting_point("GET", "/v1/pictures/shop/dsn_2/front_0deg")
    assert meeting_point("GET", front, x_session_id="mine") == meeting_point("GET", front), "nobody chooses a replica"
    anna, bert = ({"authorization": f"Bearer {name}"} for name in ("anna", "bert"))
    assert meeting_point("POST", "/v1/pictures", **anna) != meeting_point("POST", "/v1/pictures", **bert)
    assert b"anna" not in (meeting_point("POST", "/v1/pictures", **anna) or b"")
    assert meeting_point("GET", "/v1/jobs") is None
