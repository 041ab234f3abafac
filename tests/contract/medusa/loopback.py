"""A server on loopback that says, byte for byte, what a test wants said."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

type Say = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Given a request's method; writes the answer."""


@dataclass(slots=True)
class Loopback:
    url: str
    heads: list[str] = field(default_factory=list)
    """Request lines and headers, in order."""


@asynccontextmanager
async def loopback(say: Say) -> AsyncIterator[Loopback]:
    """Answer each connection's first request with ``say``, then close it."""
    state = Loopback(url="")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            state.heads.append(head)
            length = next((line[15:] for line in head.splitlines() if line.lower().startswith("content-length:")), "0")
            await reader.readexactly(int(length))
            await say(head.partition(" ")[0], writer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        await server.wait_closed()


def answer(status: int, body: bytes | str = b"", **headers: str) -> bytes:
    """One HTTP answer that ends the connection."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def always(data: bytes) -> Say:
    async def say(method: str, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return say
