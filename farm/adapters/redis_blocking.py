"""A blocking client for a thread of its own: heartbeats, backups, the doctor."""

from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from farm.adapters.redis_address import Address, valid_address
from farm.adapters.redis_errors import leaves
from farm.adapters.redis_standing import QUESTIONS, Standing
from farm.errors import StoreNotWritable


def open_blocking(url: str, *, timeout_s: float, retries: int = 0, **options: Any) -> redis.Redis:
    """A client of the store; it connects when first asked.

    Args:
        url: as of `farm.adapters.redis_address`.
        timeout_s: for connecting and for each answer.
        retries: on a connection that broke; only for what may be done twice.

    Raises:
        InvalidSettings: when ``url`` is no address of a Redis.
    """
    address = Address.parse(url)
    patience = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    with valid_address():
        pool = ConnectionPool(
            connection_class=_KINDS[address.kind],
            address=address,
            protocol=2,
            retry=Retry(NoBackoff(), retries),
            **{**patience, **options, **address.options},
        )
    return redis.Redis.from_pool(pool)


def standing_of(client: redis.Redis) -> Standing:
    """What the server is now; of one that refuses to tell it is empty."""
    connection = client.connection_pool.get_connection()
    try:
        # Not by the client's methods, which parse: the same answers are asked for of every other connection.
        connection.send_packed_command(connection.pack_commands(QUESTIONS))
        return Standing.of([_answer(connection) for _ in QUESTIONS])
    finally:
        client.connection_pool.release(connection)


def require_fit(client: redis.Redis) -> None:
    """See that what is written to this server stays there.

    Raises:
        StoreNotWritable: it is a replica.
        StoreUnfit: saying why.
    """
    standing = standing_of(client)
    if standing.replica:
        raise StoreNotWritable(reason=f"{standing.name} is a replica")
    if (trouble := standing.trouble) is not None:
        raise trouble


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


class _Leaving(AbstractConnection):
    """Closes when the server says that it is no longer the one to ask."""

    def __init__(self, *, address: Address, **options: Any) -> None:
        self._address = address
        super().__init__(**options)

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except RedisError as error:
            if leaves(error):
                self.mark_for_reconnect()  # type: ignore[no-untyped-call]
            raise


class _Named(Connection):
    _address: Address

    def _connect(self) -> Any:
        if self._address.sentinels:
            patience = {"socket_timeout": self.socket_timeout, "socket_connect_timeout": self.socket_connect_timeout}
            asked = Sentinel(
                list(self._address.sentinels), sentinel_kwargs={**patience, **self._address.sentinel_options}
            )
            try:
                self.host, self.port = asked.discover_master(self._address.service)
            finally:
                for sentinel in asked.sentinels:
                    sentinel.close()
        return super()._connect()  # type: ignore[no-untyped-call]


class _Tcp(_Leaving, _Named):
    """Over TCP."""


class _Tls(_Leaving, _Named, SSLConnection):
    """Over TLS."""


class _Unix(_Leaving, UnixDomainSocketConnection):
    """Over a socket of this machine."""


_KINDS: Mapping[str, type[Any]] = {"tcp": _Tcp, "tls": _Tls, "unix": _Unix}
