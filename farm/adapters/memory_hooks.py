"""Webhooks in memory, as `farm.adapters.redis_hooks` keeps them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from farm.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from farm.notify.delivery import Delivery, State
from farm.notify.endpoint import Endpoint
from farm.notify.ports import Claimed, DeliveryPage, EndpointBook, Outbox
from farm.saga.clock import Clock
from farm.saga.event import Events


@dataclass(slots=True)
class _Kept:
    delivery: Delivery
    order: int
    token: int = 0
    held_until_s: float = 0.0


@dataclass(slots=True)
class HookWorld:
    """What both ports share."""

    clock: Clock
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    kept: dict[str, _Kept] = field(default_factory=dict)
    cursor: str | None = None
    orders: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    tokens: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def abandon(self, endpoint_id: str) -> None:
        for kept in self.kept.values():
            if kept.delivery.endpoint_id == endpoint_id and kept.delivery.state is State.PENDING:
                kept.delivery = kept.delivery.became(State.ABANDONED, due_s=None)
                kept.token = 0

    def log(self, endpoint_id: str) -> list[_Kept]:
        own = (kept for kept in self.kept.values() if kept.delivery.endpoint_id == endpoint_id)
        return sorted(own, key=lambda kept: -kept.order)


class MemoryEndpoints:
    """See `farm.notify.ports.EndpointBook`."""

    def __init__(self, world: HookWorld, events: Events) -> None:
        self._world = world
        self._events = events

    async def add(self, endpoint: Endpoint, *, most: int) -> Endpoint:
        cursor = await self._events.newest()
        if endpoint.id in self._world.endpoints:
            raise AlreadyExists(kind="webhook", id=endpoint.id)
        if len(await self.list(endpoint.tenant)) >= most:
            raise Conflict(reason=f"there are {most} webhooks already, the most a tenant may have")
        if self._world.cursor is None:
            self._world.cursor = cursor
        added = replace(endpoint, since_s=self._world.clock.wall_s())
        self._world.endpoints[endpoint.id] = added
        return added

    async def change(self, endpoint: Endpoint) -> None:
        found = self._world.endpoints.get(endpoint.id)
        if found is None:
            raise NotFound(kind="webhook", id=endpoint.id)
        self._world.endpoints[endpoint.id] = replace(
            endpoint, since_s=found.since_s, disabled=found.disabled, delivered_s=found.delivered_s
        )

    async def disable(self, endpoint_id: str, reason: str) -> None:
        if endpoint_id in self._world.endpoints:
            self._world.endpoints[endpoint_id] = replace(self._world.endpoints[endpoint_id], disabled=reason)
            self._world.abandon(endpoint_id)

    async def enable(self, endpoint_id: str) -> None:
        if endpoint_id in self._world.endpoints:
            self._world.endpoints[endpoint_id] = replace(self._world.endpoints[endpoint_id], disabled=None)

    async def remove(self, endpoint_id: str) -> bool:
        for kept in self._world.log(endpoint_id):
            del self._world.kept[kept.delivery.id]
        return self._world.endpoints.pop(endpoint_id, None) is not None

    async def get(self, endpoint_id: str) -> Endpoint | None:
        return self._world.endpoints.get(endpoint_id)

    async def list(self, tenant: str) -> Sequence[Endpoint]:
        own = (endpoint for endpoint in self._world.endpoints.values() if endpoint.tenant == tenant)
        return sorted(own, key=lambda endpoint: (endpoint.since_s, endpoint.id))

    async def any(self) -> bool:
        return bool(self._world.endpoints)


class MemoryOutbox:
    """See `farm.notify.ports.Outbox`.

    Args:
        keep_s: how long an ended delivery stays in the log.
        most: how many are kept of an endpoint, and may wait.
    """

    def __init__(self, world: HookWorld, *, keep_s: float, most: int) -> None:
        self._world = world
        self._keep_s = keep_s
        self._most = most

    async def cursor(self) -> str | None:
        return self._world.cursor

    async def enqueue(self, deliveries: Sequence[Delivery], *, cursor: str | None = None) -> Sequence[str]:
        world, full = self._world, list[str]()
        for delivery in deliveries:
            if delivery.id in world.kept or delivery.endpoint_id not in world.endpoints:
                continue
            log = world.log(delivery.endpoint_id)
            if sum(kept.delivery.state is State.PENDING for kept in log) >= self._most:
                full.append(delivery.endpoint_id)
                continue
            due = replace(delivery, due_s=world.clock.wall_s())
            world.kept[delivery.id] = _Kept(due, next(world.orders))
            if len(log) >= self._most and log[-1].delivery.state is not State.PENDING:
                del world.kept[log[-1].delivery.id]
        if cursor is not None:
            world.cursor = cursor
        return list(dict.fromkeys(full))

    async def claim(
        self, *, hold_s: float, limit: int, room: int, rooms: Mapping[str, int] | None = None
    ) -> tuple[Claimed, ...]:
        now_s = self._world.clock.wall_s()
        left: dict[str, int] = dict(rooms or {})
        claimed: list[Claimed] = []
        due = [kept for kept in self._world.kept.values() if kept.delivery.due_s is not None]
        for kept in sorted(due, key=lambda kept: (kept.delivery.due_s or 0.0, kept.order)):
            endpoint_id = kept.delivery.endpoint_id
            if (kept.delivery.due_s or 0.0) > now_s or len(claimed) == limit:
                break
            if left.setdefault(endpoint_id, room) > 0:
                left[endpoint_id] -= 1
                claimed.append(self._grant(kept, hold_s))
        return tuple(claimed)

    async def claim_one(self, delivery_id: str, *, hold_s: float) -> Claimed | None:
        kept = self._world.kept.get(delivery_id)
        if kept is None or kept.delivery.state is not State.PENDING:
            return None
        return None if self._held(kept) else self._grant(kept, hold_s)

    def _held(self, kept: _Kept) -> bool:
        return bool(kept.token) and kept.held_until_s > self._world.clock.wall_s()

    def _grant(self, kept: _Kept, hold_s: float) -> Claimed:
        kept.token = next(self._world.tokens)
        kept.held_until_s = self._world.clock.wall_s() + hold_s
        kept.delivery = replace(kept.delivery, due_s=kept.held_until_s)
        return Claimed(delivery=kept.delivery, token=kept.token)

    async def settle(self, claimed: Claimed, after: Delivery, *, wait_s: float | None) -> bool:
        kept = self._world.kept.get(claimed.delivery.id)
        if kept is None or kept.token != claimed.token:
            return False
        now_s = self._world.clock.wall_s()
        kept.delivery = replace(after, due_s=None if wait_s is None else now_s + wait_s)
        kept.token = 0
        if after.state is State.DELIVERED and after.endpoint_id in self._world.endpoints:
            endpoint = self._world.endpoints[after.endpoint_id]
            self._world.endpoints[after.endpoint_id] = replace(endpoint, delivered_s=now_s)
        return True

    async def replay(self, delivery_id: str) -> Delivery:
        kept = self._world.kept.get(delivery_id)
        if kept is None:
            raise NotFound(kind="delivery", id=delivery_id[:64])
        if not self._held(kept):
            now_s = self._world.clock.wall_s()
            kept.delivery = kept.delivery.became(State.PENDING, failures=0, due_s=now_s)
            kept.token = 0
        return kept.delivery

    async def get(self, delivery_id: str) -> Delivery | None:
        kept = self._world.kept.get(delivery_id)
        return None if kept is None else kept.delivery

    async def list(
        self, endpoint_id: str, *, state: State | None = None, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        below = order_of(cursor)
        rows = [
            kept
            for kept in self._world.log(endpoint_id)
            if kept.order < below and (state is None or kept.delivery.state is state)
        ]
        page = rows[:limit]
        return DeliveryPage(
            deliveries=tuple(kept.delivery for kept in page),
            cursor=str(page[-1].order) if len(rows) > limit else None,
        )


def order_of(cursor: str | None) -> float:
    """What a log's cursor means: only entries of a lower number follow.

    Raises:
        InvalidRequest: when it is none.
    """
    if cursor is None:
        return float("inf")
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise InvalidRequest(reason="the cursor is none of this list's")
    return float(int(cursor))


if TYPE_CHECKING:
    _book: type[EndpointBook] = MemoryEndpoints
    _outbox: type[Outbox] = MemoryOutbox
