"""Signed addresses of pictures, checked: signature, time, key; and what request an address stands for."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from farm.domain.picture_address import PictureAddress
from farm.domain.picture_ring import PictureRing
from farm.domain.signing import SigningSecret
from farm.errors import InvalidRequest, PictureExpired
from farm.render.ports import PictureRings

RING_S = 5.0
"""How long a tenant's ring of keys is believed: a key that gave way opens nothing after this, everywhere."""
_MOST_RINGS = 10_000
TEXTS = ("template", "preset", "fabric_color", "background_color", "shadow", "aspect", "format")
OPTIONS = (*TEXTS, "size", "placements", "v")
"""What may stand in an address; ``v`` is whatever its writer likes: another value is another address."""
_BEYOND_DIGITS = 9


class PictureAddresses:
    """One per replica.

    Args:
        farm: the farm's own secret, of which tenants' keys are made.
    """

    def __init__(
        self,
        farm: SigningSecret,
        rings: PictureRings,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._farm = farm
        self._rings = rings
        self._wall = wall
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, PictureRing]] = {}

    async def opened(self, tenant: str, designs: str, view: str, query: str) -> PictureAddress:
        """The address, if it holds. Only where the signature is right is the store asked, once in five seconds.

        Raises:
            PictureSignatureWrong, PictureExpired, PictureKeyRetired: as it is wrong.
            StoreUnavailable: when nobody knows the tenant's keys.
        """
        address = PictureAddress.verified(self._farm, tenant, designs, view, query)
        now_s = self._wall()
        if address.expires_s is not None and now_s >= address.expires_s:
            raise PictureExpired(until=_told(address.expires_s))
        (await self._ring(tenant)).check(address.key_id, now_s)
        return address

    def left_s(self, address: PictureAddress) -> int | None:
        """How long the address holds; ``None``: no end of it is known."""
        return None if address.expires_s is None else max(0, int(address.expires_s - self._wall()))

    async def _ring(self, tenant: str) -> PictureRing:
        now_s = self._monotonic()
        found = self._known.get(tenant)
        if found is not None and now_s - found[0] <= RING_S:
            return found[1]
        ring = await self._rings.ring(tenant)
        if len(self._known) >= _MOST_RINGS:
            self._known.clear()
        self._known[tenant] = (now_s, ring)
        return ring


def request_of(address: PictureAddress) -> dict[str, Any]:
    """The request that an address stands for.

    Raises:
        InvalidRequest: naming what is wrong in it, though it was signed.
    """
    options = address.options
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise _wrong(unknown[0][:80], f"there is no such option; there are {', '.join(OPTIONS)}")
    given: dict[str, Any] = {name: options[name] for name in TEXTS if name in options}
    given["views"] = [address.view]
    if "size" in options:
        given["size"] = _size(options)
    if "placements" in options:
        try:
            given["placements"] = json.loads(options["placements"])
        except (ValueError, RecursionError) as error:
            raise _wrong("placements", f"it is no JSON: {error}"[:200]) from error
    return given


def _size(options: Mapping[str, str]) -> int:
    text = options["size"]
    if not (text.isascii() and text.isdigit() and len(text) <= _BEYOND_DIGITS):
        raise _wrong("size", "it is a whole number of pixels, 64 to 4096")
    return int(text)


def _wrong(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(reason=f"/{name}: {reason}", errors=[{"pointer": f"/{name}", "reason": reason}])


def _told(unix_s: int) -> str:
    try:
        return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(unix_s)
