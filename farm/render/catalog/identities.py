"""Which bytes lie behind many addresses now: strangers' servers are asked beside each other, and not for long."""

import asyncio
import time
from collections.abc import Iterable, Mapping

from farm.errors import FarmError
from farm.render.bulkhead import blocking, from_strangers
from farm.render.catalog.ports import DesignSource

ASK_S = 60.0
"""No server is asked any more after this: what is not known then, the worker finds out when it fetches."""

type Identity = str | FarmError | None
"""``None``: it cannot be told now; an error: there is nothing to fetch, and no retry helps."""


async def identities(
    designs: DesignSource, tenant: str, addresses: Iterable[str], *, remote: bool = True, ask_s: float = ASK_S
) -> Mapping[str, Identity]:
    """The identity of each address.

    Slow servers cost at most ``ask_s`` and one time-out of a fetch altogether, however many they are: a row's server
    must not use up the time of the other rows.

    Args:
        remote: whether servers may be asked; files always are.
    """
    wanted = list(dict.fromkeys(addresses))
    here = [address for address in wanted if not remote or address.startswith("file:")]
    there = [address for address in wanted if remote and not address.startswith("file:")]
    found: dict[str, Identity] = await blocking(
        lambda: {address: _identity(designs, address, remote=remote) for address in here}
    )
    until_s = time.monotonic() + ask_s

    def ask(address: str) -> Identity:
        return None if time.monotonic() > until_s else _identity(designs, address, remote=True)

    told = await asyncio.gather(*(from_strangers(tenant, ask, address) for address in there))
    return found | dict(zip(there, told, strict=True))


def _identity(designs: DesignSource, address: str, *, remote: bool) -> Identity:
    try:
        return designs.identity(address, remote=remote)
    except FarmError as error:
        return None if error.retryable else error
