"""In front of Ray Serve's proxy: who may send a body, and how large, is known before the body is read.

Serve's proxy takes a whole body into memory before the application sees any of it. So this layer, which runs inside
the proxy's process (``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``), looks at key or session and at the announced length
first, and counts what really comes. The application asks everything again; here only memory is protected.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

import redis.asyncio
from starlette.datastructures import Headers, QueryParams
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.adapters.redis_connections import Connections
from farm.adapters.redis_keys import RedisKeys
from farm.domain.picture_address import PREFIX
from farm.errors import BodyTooLarge, FarmError, StoreUnavailable, Unauthorised
from farm.home.folder import Home
from farm.settings import Settings
from serve_app.conditions import stated_bytes
from serve_app.manners import SECURITY
from serve_app.problems import ORIGIN, problem_of
from serve_app.sessions import COOKIE, Sessions
from serve_app.standing_in import starting
from serve_app.uploads import Tickets

log = logging.getLogger(__name__)

MEETING_POINT = b"x-session-id"
"""The header by which Ray Serve's router chooses among replicas that keep something; callers' own is not heeded."""
LOGIN = "/session"
LOGIN_BYTES = 16_384
PATIENCE_S = 5.0
PROXY_CONNECTIONS = 16
"""To the store, from each proxy: it asks one short question for each body."""
_PROXYS_OWN = "/-/"
"""Paths that are the proxy's: its health, its routes."""
_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard(Protocol):
    """Whom a proxy lets send a body."""

    async def admits(self, *, bearer: str | None, cookie: str | None, ticket: str | None) -> int | None:
        """The most bytes that they may send; ``None`` where they may send none.

        Raises:
            StoreUnavailable: when nobody knows.
        """
        ...


class Gate:
    """The layer itself; plain ASGI.

    Args:
        opening: makes the guard at the first request, in the proxy's own event loop.
    """

    def __init__(self, app: ASGIApp, opening: Callable[[], Awaitable[Guard]]) -> None:
        self._app = app
        self._opening = opening
        self._guard: Guard | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answers = _OurAnswers(scope, receive, send)
        try:
            await self._guarded(with_meeting_point(scope), receive, answers)
        except Exception:
            # A replica that dies in mid-request also ends as an error of the proxy's own, which would be a bare 500.
            if answers.begun:
                raise
            log.exception("a request ended in the proxy itself")
            await starting(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, once it is known how large its body may be."""
        if scope["method"] in _NO_BODY:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            limit_bytes = await self._limit(scope, headers)
            if stated_bytes(headers.get("content-length")) > limit_bytes:
                raise BodyTooLarge(limit_bytes=limit_bytes)
        except FarmError as error:
            await _refusal(error)(scope, receive, send)
            return
        await _Counted(self._app, limit_bytes)(scope, receive, send)

    async def _limit(self, scope: Scope, headers: Headers) -> int:
        if scope["path"] == LOGIN:
            return LOGIN_BYTES
        if self._guard is None:
            self._guard = await self._opening()
        kind, _, token = headers.get("authorization", "").partition(" ")
        limit_bytes = await self._guard.admits(
            bearer=token.strip() if kind.lower() == "bearer" else None,
            cookie=_cookie(headers.get("cookie", "")),
            ticket=_ticket(scope),
        )
        if limit_bytes is None:
            raise Unauthorised(reason="there is no valid key or session; the body was not read")
        return limit_bytes


def with_meeting_point(scope: Scope) -> Scope:
    """A request for a picture, told from others by what decides which replica makes it.

    By ``GET`` that is tenant and design: equal requests meet where the design's print is at hand. A body is not read
    here: those who post are told from each other by who they are, and each drags one design about.
    """
    path = str(scope["path"])
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return scope
    headers = Headers(scope=scope)
    if scope["method"] in _NO_BODY:
        point = path.rpartition("/")[0]
    else:
        point = headers.get("authorization", "") + headers.get("cookie", "")
    own = [(name, value) for name, value in scope["headers"] if name != MEETING_POINT]
    name = hashlib.sha256(point.encode("utf-8", "surrogateescape")).hexdigest()[:32].encode()
    return {**scope, "headers": [*own, (MEETING_POINT, name)]}


class _OurAnswers:
    """Sends what the application answers; what the proxy itself answers where no replica does is said in our words.

    The proxy's own are texts without our headers: 404 until the application is there (again), 500 for a replica that
    died, 503 for one that is overrun. A client must not take the first for the farm's word.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._replaced = False
        self.begun = False
        """Whether a client has seen the beginning of an answer."""

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        self.begun = True
        if message["type"] == "http.response.start" and self._is_the_proxys(message):
            self._replaced = True
            await starting(self._scope, self._receive, self._send)
            return
        await self._send(message)

    def _is_the_proxys(self, message: Message) -> bool:
        if message["status"] < 400 or str(self._scope["path"]).startswith(_PROXYS_OWN):
            return False
        return "X-Content-Type-Options" not in Headers(raw=list(message.get("headers", ())))


class _Counted:
    """One request whose body may have so many bytes; past them it is answered 413 and over for the application."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self._answered = False
        self._refused = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = {"type": "http.disconnect"} if self._refused else await receive()
            self._received_bytes += len(message.get("body", b""))
            if self._received_bytes <= self._limit_bytes:
                return message
            if not self._answered and not self._refused:
                self._refused = True
                await _refusal(BodyTooLarge(limit_bytes=self._limit_bytes))(scope, receive, send)
            self._refused = True
            return {"type": "http.disconnect"}

        async def once(message: Message) -> None:
            if not self._refused:
                self._answered = True
                await send(message)

        await self._app(scope, counted, once)


def _refusal(error: FarmError) -> Response:
    refused = problem_of(error)
    refused.headers.update({**SECURITY, "Cache-Control": "no-store"})
    return refused


def _cookie(text: str) -> str | None:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None else None


def _ticket(scope: Scope) -> str | None:
    """Of an upload's one-time address, which needs no key."""
    path = str(scope["path"])
    path = "/v1" + path.removeprefix(ORIGIN) if path.startswith(ORIGIN) else path
    if scope["method"] != "PUT" or not path.startswith("/v1/uploads/"):
        return None
    return QueryParams(scope.get("query_string", b"")).get("ticket")


class KeyGuard:
    """Asks the farm's store."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._keys = RedisKeys(client)

    async def admits(self, *, bearer: str | None, cookie: str | None, ticket: str | None) -> int | None:
        if bearer is not None:
            return self._settings.body_max_bytes if await self._keys.admit(bearer) is not None else None
        if ticket is None and cookie is None:
            return None
        # Asked each time: this process outlives replicas, and the secret that the first of them settles at its start.
        secret = await self._keys.signing_secret()
        if secret is None:
            return None
        if ticket is not None:
            try:
                return Tickets(secret).read(ticket).size_bytes
            except Unauthorised:
                return None
        sessions = Sessions(self._keys, secret, lasting_s=self._settings.session_hours * 3600)
        return self._settings.body_max_bytes if await sessions.read(cookie or "") is not None else None


async def open_guard() -> Guard:
    """The guard of the farm of this process's environment.

    Raises:
        StoreUnavailable: when the farm's store is not known here.
    """
    settings = Settings.load()
    store_url = settings.redis_url
    if not store_url:
        host = Home(settings.home).host()
        store_url = host.store_url if host is not None else ""
    if not store_url:
        raise StoreUnavailable(reason="no farm is up in this FARM_HOME")
    return KeyGuard(settings, Connections(store_url, commands=PROXY_CONNECTIONS, timeout_s=PATIENCE_S).client)


def middlewares() -> list[Middleware]:
    """What Ray Serve's proxies put in front of themselves."""
    return [Middleware(Gate, opening=open_guard)]
