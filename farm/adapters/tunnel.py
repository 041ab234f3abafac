"""Through an operator's proxy (``HTTPS_PROXY``, ``NO_PROXY``) to an address that was looked at.

The proxy is told the address, not the name: it must not resolve a stranger's name to something else, inside perhaps,
than the farm looked at. The name is still what the other end's certificate has to show.
"""

import base64
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import h11
import httpcore

READ_BYTES = 1 << 14
_UNUSABLE = "HTTPS_PROXY must be http://host:port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Attributes: ``authorization``: as the header wants it, ``None`` without a user."""

    host: str
    port: int
    authorization: bytes | None = None


def proxy_for(host: str) -> Proxy | None:
    """The proxy that the environment names for https to this host.

    Raises:
        httpcore.ProxyError: when it is one that the farm cannot speak to.
    """
    found = getproxies_environment()
    url = found.get("https") or found.get("all")
    if not url or proxy_bypass(host, found):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise httpcore.ProxyError(_UNUSABLE) from error
    if not usable or parts.hostname is None:
        raise httpcore.ProxyError(_UNUSABLE)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = b"Basic " + base64.b64encode(user.encode()) if parts.username else None
    return Proxy(host=parts.hostname, port=parts.port or 80, authorization=authorization)


class Handshake:
    """What is said to a proxy until the way to an address is open; the caller moves the bytes."""

    def __init__(self, proxy: Proxy, address: str, port: int) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        target = f"[{address}]:{port}".encode() if ":" in address else f"{address}:{port}".encode()
        headers = [(b"Host", target)]
        if proxy.authorization is not None:
            headers.append((b"Proxy-Authorization", proxy.authorization))
        request = h11.Request(method=b"CONNECT", target=target, headers=headers)
        self.says = (self._connection.send(request) or b"") + (self._connection.send(h11.EndOfMessage()) or b"")

    def open(self, heard: bytes) -> bool:
        """Whether the way is open after this answer, or part of one.

        Raises:
            httpcore.ProxyError: when the proxy refuses, or does not speak HTTP.
        """
        try:
            self._connection.receive_data(heard)
            event = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise httpcore.ProxyError(f"the proxy speaks no HTTP: {error}") from error
        while isinstance(event, h11.InformationalResponse):
            event = self._connection.next_event()
        if isinstance(event, h11.Response):
            if not 200 <= event.status_code < 300:
                raise httpcore.ProxyError(f"the proxy answers {event.status_code}")
            return True
        if not heard:
            raise httpcore.ProxyError("the proxy closed the connection")
        return False
