"""Sending to the web under the rules of `farm.adapters.web`: https, public addresses only, bounded in size and time.

No redirect is followed, and of the answer nothing is read but its status: whoever registers an address learns nothing
of what lies behind it.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import httpcore

from farm.adapters.web import CONNECT_S, address_fault, forbidden_address, host_header
from farm.errors import WebhookFailed, WebhookRefused
from farm.notify.ports import Answer, Post

SHOWN_CHARACTERS = 200


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to the hosts an operator listed; to the address that was looked at."""

    def __init__(self, hosts: frozenset[str]) -> None:
        self._hosts = hosts
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the base class's name
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await addresses_of(host, port, self._hosts):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise WebhookRefused(address="unix", reason="nobody receives webhooks behind a Unix socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def addresses_of(host: str, port: int, hosts: frozenset[str]) -> list[str]:
    """The addresses of a host, all of them looked at.

    Raises:
        WebhookRefused: when one is private, unless the operator listed the host.
        httpcore.ConnectError: when it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if host.lower() not in hosts and (bad := forbidden_address(addresses)) is not None:
        raise WebhookRefused(address=host, reason=f"it leads to {bad}, which is not on the open internet")
    return addresses


class WebPost:
    """See `farm.notify.ports.Post`.

    Args:
        hosts: that may be private and may be spoken to without https.
        timeout_s: for the whole of one sending, name to status.
    """

    def __init__(self, hosts: frozenset[str] = frozenset(), *, timeout_s: float = 15.0) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()

    async def check(self, url: str) -> None:
        host, port = self._address(url)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            # A name that resolves to nothing today may do so tomorrow; what it leads to then is looked at then.
            try:
                async with asyncio.timeout(CONNECT_S):
                    await addresses_of(host, port, self._hosts)
            except (httpcore.ConnectError, TimeoutError):
                return
        else:
            await addresses_of(host, port, self._hosts)

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        self._address(url)
        raw = [(b"host", host_header(url)), (b"content-length", str(len(body)).encode())]
        raw += [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            # The whole of it, not each read: a receiver that drips its answer byte by byte ends like any slow one.
            async with asyncio.timeout(self._timeout_s):
                # A connection each: what is kept open would have to be looked at again.
                async with httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, max_connections=1, network_backend=_Guarded(self._hosts)
                ) as pool:
                    async with pool.stream(
                        "POST", url, headers=raw, content=body, extensions={"timeout": {"connect": CONNECT_S}}
                    ) as response:
                        told = {name.lower(): value.decode("latin-1") for name, value in response.headers}
                        return Answer(status=response.status, retry_after_s=_seconds(told.get(b"retry-after", "")))
        except TimeoutError as error:
            raise WebhookFailed(address=_shown(url), reason=f"no answer within {self._timeout_s:g} s") from error
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as error:
            raise WebhookFailed(address=_shown(url), reason=str(error) or type(error).__name__) from error

    def _address(self, url: str) -> tuple[str, int]:
        fault = address_fault(url, self._hosts)
        if isinstance(fault, str):
            raise WebhookRefused(address=_shown(url), reason=fault)
        return fault


def _shown(url: str) -> str:
    """Without what may be secret in it: a query often is."""
    return url.partition("?")[0][:SHOWN_CHARACTERS]


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 8 else None


if TYPE_CHECKING:
    _conforms: type[Post] = WebPost
