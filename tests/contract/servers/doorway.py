"""A TCP proxy whose other end can be changed, as a load balancer or a service address does in a failover."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_READ_BYTES = 65536


class Doorway:
    """Connections that exist stay where they are; new ones go to ``target``."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            behind, beyond = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            self._open.discard(task)
            return
        ways = [asyncio.create_task(_pass(reader, beyond)), asyncio.create_task(_pass(behind, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, beyond):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()
            self._open.discard(task)

    async def cut(self) -> None:
        """Break all connections."""
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def doorway(target: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Doorway]:
    """One for the length of the block; with ``tls`` it is TLS on this side and plain on the other."""
    door = Doorway(target)
    server = await asyncio.start_server(door.handle, "127.0.0.1", 0, ssl=tls)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        await door.cut()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 5)
