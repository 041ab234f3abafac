"""A process's connections to its store: one pool for what asks and one for what waits, both bounded, both patient."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from farm.adapters.redis_address import Address, valid_address
from farm.adapters.redis_connection import KINDS, Crew, Watchful

COMMANDS = 64
"""Connections of a process that ask: more would only wait for each other in the server, which has one thread."""
FOLLOWERS = 5000
"""The most connections that wait for events; whoever lets followers in bounds them long before."""
TIMEOUT_S = 5.0
WAIT_S = 5.0
"""Patience with a pool whose connections are all busy."""


class Connections:
    """One per process, event loop and store.

    Attributes:
        client: asks and is answered at once.
        followers: blocks; however many wait, whoever asks keeps connections.

    Raises:
        InvalidSettings: when ``url`` is no address of a Redis.
    """

    def __init__(self, url: str, *, commands: int = COMMANDS, timeout_s: float = TIMEOUT_S) -> None:
        address = Address.parse(url)
        self._crew = Crew.of(address, timeout_s=timeout_s)
        self._pools = [self._pool(address, most, timeout_s) for most in (commands, FOLLOWERS)]
        self.client, self.followers = (Redis(connection_pool=pool) for pool in self._pools)

    @property
    def turn(self) -> int:
        """Rises when the server turns out to be another, or no longer what it was."""
        return self._crew.turn

    @asynccontextmanager
    async def pipe(self) -> AsyncIterator[tuple[Pipeline, Watchful]]:
        """A pipeline without a transaction, and the connection that it goes over."""
        connection = cast(Watchful, await self._pools[0].get_connection())  # type: ignore[no-untyped-call]
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.connection = connection  # type: ignore[assignment]  # its own name for TCP only; it gives it back
            yield pipe, connection

    async def aclose(self) -> None:
        """Close all of them."""
        for pool in self._pools:
            await pool.aclose()
        await self._crew.aclose()

    def _pool(self, address: Address, most: int, timeout_s: float) -> "_Pool":
        options: dict[str, Any] = {
            "decode_responses": True,
            "protocol": 2,
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            # The farm repeats by itself what is safe to repeat; the client must not do so behind its back.
            "retry": Retry(NoBackoff(), 0),
            "max_connections": most,
            "timeout": WAIT_S,
            **({} if address.kind == "unix" else {"socket_keepalive": True}),
            **address.options,  # what stands in the address counts
        }
        with valid_address():
            return _Pool(connection_class=KINDS[address.kind], crew=self._crew, **options)


class _Pool(BlockingConnectionPool):
    async def release(self, connection: Any) -> None:
        if connection.should_reconnect():
            # Here, and without waiting for the other end: the pool would hold its lock meanwhile, and whoever is
            # cancelled while it waits for that lock would keep the connection for ever.
            await connection.disconnect(nowait=True)
        await super().release(connection)
