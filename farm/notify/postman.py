"""The postman: brings what is due, and writes down what became of it.

An endpoint that does not answer holds up nobody: it has few places, and one only while it fails.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from random import Random

from farm.concurrency import stop_all
from farm.errors import FarmError
from farm.notify.delivery import Attempt, Delivery, Outcome, after
from farm.notify.ports import Claimed, EndpointBook, Outbox, Post
from farm.notify.signature import signed_headers
from farm.saga.clock import Clock

log = logging.getLogger(__name__)

HOLD_S = 60.0
"""How long a claimed delivery is ours, at least: longer than an attempt may take."""
AT_ONCE = 64
ROOM = 4
"""Deliveries under way to one endpoint."""
POLL_S = 0.5
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
AGENT = "tshirt-farm-webhooks"
_REMOVED = "the endpoint was removed"


class Postman:
    """Delivers until cancelled; any number of them may work side by side.

    Args:
        hold_s: how long a claimed delivery is ours; a killed postman's are tried again behind it.
        heard: is told of every attempt.
    """

    def __init__(
        self,
        *,
        book: EndpointBook,
        outbox: Outbox,
        post: Post,
        clock: Clock,
        hold_s: float = HOLD_S,
        rng: Random | None = None,
        heard: Callable[[Attempt], None] | None = None,
    ) -> None:
        self._heard = heard
        self._book = book
        self._outbox = outbox
        self._post = post
        self._clock = clock
        self._hold_s = hold_s
        self._rng = rng or Random()
        self._under_way: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()

    @property
    def under_way(self) -> int:
        """Deliveries that are being sent at this moment."""
        return len(self._tasks)

    def ring(self) -> None:
        """There is something new."""
        self._awake.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is due again when its hold ends.

        Raises:
            StoreUnavailable: start again later.
        """
        try:
            while True:
                self._awake.clear()
                claimed = await self.round()
                if not claimed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._awake.wait(), POLL_S)
        finally:
            await stop_all(*self._tasks)

    async def round(self) -> int:
        """Start whatever is due and has room; returns how many."""
        free = AT_ONCE - len(self._tasks)
        if free <= 0:
            return 0
        rooms = {endpoint: max(0, self._room(endpoint) - count) for endpoint, count in self._under_way.items() if count}
        rooms |= {endpoint: 1 for endpoint in self._failing if not self._under_way[endpoint]}
        claims = await self._outbox.claim(hold_s=self._hold_s, limit=free, room=ROOM, rooms=rooms)
        for claimed in claims:
            self._under_way[claimed.delivery.endpoint_id] += 1
            task = asyncio.create_task(self._one(claimed), name=f"deliver {claimed.delivery.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(claims)

    def _room(self, endpoint_id: str) -> int:
        return 1 if endpoint_id in self._failing else ROOM

    async def _one(self, claimed: Claimed) -> None:
        endpoint_id = claimed.delivery.endpoint_id
        try:
            attempt = (await self.bring(claimed)).attempts[-1]
        except FarmError as error:
            log.warning("delivery %s is left until its hold ends: %s", claimed.delivery.id, error)
            return
        finally:
            self._under_way[endpoint_id] -= 1
            if not self._under_way[endpoint_id]:
                del self._under_way[endpoint_id]
            self._awake.set()
        (self._failing.discard if attempt.arrived else self._failing.add)(endpoint_id)
        if self._heard is not None:
            self._heard(attempt)

    async def bring_one(self, delivery: Delivery) -> Delivery:
        """Try that delivery here and now, due or not; as it stands then.

        Raises:
            StoreUnavailable: when what became of it could not be written down; it will be tried again.
        """
        claimed = await self._outbox.claim_one(delivery.id, hold_s=self._hold_s)
        if claimed is None:  # somebody else is at it, or it has ended
            return await self._outbox.get(delivery.id) or delivery
        return await self.bring(claimed)

    async def bring(self, claimed: Claimed) -> Delivery:
        """Try one delivery and write down what became of it.

        Raises:
            StoreUnavailable: when that could not be written down; it will be tried again.
        """
        delivery = claimed.delivery
        endpoint = await self._book.get(delivery.endpoint_id)
        began_s, began_at_s = self._clock.monotonic_s(), self._clock.wall_s()
        status: int | None = None
        error: str | None = _REMOVED
        asked_s: float | None = None
        if endpoint is not None:
            body = delivery.body.encode()
            signed = signed_headers(delivery.id, at_s=began_at_s, body=body, secrets=endpoint.signing(began_at_s))
            headers = {**signed, "content-type": CONTENT_TYPE, "user-agent": AGENT}
            try:
                answer = await self._post.send(endpoint.url, headers=headers, body=body)
            except FarmError as failure:
                error = failure.message
            else:
                status, asked_s, error = answer.status, answer.retry_after_s, None
        took_s = round(self._clock.monotonic_s() - began_s, 3)
        attempt = Attempt(at_s=began_at_s, took_s=took_s, status=status, error=error)
        outcome = after(
            delivery,
            attempt,
            rng=self._rng,
            asked_s=asked_s,
            delivered_s=endpoint.delivered_s if endpoint else None,
        )
        await self._settle(claimed, outcome)
        return outcome.delivery

    async def _settle(self, claimed: Claimed, outcome: Outcome) -> None:
        written = await self._outbox.settle(claimed, outcome.delivery, wait_s=outcome.wait_s)
        if written and outcome.disable is not None:
            log.warning("webhook %s is disabled: %s", claimed.delivery.endpoint_id, outcome.disable)
            await self._book.disable(claimed.delivery.endpoint_id, outcome.disable)
