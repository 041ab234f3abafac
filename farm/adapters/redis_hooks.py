"""Webhooks in Redis; see `farm.adapters.redis_hook_scripts` for the keys."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from farm.adapters import redis_hook_scripts as scripts
from farm.adapters.memory_hooks import order_of
from farm.adapters.redis_journal import dumps
from farm.adapters.redis_link import RedisLink, translated
from farm.errors import AlreadyExists, Conflict, NotFound
from farm.notify.delivery import Attempt, Delivery, State
from farm.notify.endpoint import Endpoint
from farm.notify.ports import Claimed, DeliveryPage, EndpointBook, Outbox
from farm.saga.event import Events


class RedisEndpoints:
    """See `farm.notify.ports.EndpointBook`.

    Args:
        keep_s: how long an ended delivery stays in the log.
    """

    def __init__(self, link: RedisLink, events: Events, *, keep_s: float) -> None:
        self._link = link
        self._events = events
        self._keep_s = keep_s

    async def add(self, endpoint: Endpoint, *, most: int) -> Endpoint:
        cursor = await self._events.newest()
        answer = await self._link.call(
            scripts.ADD, endpoint.id, endpoint.tenant, dumps(endpoint.to_dict()), most, cursor, durable=True
        )
        if answer[0] == "exists":
            raise AlreadyExists(kind="webhook", id=endpoint.id)
        if answer[0] == "full":
            raise Conflict(reason=f"there are {most} webhooks already, the most a tenant may have")
        return replace(endpoint, since_s=float(answer[1]))

    async def change(self, endpoint: Endpoint) -> None:
        if not await self._link.call(scripts.CHANGE, endpoint.id, dumps(endpoint.to_dict()), durable=True):
            raise NotFound(kind="webhook", id=endpoint.id)

    async def disable(self, endpoint_id: str, reason: str) -> None:
        await self._link.call(scripts.DISABLE, endpoint_id, reason, _ms(self._keep_s), durable=True)

    async def enable(self, endpoint_id: str) -> None:
        await self._link.call(scripts.ENABLE, endpoint_id, durable=True)

    async def remove(self, endpoint_id: str) -> bool:
        endpoint = await self.get(endpoint_id)
        if endpoint is None:
            return False
        return bool(await self._link.call(scripts.REMOVE, endpoint_id, endpoint.tenant, durable=True))

    async def get(self, endpoint_id: str) -> Endpoint | None:
        found = await self._link.call(scripts.ENDPOINTS, "", endpoint_id)
        return _endpoint(found[0]) if found else None

    async def list(self, tenant: str) -> Sequence[Endpoint]:
        found = await self._link.call(scripts.ENDPOINTS, tenant, "")
        return sorted(map(_endpoint, found), key=lambda endpoint: (endpoint.since_s, endpoint.id))

    async def any(self) -> bool:
        with translated():
            return bool(await self._link.client.exists(self._link.key("hooks", "endpoints")))


class RedisOutbox:
    """See `farm.notify.ports.Outbox`.

    Args:
        keep_s: how long an ended delivery stays in the log.
        most: how many are kept of an endpoint, and may wait.
    """

    def __init__(self, link: RedisLink, *, keep_s: float, most: int) -> None:
        self._link = link
        self._keep_s = keep_s
        self._most = most

    async def cursor(self) -> str | None:
        with translated():
            found: Any = await self._link.client.get(self._link.key("hooks", "cursor"))
        return None if found is None else str(found)

    async def enqueue(self, deliveries: Sequence[Delivery], *, cursor: str | None = None) -> Sequence[str]:
        parts = (
            part for delivery in deliveries for part in (delivery.id, delivery.endpoint_id, dumps(delivery.to_dict()))
        )
        full = await self._link.call(scripts.ENQUEUE, cursor or "", self._most, *parts, durable=True)
        return list(dict.fromkeys(full))

    async def claim(
        self, *, hold_s: float, limit: int, room: int, rooms: Mapping[str, int] | None = None
    ) -> tuple[Claimed, ...]:
        pairs = (part for pair in (rooms or {}).items() for part in pair)
        found = await self._link.call(scripts.CLAIM, _ms(hold_s), limit, room, *pairs)
        return tuple(Claimed(delivery=_delivery(row), token=int(token)) for token, row in found)

    async def claim_one(self, delivery_id: str, *, hold_s: float) -> Claimed | None:
        found = await self._link.call(scripts.CLAIM_ONE, delivery_id, _ms(hold_s))
        return Claimed(delivery=_delivery(found[1]), token=int(found[0])) if found else None

    async def settle(self, claimed: Claimed, after: Delivery, *, wait_s: float | None) -> bool:
        answer = await self._link.call(
            scripts.SETTLE,
            after.id,
            claimed.token,
            after.state,
            dumps([attempt.to_dict() for attempt in after.attempts]),
            after.failures,
            "" if wait_s is None else _ms(wait_s),
            _ms(self._keep_s),
            durable=True,
        )
        return bool(answer)

    async def replay(self, delivery_id: str) -> Delivery:
        found = await self._link.call(scripts.REPLAY, delivery_id, durable=True)
        if not found:
            raise NotFound(kind="delivery", id=delivery_id[:64])
        return _delivery(found)

    async def get(self, delivery_id: str) -> Delivery | None:
        found = await self._link.call(scripts.DELIVERY, delivery_id)
        return _delivery(found) if found else None

    async def list(
        self, endpoint_id: str, *, state: State | None = None, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        order_of(cursor)
        below, rows = cursor or "inf", list[Any]()
        # One more than asked tells whether there is more; a walk cut short by its bound goes on from where it was.
        while below and len(rows) <= limit:
            below, found = await self._link.call(
                scripts.LOG, endpoint_id, below, limit + 1 - len(rows), "" if state is None else state
            )
            rows.extend(found)
        page = rows[:limit]
        return DeliveryPage(
            deliveries=tuple(map(_delivery, page)), cursor=str(page[-1][5]) if len(rows) > limit else None
        )


def _endpoint(row: Sequence[str]) -> Endpoint:
    doc, since_s, off, ok_ms = row
    return Endpoint.from_dict(
        json.loads(doc),
        since_s=float(since_s),
        disabled=off or None,
        delivered_s=float(ok_ms) / 1000.0 if ok_ms else None,
    )


def _delivery(row: Sequence[str]) -> Delivery:
    doc, state, attempts, failures, due_ms, _ = row
    return Delivery(
        **json.loads(doc),
        state=State(state),
        attempts=tuple(Attempt(**attempt) for attempt in json.loads(attempts)),
        failures=int(failures),
        due_s=float(due_ms) / 1000.0 if due_ms else None,
    )


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


if TYPE_CHECKING:
    _book: type[EndpointBook] = RedisEndpoints
    _outbox: type[Outbox] = RedisOutbox
