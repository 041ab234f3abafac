"""Sending to the web under the rules of `farm.adapters.web`: https, public addresses only, bounded in size and time.

No redirect is followed, and of the answer nothing is read but its status: whoever registers an address learns nothing
of what lies behind it.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import httpcore

from farm.adapters.border import border, said
from farm.adapters.guarded import Resolve, resolve
from farm.adapters.open_internet import allowed, forbidden_address, shown
from farm.adapters.tunnel import READ_BYTES, Handshake, Proxy, proxy_for
from farm.adapters.web import CONNECT_S
from farm.domain.web_address import NoAddress, WebAddress, host_name
from farm.errors import FarmError, WebhookFailed, WebhookRefused
from farm.notify.ports import Answer, Post

_NAMES = ThreadPoolExecutor(64, thread_name_prefix="farm-names")
"""Looks up strangers' names: a name server that does not answer must not hold the few threads of the loop's own."""
_DRIVER = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,
)


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to the hosts an operator listed; to the address that was looked at."""

    def __init__(
        self, look_up: Callable[[str, int], Awaitable[Sequence[str]]], proxy_for: Callable[[str], Proxy | None]
    ) -> None:
        self._look_up = look_up
        self._proxy_for = proxy_for
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
        addresses, proxy = await self._look_up(host, port), self._proxy_for(host)
        for address in addresses:
            to_host, to_port = (address, port) if proxy is None else (proxy.host, proxy.port)
            try:
                stream = await self._inner.connect_tcp(to_host, to_port, timeout, local_address, socket_options)
                if proxy is not None:
                    await _open(stream, Handshake(proxy, address, port))
                return stream
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise WebhookRefused(address="unix", reason="nobody receives webhooks behind a Unix socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _open(stream: httpcore.AsyncNetworkStream, handshake: Handshake) -> None:
    try:
        await stream.write(handshake.says)
        while not handshake.open(await stream.read(READ_BYTES)):
            pass
    except BaseException:
        await stream.aclose()
        raise


class WebPost:
    """See `farm.notify.ports.Post`.

    Args:
        hosts: that may be private and may be spoken to without https.
        timeout_s: for the whole of one sending, name to status.
        resolve: asks for the addresses of a name.
    """

    def __init__(
        self, hosts: frozenset[str] = frozenset(), *, timeout_s: float = 15.0, resolve: Resolve = resolve
    ) -> None:
        self._resolve = resolve
        self._hosts = frozenset(host_name(host) for host in hosts)
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()

    async def check(self, url: str) -> None:
        address = self._address(url)
        with _border(url):
            try:
                ipaddress.ip_address(address.host)
            except ValueError:
                # A name that resolves to nothing today may do so tomorrow; what it leads to then is looked at then.
                try:
                    async with asyncio.timeout(CONNECT_S):
                        await self._look_up(address.host, address.port)
                except (httpcore.ConnectError, TimeoutError):
                    return
            else:
                await self._look_up(address.host, address.port)

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        address = self._address(url)
        with _border(url):
            raw = [(b"host", address.host_and_port.encode()), (b"content-length", str(len(body)).encode())]
            raw += [(name.encode(), value.encode()) for name, value in headers.items()]
            try:
                # The whole of it, not each read: a receiver that drips its answer byte by byte ends like any slow one.
                async with asyncio.timeout(self._timeout_s):
                    return await self._sent(address, raw, body)
            except TimeoutError as error:
                raise WebhookFailed(address=_told(url), reason=f"no answer within {self._timeout_s:g} s") from error

    async def _sent(self, address: WebAddress, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        # A connection each: what is kept open would have to be looked at again.
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls, max_connections=1, network_backend=_Guarded(self._look_up, self._proxy)
        ) as pool:
            async with pool.stream(
                "POST", address.url, headers=headers, content=body, extensions={"timeout": {"connect": CONNECT_S}}
            ) as response:
                told = {name.lower(): value.decode("latin-1") for name, value in response.headers}
                return Answer(status=response.status, retry_after_s=_seconds(told.get(b"retry-after", "")))

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host, all of them looked at.

        Raises:
            WebhookRefused: when one is private, unless the operator listed the host.
            httpcore.ConnectError: when it has none.
        """
        try:
            addresses = await asyncio.get_running_loop().run_in_executor(_NAMES, self._resolve, host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        if host not in self._hosts and (bad := forbidden_address(addresses)) is not None:
            raise WebhookRefused(address=host, reason=f"it leads to {bad}, which is not on the open internet")
        return addresses

    def _proxy(self, host: str) -> Proxy | None:
        return None if host in self._hosts else proxy_for(host)  # a listed host is the operator's own, and near

    def _address(self, url: str) -> WebAddress:
        try:
            return allowed(WebAddress.of(url), self._hosts)
        except NoAddress as fault:
            raise WebhookRefused(address=_told(url), reason=str(fault)) from fault


def _border(url: str) -> AbstractContextManager[None]:
    def failed(error: Exception) -> FarmError:
        return WebhookFailed(address=_told(url), reason=said(error))

    return border(failed, *_DRIVER)


def _told(url: str) -> str:
    """Without what may be secret in it: a query often is."""
    return shown(url.partition("?")[0])


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 8 else None


if TYPE_CHECKING:
    _conforms: type[Post] = WebPost
