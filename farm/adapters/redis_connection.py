"""Connections that know their server: each asks it who it is when it opens, and is given up when it changes.

After a failover the old primary lives on as a replica, a restarted server may keep nothing on disk, a load balancer
may answer with somebody else: what was true of the first connection says nothing about the next one.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import BusyLoadingError, ReadOnlyError, RedisError, ResponseError

from farm.adapters.redis_address import Address
from farm.adapters.redis_errors import leaves
from farm.adapters.redis_standing import QUESTIONS, Standing
from farm.errors import StoreUnfit

log = logging.getLogger(__name__)

BACKOFF_S = (0.05, 0.1, 0.2, 0.4, 0.5)
"""Pauses of a connection that finds a server which takes no writes: a planned failover is often over by then."""
TELL_AGAIN_S = 30.0


@dataclass(slots=True)
class Crew:
    """What the connections of one process to one store know together.

    Attributes:
        turn: rises when one of them finds the server changed; those that opened before open anew.
    """

    sentinel: Sentinel | None = None
    service: str = ""
    turn: int = 0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _trouble: str = ""
    _told_s: float = 0.0

    @classmethod
    def of(cls, address: Address, *, timeout_s: float) -> "Crew":
        sentinel = Sentinel(list(address.sentinels), sentinel_kwargs=_patience(address, timeout_s))
        return cls(sentinel=sentinel if address.sentinels else None, service=address.service)

    async def primary(self) -> tuple[str, int]:
        """Where the Sentinels say the primary is; only where there are Sentinels."""
        assert self.sentinel is not None
        async with self._asking:  # dozens of connections open at once after a failover
            host, port = await self.sentinel.discover_master(self.service)
        return str(host), int(port)

    def leave(self, turn: int, why: object) -> None:
        """Give up what was opened up to ``turn``."""
        if turn == self.turn:  # else somebody did
            self.turn += 1
            log.warning("the store is not what it was, connecting anew: %s", why)

    def judge(self, trouble: StoreUnfit | None) -> None:
        """Say what is wrong with the server, loudly, but not once for each connection."""
        now_s = time.monotonic()
        if trouble is None:
            if self._trouble:
                log.warning("the store is as it should be again")
            self._trouble = ""
        elif str(trouble) != self._trouble or now_s - self._told_s > TELL_AGAIN_S:
            self._trouble, self._told_s = str(trouble), now_s
            log.error("NOTHING IS ACCEPTED: %s %s", trouble, trouble.hint)

    async def aclose(self) -> None:
        if self.sentinel is not None:
            await self.sentinel.aclose()


class Watchful(AbstractConnection):
    """What the three kinds of connection have in common."""

    def __init__(self, *, crew: Crew, **options: Any) -> None:
        self._crew = crew
        self._turn = -1
        self._opening = True
        self.standing = Standing()
        super().__init__(**options)

    async def connect(self) -> None:
        """Be connected to a server that takes writes.

        Raises:
            ReadOnlyError, BusyLoadingError: after some pauses it still is a replica, or reads its data.
        """
        if self.is_connected and self._turn != self._crew.turn:
            await self.disconnect(nowait=True)
        for pause_s in BACKOFF_S:
            try:
                await super().connect()  # type: ignore[no-untyped-call]
            except (ReadOnlyError, BusyLoadingError):
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # nosec B311 # spreads them, hides nothing
            else:
                return
        await super().connect()  # type: ignore[no-untyped-call]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        self._turn, self._opening = self._crew.turn, True
        await super().on_connect_check_health(check_health=check_health)
        await self._ask()

    async def look(self) -> None:
        """Ask the server anew who it is; `standing` says what it answered.

        Raises:
            ReadOnlyError: when it is a replica by now, or the Sentinels name another.
        """
        try:
            await self._ask()
            await self._agree()
        except ReadOnlyError as error:
            self._crew.leave(self._turn, error)
            self.mark_for_reconnect()  # type: ignore[no-untyped-call]
            raise

    async def _ask(self) -> None:
        self._opening = True
        await self.send_packed_command(self.pack_commands(QUESTIONS), check_health=False)
        self.standing = Standing.of([await self._answer() for _ in QUESTIONS])
        self._opening = False
        if self.standing.replica:
            raise ReadOnlyError(f"{self.standing.name} at {self._host_error()} is a replica", status_code="READONLY")
        self._crew.judge(self.standing.trouble)

    async def _agree(self) -> None:
        """A primary that was cut off, or replaced in a hurry, does not know that it is none any more."""

    async def _answer(self) -> Any:
        try:
            return await self.read_response()
        except ResponseError as error:
            return error

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except RedisError as error:
            # What a connection hears while it opens is no news to the others: they opened, too.
            if not self._opening and leaves(error):
                self._crew.leave(self._turn, error)
                # Not closed at once: that would lose the answers to what was asked together with this.
                self.mark_for_reconnect()  # type: ignore[no-untyped-call]
            raise


class _Named(Watchful, Connection):
    """Of an address that Sentinels may resolve, anew for each connection."""

    async def _connect(self) -> None:
        if self._crew.sentinel is not None:
            self.host, self.port = await self._crew.primary()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def _agree(self) -> None:
        if self._crew.sentinel is not None and await self._crew.primary() != (self.host, self.port):
            reason = f"the Sentinels name another primary than {self.host}:{self.port}"
            raise ReadOnlyError(reason, status_code="READONLY")


class WatchfulTcp(_Named):
    """Over TCP."""


class WatchfulTls(_Named, SSLConnection):
    """Over TLS."""


class WatchfulUnix(Watchful, UnixDomainSocketConnection):
    """Over a socket of this machine."""


KINDS: Mapping[str, type[Watchful]] = {"tcp": WatchfulTcp, "tls": WatchfulTls, "unix": WatchfulUnix}


def _patience(address: Address, timeout_s: float) -> dict[str, Any]:
    return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, **address.sentinel_options}
