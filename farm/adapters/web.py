"""The web as the farm may fetch from it: https, public addresses only, bounded in size and time.

A host's addresses are looked at when the connection is made and the connection goes to the address that was looked at,
so that a name which means something else a moment later leads nowhere. Redirects are followed a few steps, each one
under the same rules.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from farm.errors import DesignNotFound, FetchFailed, FetchRefused

MOST_REDIRECTS = 4
CHUNK_BYTES = 1 << 20
CONNECT_S = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = b"tshirt-farm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said of a file.

    Attributes:
        identity: made of ETag or Last-Modified; ``None`` where the server tells neither.
        size_bytes: as announced.
        chunks: the body, to be read once, within the ``with``.
    """

    identity: str | None
    size_bytes: int | None
    chunks: Iterable[bytes]


Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name, as text; raises `OSError` where it has none."""


def resolve(host: str, port: int) -> Sequence[str]:
    """What this machine's resolver says. It reads numbers as people write them: ``2130706433`` is ``127.0.0.1``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class _Guarded(httpcore.NetworkBackend):
    """Connects to public addresses, and to the hosts an operator listed.

    The name is resolved once, and the connection goes to an address that was looked at, not to the name.
    """

    def __init__(self, hosts: frozenset[str], resolve: Resolve, inner: httpcore.NetworkBackend) -> None:
        self._hosts = hosts
        self._resolve = resolve
        self._inner = inner

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
        if host.lower() not in self._hosts:
            bad = forbidden_address(addresses)
            if bad is not None:
                raise FetchRefused(address=host, reason=f"it leads to {bad}, which is not on the open internet")
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise FetchRefused(address="unix", reason="there are no files behind a Unix socket")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def forbidden_address(addresses: Iterable[str]) -> str | None:
    """The first of them that is not on the open internet."""
    return next((address for address in addresses if not is_public(address)), None)


def address_fault(url: str, hosts: frozenset[str]) -> tuple[str, int] | str:
    """Host and port of an address that may be spoken to, or in words why it may not.

    Args:
        hosts: that may be spoken to without https, in small letters.
    """
    if any(character <= " " or character in "\\\x7f" for character in url):
        # Whoever else reads this address may see another host in it.
        return "it holds a space, a backslash or a control character"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it is no address"
    if not host or parts.username or parts.password or port == 0:
        return "it must be https://host/path, without a user"
    if parts.scheme != "https" and not (parts.scheme == "http" and host.lower() in hosts):
        return "it is not https"
    if port not in (None, 443) and host.lower() not in hosts:
        return f"port {port} is not that of https"
    return host, port or (443 if parts.scheme == "https" else 80)


_CARRIERS = tuple(ipaddress.ip_network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
"""IPv6 networks that carry an IPv4 address in their last 32 bits: IPv4-compatible, translated, NAT64."""


def is_public(text: str) -> bool:
    """Whether an address is on the open internet, as is any that it may carry inside."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _CARRIERS):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not getattr(address, "is_site_local", False)


class Web:
    """Fetches; may be used from many threads.

    Args:
        hosts: that may be private and may be spoken to without https.
        timeout_s: for the whole of one file.
        resolve: asks for the addresses of a name.
        network: makes the connections, to addresses that were looked at.
    """

    def __init__(
        self,
        hosts: frozenset[str] = frozenset(),
        *,
        timeout_s: float = 30.0,
        resolve: Resolve = resolve,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._timeout_s = timeout_s
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=32,
            max_keepalive_connections=8,
            keepalive_expiry=20.0,
            network_backend=_Guarded(self._hosts, resolve, network or httpcore.SyncBackend()),
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def get(self, url: str, *, limit_bytes: int, method: str = "GET") -> Iterator[Answer]:
        """A file, its body unread.

        Raises:
            FetchRefused: when the address may not be used, or the file is too large.
            DesignNotFound: when it is not there.
            FetchFailed: when the server does not deliver; a retry may help.
        """
        until_s = time.monotonic() + self._timeout_s
        with _translated(url):
            for _ in range(MOST_REDIRECTS + 1):
                self._check(url)
                with self._pool.stream(
                    method,
                    url,
                    headers=[(b"Host", host_header(url)), (b"User-Agent", _AGENT), (b"Accept-Encoding", b"identity")],
                    extensions={"timeout": self._timeouts(until_s)},
                ) as response:
                    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
                    if response.status in _REDIRECTS and b"location" in headers:
                        url = urljoin(url, headers[b"location"])
                        continue
                    _check_status(url, response.status)
                    size = headers.get(b"content-length", "")
                    size_bytes = int(size) if size.isdigit() else None
                    if size_bytes is not None and size_bytes > limit_bytes:
                        raise FetchRefused(address=url, reason=f"it has {size_bytes} bytes, more than {limit_bytes}")
                    yield Answer(
                        identity=_identity(url, headers),
                        size_bytes=size_bytes,
                        chunks=self._body(url, response, size_bytes, limit_bytes, until_s),
                    )
                    return
            raise FetchFailed(address=url, reason=f"it redirects more than {MOST_REDIRECTS} times")

    def read(self, url: str, *, limit_bytes: int) -> tuple[bytes, str | None]:
        """A file as a whole, and its identity."""
        with self.get(url, limit_bytes=limit_bytes) as answer:
            return b"".join(answer.chunks), answer.identity

    def identity(self, url: str) -> str | None:
        """Which version of the file is there, without fetching it; ``None`` where the server does not tell."""
        with self.get(url, limit_bytes=1 << 62, method="HEAD") as answer:
            return answer.identity

    def _body(
        self, url: str, response: httpcore.Response, size_bytes: int | None, limit_bytes: int, until_s: float
    ) -> Iterator[bytes]:
        read = 0
        for chunk in response.iter_stream():
            read += len(chunk)
            if read > limit_bytes:
                raise FetchRefused(address=url, reason=f"it has more than {limit_bytes} bytes")
            if time.monotonic() > until_s:
                raise FetchFailed(address=url, reason=f"it took longer than {self._timeout_s:g} s")
            yield chunk
        if size_bytes is not None and read != size_bytes:
            raise FetchFailed(address=url, reason=f"{read} of {size_bytes} bytes came")

    def _check(self, url: str) -> None:
        fault = address_fault(url, self._hosts)
        if isinstance(fault, str):
            raise FetchRefused(address=repr(url[:200]) if not url.isprintable() else url[:200], reason=fault)

    def _timeouts(self, until_s: float) -> dict[str, float]:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("too many redirects for the time")
        return {"connect": min(CONNECT_S, left_s), "read": left_s, "write": left_s, "pool": left_s}


def host_header(url: str) -> bytes:
    """The ``Host`` of a request to ``url``."""
    return urlsplit(url).netloc.encode("idna" if not url.isascii() else "ascii")


def _check_status(url: str, status: int) -> None:
    if status in (404, 410):
        raise DesignNotFound(address=url)
    if status in (401, 403):
        raise FetchRefused(address=url, reason=f"the server answers {status}: it is not public")
    if status != 200:
        raise FetchFailed(address=url, reason=f"the server answers {status}")


def _identity(url: str, headers: dict[bytes, str]) -> str | None:
    etag = headers.get(b"etag")
    if etag:
        return f"{url}\netag {etag}"
    modified = headers.get(b"last-modified")
    return f"{url}\nmodified {modified} {headers.get(b'content-length', '')}" if modified else None


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
        OSError,
    ) as error:
        raise FetchFailed(address=url, reason=str(error) or type(error).__name__) from error
