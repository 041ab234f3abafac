"""Where a farm's Redis is: a server, a socket, or the primary that Sentinels name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from redis.connection import parse_url

from farm.errors import InvalidSettings

SENTINEL = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
"""Schemes of addresses that name Sentinels, with the scheme by which the primary is reached."""
_SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address, taken apart.

    Attributes:
        kind: ``tcp``, ``tls`` or ``unix``.
        options: for the client's connections: host, port, db, user, password, what stood behind the ``?``.
        sentinels: hosts and ports to ask for the primary; empty where the address is the server's own.
        service: what the Sentinels call it.
        sentinel_options: for the connections to the Sentinels, which have users and passwords of their own.
    """

    kind: str
    options: Mapping[str, Any]
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take an address apart.

        Raises:
            InvalidSettings: when it is none.
        """
        with valid_address():
            scheme = urlsplit(url).scheme
            if scheme in SENTINEL:
                return cls._of_sentinels(url)
            options = {**parse_url(url)}
            options.pop("connection_class", None)
            return cls(kind={"unix": "unix", "rediss": "tls"}.get(scheme, "tcp"), options=options)

    @classmethod
    def _of_sentinels(cls, url: str) -> Self:
        parts = urlsplit(url)
        user, at, hosts = parts.netloc.rpartition("@")
        service, _, database = parts.path.strip("/").partition("/")
        scheme = SENTINEL[parts.scheme]
        # The client's own parser reads the rest, as if the primary stood there.
        plain = f"{scheme}://{user}{at}primary/{database}{'?' + parts.query if parts.query else ''}"
        options: dict[str, Any] = {**parse_url(plain)}
        options.pop("connection_class", None)
        of_sentinels = {
            name.removeprefix("sentinel_"): options.pop(name) for name in list(options) if name.startswith("sentinel_")
        }
        named = tuple(_host(host) for host in hosts.split(",") if host)
        if not named or not service:
            raise ValueError(url)
        kind = "tls" if scheme == "rediss" else "tcp"
        if kind == "tls":  # Sentinels of a TLS primary speak TLS too, by the same authority
            of_sentinels |= {"ssl": True} | {name: value for name, value in options.items() if name.startswith("ssl_")}
        return cls(kind=kind, options=options, sentinels=named, service=unquote(service), sentinel_options=of_sentinels)


@contextmanager
def valid_address() -> Iterator[None]:
    """Around whatever takes an address apart.

    Raises:
        InvalidSettings: when it is none; what is wrong with it in detail is not told, it may be the password.
    """
    try:
        yield
    except ValueError:
        reason = (
            "it must be redis://[user:password@]host[:port][/database], rediss://…, unix:///path or "
            "redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/database], "
            "with / @ : # ? and % of a password written as %2F %40 %3A %23 %3F and %25"
        )
        raise InvalidSettings(variable="FARM_REDIS_URL", value="(hidden)", reason=reason) from None


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(text)
    return parts.hostname, parts.port or _SENTINEL_PORT
