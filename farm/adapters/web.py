"""The web as the farm may fetch from it: https, public addresses only, bounded in size and time.

A host's addresses are looked at when the connection is made and the connection goes to the address that was looked at,
so that a name which means something else a moment later leads nowhere. Redirects are followed a few steps, each one
under the same rules.
"""

import logging
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import httpcore

from farm.adapters.border import border, said
from farm.adapters.guarded import Deadline, Guarded, Resolve, resolve
from farm.adapters.open_internet import allowed, shown
from farm.adapters.share_page import direct, no_page
from farm.adapters.unpacked import Unpackable, packing_of, unpacked
from farm.domain.web_address import NoAddress, WebAddress, host_name
from farm.errors import DesignNotFound, FarmError, FetchFailed, FetchRefused

log = logging.getLogger(__name__)

MOST_REDIRECTS = 4
MOST_CONNECTIONS = 128
"""More than threads that fetch: who waits for a connection would be told that the server is slow."""
CONNECT_S = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_HEAD = frozenset({400, 401, 403, 405, 501})
"""What is said to HEAD by those who would answer GET: a signature holds for one method."""
_SIGNED = re.compile(r"[?&](X-Amz-Signature|X-Goog-Signature|Signature|sig|hmac|token)=", re.IGNORECASE)
_AGENT = b"tshirt-farm"
_DRIVER = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said of a file.

    Attributes:
        identity: made of ETag or Last-Modified; ``None`` where the server tells neither.
        size_bytes: as announced.
        chunks: the body, to be read once, within the ``with``; raises as the request itself does.
    """

    identity: str | None
    size_bytes: int | None
    chunks: Iterable[bytes]


class Web:
    """Fetches; may be used from many threads.

    Args:
        hosts: that may be private and may be spoken to without https.
        timeout_s: for the whole of one file, from the name to the last byte.
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
        self._hosts = frozenset(host_name(host) for host in hosts)
        self._timeout_s = timeout_s
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=8,
            keepalive_expiry=20.0,
            network_backend=Guarded(self._hosts, resolve, network or httpcore.SyncBackend(), self._deadline),
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def get(self, url: str, *, limit_bytes: int) -> Iterator[Answer]:
        """A file, its body unread and, where the server packed it, unpacked as it is read.

        Raises:
            FetchRefused: when the address may not be used, or the file is too large, packed or unpacked.
            SharePage: when there is a page that shows the file in place of the file.
            DesignNotFound: when it is not there.
            FetchFailed: when the server does not deliver; a retry may help.
        """
        until_s = time.monotonic() + self._timeout_s
        address, response = self._response(url, "GET", until_s)
        try:
            with _border(address.url):
                headers = _headers(response)
                _check_status(address.url, response.status)
                size_bytes = _size_bytes(headers.get(b"content-length", ""))
                if size_bytes is not None and size_bytes > limit_bytes:
                    raise _too_large(address.url, size_bytes, limit_bytes)
                packing = packing_of(headers.get(b"content-encoding", ""))
            packed = self._body(address.url, response, size_bytes, limit_bytes, until_s)
            yield Answer(
                identity=_identity(address.url, headers, headers.get(b"content-length", "")),
                size_bytes=size_bytes if packing is None else None,
                chunks=plain(packed, packing, address=address.url, limit_bytes=limit_bytes),
            )
        finally:
            _close(response)

    def read(self, url: str, *, limit_bytes: int) -> tuple[bytes, str | None]:
        """A file as a whole, and its identity."""
        with self.get(url, limit_bytes=limit_bytes) as answer:
            return b"".join(answer.chunks), answer.identity

    def identity(self, url: str) -> str | None:
        """Which version of the file is there, without fetching it; ``None`` where the server does not tell.

        Where it is not asked so (an address that was signed for GET, a server that knows no HEAD) one byte is fetched.

        Raises:
            FetchRefused, SharePage, DesignNotFound, FetchFailed: as `get`.
        """
        until_s = time.monotonic() + self._timeout_s
        address, response = self._response(url, "HEAD", until_s)
        _close(response)
        if response.status in _NO_HEAD:
            address, response = self._response(url, "GET", until_s, (b"Range", b"bytes=0-0"))
            _close(response)
        with _border(address.url):
            headers = _headers(response)
            if response.status == 206:
                size = headers.get(b"content-range", "").rpartition("/")[2]
            else:
                _check_status(address.url, response.status)
                size = headers.get(b"content-length", "")
            return _identity(address.url, headers, size)

    def _response(
        self, url: str, method: str, until_s: float, *more: tuple[bytes, bytes]
    ) -> tuple[WebAddress, httpcore.Response]:
        """The answer that is no redirect, and whose it is; to be closed."""
        address = direct(self._allowed(url, partial(WebAddress.of, url)))
        for _ in range(MOST_REDIRECTS + 1):
            with _border(address.url):
                response = self._asked(address, method, until_s, more)
                location = next((value for name, value in response.headers if name.lower() == b"location"), None)
            if response.status not in _REDIRECTS or location is None:
                return address, response
            _close(response)
            address = self._allowed(location.decode("utf-8", "replace"), partial(address.to, location))
        raise FetchFailed(address=shown(url), reason=f"it redirects more than {MOST_REDIRECTS} times")

    def _asked(
        self, address: WebAddress, method: str, until_s: float, more: Sequence[tuple[bytes, bytes]]
    ) -> httpcore.Response:
        left_s = max(0.001, until_s - time.monotonic())
        request = httpcore.Request(
            method,
            address.url,
            headers=[
                (b"Host", address.host_and_port.encode()),
                (b"User-Agent", _AGENT),
                (b"Accept-Encoding", b"identity"),
                *more,
            ],
            extensions={
                "timeout": {"connect": min(CONNECT_S, left_s), "read": left_s, "write": left_s, "pool": left_s}
            },
        )
        with self._deadline.until(until_s):
            return self._pool.handle_request(request)

    def _body(
        self, url: str, response: httpcore.Response, size_bytes: int | None, limit_bytes: int, until_s: float
    ) -> Iterator[bytes]:
        read = 0
        with _border(url):
            chunks = iter(response.iter_stream())
        while True:
            # Only while the driver works: whoever takes a chunk may do with it what it wants, and raise what it wants.
            with _border(url), self._deadline.until(until_s):
                chunk = next(chunks, None)
            if chunk is None:
                break
            read += len(chunk)
            if read > limit_bytes:
                raise _too_large(url, None, limit_bytes)
            if time.monotonic() > until_s:
                raise FetchFailed(address=shown(url), reason=f"it took longer than {self._timeout_s:g} s")
            yield chunk
        if size_bytes is not None and read != size_bytes:
            raise FetchFailed(address=shown(url), reason=f"{read} of {size_bytes} bytes came")

    def _allowed(self, text: str, read: Callable[[], WebAddress]) -> WebAddress:
        try:
            return allowed(read(), self._hosts)
        except NoAddress as fault:
            raise FetchRefused(address=shown(text), reason=str(fault)) from fault


def _border(url: str) -> AbstractContextManager[None]:
    def failed(error: Exception) -> FarmError:
        if isinstance(error, Unpackable):
            return FetchRefused(address=shown(url), reason=str(error))
        return FetchFailed(address=shown(url), reason=said(error))

    return border(failed, *_DRIVER, Unpackable)


def _close(response: httpcore.Response) -> None:
    try:
        response.close()
    except Exception as error:
        log.debug("an answer could not be closed: %r", error)


def _too_large(url: str, size_bytes: int | None, limit_bytes: int) -> FetchRefused:
    has = f"more than {limit_bytes} bytes" if size_bytes is None else f"{size_bytes} bytes, more than {limit_bytes}"
    return FetchRefused(address=shown(url), reason=f"it has {has}")


def plain(packed: Iterable[bytes], packing: str | None, *, address: str, limit_bytes: int) -> Iterator[bytes]:
    """A body as the file it is.

    Raises:
        FetchRefused: when it is too large unpacked.
        SharePage: when it is a web page.
        FetchFailed: when it cannot be unpacked.
    """
    chunks = unpacked(
        packed, packing, limit_bytes=limit_bytes, too_large=lambda: _too_large(address, None, limit_bytes)
    )
    try:
        yield from no_page(address, chunks)
    except Unpackable as fault:
        raise FetchFailed(address=shown(address), reason=str(fault)) from fault


def _headers(response: httpcore.Response) -> dict[bytes, str]:
    return {name.lower(): value.decode("latin-1") for name, value in response.headers}


def _size_bytes(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _check_status(url: str, status: int) -> None:
    if status in (404, 410):
        raise DesignNotFound(address=shown(url))
    if status in (401, 403):
        why = "its signature has expired or is wrong" if _SIGNED.search(url) else "it is not public"
        raise FetchRefused(address=shown(url), reason=f"the server answers {status}: {why}")
    if status != 200:
        raise FetchFailed(address=shown(url), reason=f"the server answers {status}")


def _identity(url: str, headers: dict[bytes, str], size: str) -> str | None:
    etag = headers.get(b"etag")
    if etag:
        return f"{url}\netag {etag}"
    modified = headers.get(b"last-modified")
    return f"{url}\nmodified {modified} {size}" if modified else None
