"""What every answer has, and which hosts are answered at all: one thin layer around the application."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.errors import BodyTooLarge, HostNotServed
from serve_app.conditions import stated_bytes
from serve_app.hosts import Hosts
from serve_app.policy import policy
from serve_app.problems import problem_of, unexpected

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Content-Security-Policy": policy(),
}


class Manners:
    """Security headers and rate-limit headers on every answer; what is not for us, or too much, is refused."""

    def __init__(self, app: ASGIApp, hosts: Hosts, body_max_bytes: int) -> None:
        self._app = app
        self._hosts = hosts
        self._body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def polite(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                for name, value in scope.get("state", {}).get("rate_headers", {}).items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        received_bytes = 0

        async def bounded() -> Message:
            # While it streams, not after it is in memory; a stated length may be a lie.
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._body_max_bytes:
                raise BodyTooLarge(limit_bytes=self._body_max_bytes)
            return message

        headers = Headers(scope=scope)
        if stated_bytes(headers.get("content-length")) > self._body_max_bytes:
            await problem_of(BodyTooLarge(limit_bytes=self._body_max_bytes))(scope, receive, polite)
            return
        if not self._hosts.answer(host := headers.get("host", ""), scope["method"], scope["path"]):
            await problem_of(HostNotServed(host=host[:100]))(scope, receive, polite)
            return
        try:
            await self._app(scope, bounded, polite)
        except Exception as error:
            if started:
                raise
            # Here and not outside of everything, where the framework would answer it: such an answer is the farm's too,
            # and has its headers. The proxy takes one that has not for its own.
            await unexpected(scope["method"], scope["path"], error)(scope, receive, polite)
