"""``HEAD`` wherever ``GET`` works, and a ``Range`` that is one: asked of everything that can be read, so done once."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.conditions import plain_ranges

HEAD_ASKED = "farm.head"
"""Member of the scope: the body is not wanted, and an operation may spare itself the making."""


class Reading:
    """A layer around the application that answers ``HEAD`` with the head of what ``GET`` answers.

    A ``Range`` that is none is taken away: it is to be ignored, and not every reader would.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        scope.setdefault("state", {})  # shared with the layers outside
        inner: Scope = {**scope, "method": "GET", HEAD_ASKED: is_head, "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=inner)
        ranges = None if is_head else plain_ranges(headers.get("range"))
        if ranges is None:
            del headers["range"]
        else:
            headers["range"] = ranges
        if is_head:
            await _Head(self._app, receive, send)(inner)
        else:
            await self._app(inner, receive, send)


class _Head:
    """One answer without its body. A stream is over after its head: the application hears that the caller has left."""

    def __init__(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        self._app = app
        self._receive = receive
        self._send = send
        self._over = asyncio.Event()

    async def __call__(self, scope: Scope) -> None:
        # Since 2.4 an application is told by an error of its `send` instead.
        scope["asgi"] = {**scope.get("asgi", {}), "spec_version": "2.3"}
        await self._app(scope, self._received, self._sent)

    async def _sent(self, message: Message) -> None:
        if self._over.is_set():
            return
        if message["type"] == "http.response.start":
            await self._send(message)
            is_last = "content-length" not in Headers(raw=message["headers"])  # a stream; its body may never end
        else:
            is_last = not message.get("more_body", False)
        if is_last:
            await self._end()

    async def _end(self) -> None:
        self._over.set()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _received(self) -> Message:
        coming = asyncio.ensure_future(self._receive())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({coming, over}, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if self._over.is_set() else await coming
        finally:
            coming.cancel()
            over.cancel()
