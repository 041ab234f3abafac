"""What the farm may speak to for strangers: https on the open internet, and hosts that an operator listed."""

import ipaddress
from collections.abc import Iterable

from farm.domain.web_address import NoAddress, WebAddress

SHOWN_CHARACTERS = 200
_CARRIERS = tuple(ipaddress.ip_network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
"""IPv6 networks that carry an IPv4 address in their last 32 bits: IPv4-compatible, translated, NAT64."""


def allowed(address: WebAddress, hosts: frozenset[str]) -> WebAddress:
    """The address itself, when it may be spoken to as far as it alone can tell.

    Args:
        hosts: that may be spoken to without https, as `farm.domain.web_address.host_name` has them.

    Raises:
        NoAddress: saying why not.
    """
    if address.host in hosts:
        return address
    if address.scheme != "https":
        raise NoAddress("it is not https")
    if address.port != 443:
        raise NoAddress(f"port {address.port} is not that of https")
    return address


def forbidden_address(addresses: Iterable[str]) -> str | None:
    """The first of them that is not on the open internet."""
    return next((address for address in addresses if not is_public(address)), None)


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


def shown(url: str) -> str:
    """An address as it may stand in an error: short, and printable."""
    text = url[:SHOWN_CHARACTERS]
    return text if text.isprintable() else repr(text)
