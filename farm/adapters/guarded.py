"""Connections to addresses that were looked at.

Never to what a name means a moment later, and never for longer than the whole request may take.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpcore

from farm.adapters.open_internet import forbidden_address
from farm.adapters.tunnel import READ_BYTES, Handshake, Proxy, proxy_for
from farm.errors import FetchRefused

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name, as text; raises `OSError` where it has none."""

ProxyFor = Callable[[str], Proxy | None]


def resolve(host: str, port: int) -> Sequence[str]:
    """What this machine's resolver says. It reads numbers as people write them: ``2130706433`` is ``127.0.0.1``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Deadline:
    """When the request of this thread must have ended; a server that drips a byte now and then must not outlast it."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def until(self, until_s: float) -> Iterator[None]:
        """For what this thread does within the block.

        Args:
            until_s: on the monotonic clock.
        """
        self._of_thread.until_s = until_s
        try:
            yield
        finally:
            del self._of_thread.until_s

    def left_s(self, timeout: float | None) -> float | None:
        """What is left of a time-out.

        Raises:
            httpcore.ReadTimeout: nothing.
        """
        until_s: float | None = getattr(self._of_thread, "until_s", None)
        if until_s is None:
            return timeout
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("it took too long")
        return left_s if timeout is None else min(left_s, timeout)


class Guarded(httpcore.NetworkBackend):
    """Connects to public addresses, and to the hosts an operator listed.

    The name is resolved once, and the connection goes to an address that was looked at, not to the name; so it does
    through the environment's proxy.
    """

    def __init__(
        self,
        hosts: frozenset[str],
        resolve: Resolve,
        inner: httpcore.NetworkBackend,
        deadline: Deadline,
        proxy_for: ProxyFor = proxy_for,
    ) -> None:
        self._proxy_for = proxy_for
        self._hosts = hosts
        self._resolve = resolve
        self._inner = inner
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        if host not in self._hosts:
            bad = forbidden_address(addresses)
            if bad is not None:
                raise FetchRefused(address=host, reason=f"it leads to {bad}, which is not on the open internet")
        # A listed host is the operator's own, and near.
        proxy = None if host in self._hosts else self._proxy_for(host)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                left_s = self._deadline.left_s(timeout)
                to_host, to_port = (address, port) if proxy is None else (proxy.host, proxy.port)
                stream = _Timed(
                    self._inner.connect_tcp(to_host, to_port, left_s, local_address, socket_options), self._deadline
                )
                if proxy is not None:
                    _open(stream, Handshake(proxy, address, port), timeout)
                return stream
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise FetchRefused(address="unix", reason="there are no files behind a Unix socket")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _open(stream: httpcore.NetworkStream, handshake: Handshake, timeout: float | None) -> None:
    try:
        stream.write(handshake.says, timeout)
        while not handshake.open(stream.read(READ_BYTES, timeout)):
            pass
    except BaseException:
        stream.close()
        raise


class _Timed(httpcore.NetworkStream):
    """A stream that ends with its request's time."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left_s(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(
            self._inner.start_tls(ssl_context, server_hostname, self._deadline.left_s(timeout)), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
