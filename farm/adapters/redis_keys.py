"""API keys in Redis: one hash, a field per key."""

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import redis.asyncio

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.domain.access import ApiKey, Principal, new_key, split_token
from farm.domain.signing import LEAST_BYTES, SigningSecret
from farm.errors import NotFound
from farm.render.ports import KeyRing

log = logging.getLogger(__name__)

API_KEYS, _SIGNING = KEYS.of("keys"), KEYS.of("signing-secret")

# One step, whoever else starts at this moment: all get the same secret, and a strong one is never replaced.
_SETTLE = """
local kept = redis.call('GET', KEYS[1])
if kept and #kept >= tonumber(ARGV[2]) then return {kept, 0} end
redis.call('SET', KEYS[1], ARGV[1])
return {ARGV[1], kept and 1 or 0}
"""


class RedisKeys:
    """See `farm.render.ports.KeyRing`."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._settle = client.register_script(_SETTLE)

    async def create(
        self, *, tenant: str, scopes: Iterable[str], name: str, max_priority: int | None = None
    ) -> tuple[ApiKey, str]:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        key, token = new_key(tenant=tenant, scopes=scopes, name=name, created_at=now, max_priority=max_priority)
        with translated():
            await self._client.hset(API_KEYS, key.id, json.dumps(key.to_dict()))
        return key, token

    async def list(self) -> Sequence[ApiKey]:
        with translated():
            found = await self._client.hvals(API_KEYS)
        return sorted((ApiKey.from_dict(json.loads(text)) for text in found), key=lambda key: (key.created_at, key.id))

    async def revoke(self, key_id: str) -> None:
        with translated():
            gone = await self._client.hdel(API_KEYS, key_id)
        if not gone:
            raise NotFound(kind="key", id=key_id[:64])

    async def holder(self, key_id: str) -> Principal | None:
        key = await self._find(key_id)
        return key.principal if key is not None else None

    async def admit(self, token: str) -> Principal | None:
        parts = split_token(token)
        if parts is None:
            return None
        key = await self._find(parts[0])
        return key.principal if key is not None and key.opens(parts[1]) else None

    async def signing_secret(self) -> SigningSecret | None:
        with translated():
            kept = await self._client.get(_SIGNING)
        return SigningSecret.kept(kept)

    async def settle_signing_secret(self) -> tuple[SigningSecret, bool]:
        with translated():
            settled, replaced = await self._settle(keys=[_SIGNING], args=[SigningSecret.new().value, LEAST_BYTES])
        if replaced:
            log.warning(
                "the secret that signs sessions and upload addresses was empty or short, and anybody could have forged "
                "them: it was replaced. Everybody logs in again; look at what was done with sessions until now"
            )
        # As bytes, whether this client decodes what it reads or not: some who sign take nothing else.
        return SigningSecret(settled.encode() if isinstance(settled, str) else settled), bool(replaced)

    async def _find(self, key_id: str) -> ApiKey | None:
        with translated():
            text = await self._client.hget(API_KEYS, key_id)
        return ApiKey.from_dict(json.loads(text)) if text else None


if TYPE_CHECKING:
    _conforms: type[KeyRing] = RedisKeys
