"""Tenants' keys for pictures in Redis: one hash, a field per tenant with the ids of its keys; no secret."""

import time
from typing import TYPE_CHECKING

import redis.asyncio

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.domain.picture_address import check_tenant, new_key_id
from farm.domain.picture_ring import PictureRing
from farm.errors import StoreUnavailable
from farm.render.ports import PictureRings

_RINGS = KEYS.of("picture-keys")
_ATTEMPTS = 20

# Whoever rotates at the same moment: one of them is first, and the other begins anew from what is there then.
_REPLACE = """
local kept = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if kept ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class RedisPictureRings:
    """See `farm.render.ports.PictureRings`."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._replace = client.register_script(_REPLACE)

    async def ring(self, tenant: str) -> PictureRing:
        return PictureRing.from_json(await self._kept(tenant))

    async def settle(self, tenant: str) -> PictureRing:
        ring = await self.ring(tenant)
        return ring if ring.current is not None else await self._change(tenant, old_s=0.0, anew=False)

    async def rotate(self, tenant: str, *, old_s: float) -> PictureRing:
        return await self._change(tenant, old_s=old_s, anew=True)

    async def _change(self, tenant: str, *, old_s: float, anew: bool) -> PictureRing:
        check_tenant(tenant)
        for _ in range(_ATTEMPTS):
            kept = await self._kept(tenant)
            ring = PictureRing.from_json(kept)
            if ring.current is not None and not anew:
                return ring
            ring = ring.rotated(new_key_id(), time.time(), old_s=old_s)
            with translated():
                if await self._replace(keys=[_RINGS], args=[tenant, kept or "", ring.to_json()]):
                    return ring
        raise StoreUnavailable(reason="others change the tenant's keys all the time")

    async def _kept(self, tenant: str) -> str | None:
        with translated():
            kept = await self._client.hget(_RINGS, tenant)
        return kept.decode() if isinstance(kept, bytes) else kept


if TYPE_CHECKING:
    _conforms: type[PictureRings] = RedisPictureRings
