"""Who answers at the service's port while the service itself is not there: 503, when to come again, and nothing read.

`StandIn` listens for as long as nobody else does at that port: before Ray Serve's proxy is there, and again whenever
it is gone. Both ask the kernel to share the port (``SO_REUSEPORT``), so there is no moment in which it is lost.
"""

import asyncio
import contextlib
import ctypes
import logging
import socket
import struct
import time
from collections.abc import Iterator

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from farm.errors import FarmStarting
from farm.home.listening import inode_of, listeners
from serve_app.manners import SECURITY
from serve_app.problems import problem_of

log = logging.getLogger(__name__)

LOOK_S = 0.1
DRAIN_S = 5.0
"""How long a body is thrown away before it is answered: a client that still sends does not hear an answer."""


async def starting(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer in place of a service that is not there; plain ASGI.

    ``/healthz`` is 200: whoever asks is told that somebody is at it, and need not end everything to mend it.
    """
    if scope["type"] != "http":
        return
    answer: Response
    if scope["path"] == "/healthz":
        answer = JSONResponse({"status": "ok", "checks": {}})
    else:
        answer = problem_of(FarmStarting(reason="the farm is starting, or mends itself"))
    answer.headers.update({**SECURITY, "Cache-Control": "no-store", "Connection": "close"})
    await answer(scope, receive, send)


async def _drained(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and "expect" not in Headers(scope=scope):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while (await receive()).get("more_body"):
                    pass
    await starting(scope, receive, send)


LET_IN_S = 0.05
"""How long those who knocked before the others were sent on are given to be let in."""
LAST_S = 0.2
"""How long those who came last, and have not been heard yet, are given when the service takes over."""


_ATTACH_REUSEPORT_CBPF, _DETACH_REUSEPORT_BPF = 51, 68
"""Of Linux' ``asm-generic/socket.h``, since 4.5 and 5.3."""
_RETURN = 0x06
"""``BPF_RET | BPF_K`` of ``linux/bpf_common.h``."""


def _send_on(door: socket.socket) -> None:
    """Let the kernel give whoever knocks from now on to the socket that listened on this port second: the service's.

    Those whom a door has not let in yet are cut off when it shuts, and nobody can see in the same moment that nobody
    is there and shut it.
    """
    program = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, 1))
    with contextlib.suppress(OSError):  # another kernel: the gap is small
        door.setsockopt(socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, struct.pack("HP", 1, ctypes.addressof(program)))


def _take_back(door: socket.socket) -> None:
    """Undo `_send_on`: whoever listens on this port gets whoever knocks."""
    with contextlib.suppress(OSError):
        door.setsockopt(socket.SOL_SOCKET, _DETACH_REUSEPORT_BPF, 0)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the command hears them itself


class StandIn:
    """One port that is never without an answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._door: socket.socket | None = None
        self._inode = 0
        self._since_s = 0.0

    @property
    def alone_s(self) -> float:
        """For how long it has been answering in the service's place by now; 0 while the service is there."""
        return time.monotonic() - self._since_s if self._server is not None else 0.0

    async def watch(self) -> None:
        """Until cancelled: listen while nobody else does."""
        try:
            while True:
                try:
                    await self._look()
                except Exception:
                    log.exception("nobody stands in for the service; trying again")
                await asyncio.sleep(LOOK_S)
        finally:
            await self._close()

    async def _look(self) -> None:
        others = self._others()
        if others and self._server is not None:
            await self._give_way()
        elif not others and self._server is None:
            self._open()

    def _others(self) -> set[int]:
        return listeners(self._port) - {self._inode}

    def _open(self) -> None:
        door = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            door.bind((self._host, self._port))
        except OSError as error:  # somebody's who does not share it: the service will say so
            log.debug("cannot stand in: %s", error)
            door.close()
            return
        self._door = door
        self._since_s = time.monotonic()
        self._inode = inode_of(door)
        config = uvicorn.Config(_drained, lifespan="off", log_config=None, access_log=False, timeout_keep_alive=1)
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[door]))

    async def _give_way(self) -> None:
        if self._door is None:
            return
        _send_on(self._door)
        await asyncio.sleep(LET_IN_S)
        if self._others():
            await self._close()
        else:  # the service has died at once: nobody but this one is there
            _take_back(self._door)

    async def _close(self) -> None:
        server, serving, door = self._server, self._serving, self._door
        if server is None or serving is None or door is None:
            return
        try:
            # The door alone stops to listen: a server of asyncio that is closed drops those whom it has just let in.
            asyncio.get_running_loop().remove_reader(door)
            door.shutdown(socket.SHUT_RD)
            await asyncio.sleep(LAST_S)
            server.should_exit = True
            await serving
        finally:
            door.close()  # a server that is told to end before it began leaves it open
            self._server = self._serving = self._door = None
            self._inode = 0
