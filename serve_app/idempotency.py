"""The same Idempotency-Key and the same request get the same answer, for a day, whatever died in between.

A key is reserved before anything is made, together with the id of what is to be made. So a replica that dies between
making and answering leaves no doubt: whoever comes again with the key takes the reservation over, finds what was made
under that id, or makes it. See docs/adr.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import redis.asyncio
from fastapi import Header, Response

from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.errors import FarmError, IdempotencyMismatch, InfrastructureError, InvalidRequest, StillInFlight

KEPT_S = 86_400
LEASE_S = 30.0
"""How long a reservation whose holder is silent bars others; the holder renews it while it works."""
WAIT_S = 2
"""What a caller is told to wait while the first request is in flight."""
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_FORGET = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[2]) end
return 0
"""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="For a day, the same key with the same request gets the first answer again.",
        max_length=255,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is to be done once.

    Attributes:
        tenant, name: whose keys, and of which operation: the same key means another thing elsewhere.
        key: the caller's; ``None`` where there is none, and nothing is remembered.
        digest: of all that the request says, see `digest_of`.
        new_id: makes the id of what is to be created.
    """

    tenant: str
    name: str
    key: str | None
    digest: str
    new_id: Callable[[], str]


def digest_of(*parts: Any) -> str:
    """One SHA-256 for a request: its canonical JSON and the hashes of its files; how it was sent does not matter."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Answers:
    """Remembers answers in the farm's store, for all replicas."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client

    async def once(self, operation: Operation, make: Callable[[str], Awaitable[Response]]) -> Response:
        """The first answer to this operation again, or what ``make`` answers now.

        Args:
            make: does it under the given id; called again after a crash, it finds what it made under that id. A refusal
                frees the key.

        Raises:
            IdempotencyMismatch: when the key came with another request before.
            StillInFlight: while the first request is worked on.
            InvalidRequest: when the key is none.
            StoreUnavailable: when nobody remembers.
        """
        if operation.key is None:
            return await make(operation.new_id())
        if not _KEY.fullmatch(operation.key):
            raise InvalidRequest(reason="an Idempotency-Key has 1 to 255 visible ASCII characters")
        name = _name(operation)
        kept = await self._reserve(name, operation)
        if kept.get("answer"):
            return _replayed(kept["answer"])
        token = secrets.token_hex(8)
        with translated():
            free = await self._client.set(f"{name}:lease", token, nx=True, px=int(LEASE_S * 1000))
        if not free:
            raise StillInFlight(retry_after_s=WAIT_S)
        try:
            kept = await self._reserve(name, operation)  # it may have been answered between the look and the lease
            if kept.get("answer"):
                return _replayed(kept["answer"])
            return await self._make(name, kept, token, make)
        finally:
            with contextlib.suppress(FarmError), translated():
                await self._client.eval(_GIVE_BACK, 1, f"{name}:lease", token)

    async def _reserve(self, name: str, operation: Operation) -> dict[str, Any]:
        fresh = {"digest": operation.digest, "id": operation.new_id()}
        with translated():
            await self._client.set(name, json.dumps(fresh), nx=True, ex=KEPT_S)
            text = await self._client.get(name)
        kept: dict[str, Any] = fresh if text is None else json.loads(text)
        if kept["digest"] != operation.digest:
            raise IdempotencyMismatch
        return kept

    async def _make(
        self, name: str, kept: Mapping[str, Any], token: str, make: Callable[[str], Awaitable[Response]]
    ) -> Response:
        lease = f"{name}:lease"
        renewing = asyncio.create_task(self._renew(lease, token))
        try:
            answer = await make(str(kept["id"]))
        except InfrastructureError:
            raise  # unknown what was done: the id stays reserved, so that a repeat finds it
        except FarmError:
            with contextlib.suppress(FarmError), translated():
                # Whoever took the lease over may be making it under this id: then the id is theirs to keep or free.
                await self._client.eval(_FORGET, 2, lease, name, token)
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        told = {
            "status": answer.status_code,
            "headers": {header: answer.headers[header] for header in _KEPT_HEADERS if header in answer.headers},
            "body": bytes(answer.body).decode(),
        }
        # Should this fail, a repeat finds what was made by its id, and answers that.
        with contextlib.suppress(FarmError), translated():
            await self._client.set(name, json.dumps({**kept, "answer": told}), ex=KEPT_S)
        return answer

    async def _renew(self, lease: str, token: str) -> None:
        """Prolong the lease for as long as it is ours: one that lapsed in an outage may be another's by now."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            with contextlib.suppress(FarmError), translated():
                if not await self._client.eval(_RENEW, 1, lease, token, int(LEASE_S * 1000)):
                    return


_KEPT_HEADERS = ("Location", "Retry-After", "Content-Type")


def _name(operation: Operation) -> str:
    parts = "\0".join((operation.name, operation.key or ""))
    return KEYS.of("answers", operation.tenant, hashlib.sha256(parts.encode()).hexdigest())


def _replayed(told: Mapping[str, Any]) -> Response:
    headers = {**told["headers"], REPLAYED: "true"}
    return Response(told["body"], status_code=told["status"], headers=headers)
