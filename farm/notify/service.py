"""What the API and the command line ask of webhooks; every question names its tenant."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from farm.errors import AlreadyExists, Conflict, IdempotencyMismatch, NotFound
from farm.notify.delivery import Attempt, Delivery, State, trial_of
from farm.notify.endpoint import MOST_PER_TENANT, Endpoint, new_endpoint
from farm.notify.ports import DeliveryPage, EndpointBook, Outbox, Post
from farm.notify.postman import HOLD_S, Postman
from farm.saga.clock import Clock


class Webhooks:
    """Endpoints of tenants, and what was sent there."""

    def __init__(self, *, book: EndpointBook, outbox: Outbox, post: Post, clock: Clock, hold_s: float = HOLD_S) -> None:
        self.book = book
        self.outbox = outbox
        self._post = post
        self._clock = clock
        self._hold_s = hold_s

    def postman(self, heard: Callable[[Attempt], None] | None = None) -> Postman:
        """Brings what is due; ``heard`` is told of every attempt."""
        return Postman(
            book=self.book, outbox=self.outbox, post=self._post, clock=self._clock, hold_s=self._hold_s, heard=heard
        )

    async def add(
        self,
        *,
        tenant: str,
        url: str,
        events: Iterable[str] = (),
        name: str = "",
        secret: str = "",
        key: str | None = None,
    ) -> Endpoint:
        """A new endpoint; its secret is in the answer, and in no other.

        Args:
            key: of the caller's choice: the same key and the same endpoint is the one that was made before.

        Raises:
            InvalidRequest: see `farm.notify.endpoint.new_endpoint`.
            IdempotencyMismatch: when the key made another endpoint.
            WebhookRefused: when nothing may be sent to that address.
            Conflict: when the tenant has as many as it may have.
        """
        endpoint = new_endpoint(tenant=tenant, url=url, events=events, name=name, secret=secret, key=key)
        if key is not None and (made := await self._made(endpoint)) is not None:
            return made
        await self._post.check(url)
        try:
            return await self.book.add(endpoint, most=MOST_PER_TENANT)
        except AlreadyExists:
            made = await self._made(endpoint)
            if made is None:
                raise
            return made

    async def _made(self, endpoint: Endpoint) -> Endpoint | None:
        """The endpoint of that id, if there is one, and if it is what is asked for now."""
        made = await self.book.get(endpoint.id)
        if made is not None and (made.url, made.events, made.name) != (endpoint.url, endpoint.events, endpoint.name):
            raise IdempotencyMismatch
        return made

    async def list(self, tenant: str) -> Sequence[Endpoint]:
        """The tenant's, oldest first."""
        return await self.book.list(tenant)

    async def get(self, tenant: str, endpoint_id: str) -> Endpoint:
        """One of the tenant's.

        Raises:
            NotFound: when it is not there, or another's.
        """
        endpoint = await self.book.get(endpoint_id)
        if endpoint is None or endpoint.tenant != tenant:
            raise NotFound(kind="webhook", id=endpoint_id[:64])
        return endpoint

    async def remove(self, tenant: str, endpoint_id: str) -> None:
        """Forget an endpoint, and the log of its deliveries."""
        await self.get(tenant, endpoint_id)
        await self.book.remove(endpoint_id)

    async def rotate(self, tenant: str, endpoint_id: str) -> Endpoint:
        """Give it a new secret; for a day the one before signs too."""
        endpoint = (await self.get(tenant, endpoint_id)).rotated(self._clock.wall_s())
        await self.book.change(endpoint)
        return endpoint

    async def enable(self, tenant: str, endpoint_id: str) -> Endpoint:
        """Take a disabled endpoint into use again."""
        endpoint = await self.get(tenant, endpoint_id)
        await self.book.enable(endpoint_id)
        return replace(endpoint, disabled=None)

    async def deliveries(
        self, tenant: str, endpoint_id: str, *, state: State | None = None, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        """The endpoint's log, newest first."""
        await self.get(tenant, endpoint_id)
        return await self.outbox.list(endpoint_id, state=state, cursor=cursor, limit=limit)

    async def replay(self, tenant: str, endpoint_id: str, delivery_id: str) -> Delivery:
        """Have a delivery made again, from the start of its schedule, under the same ``webhook-id``.

        Raises:
            NotFound: when it is no longer in the log, or another's.
            Conflict: when its endpoint is disabled.
        """
        endpoint = await self.get(tenant, endpoint_id)
        delivery = await self.outbox.get(delivery_id)
        if delivery is None or delivery.endpoint_id != endpoint_id:
            raise NotFound(kind="delivery", id=delivery_id[:64])
        if endpoint.disabled is not None:
            raise Conflict(reason=f"the webhook is disabled ({endpoint.disabled}); enable it first")
        return await self.outbox.replay(delivery_id)

    async def bring(self, delivery: Delivery) -> Delivery:
        """Try a delivery here and now, for those who want to see it happen; as it stands then."""
        return await self.postman().bring_one(delivery)

    async def test(self, tenant: str, endpoint_id: str) -> Delivery:
        """Send something harmless, once, now; the answer says what became of it."""
        endpoint = await self.get(tenant, endpoint_id)
        delivery = trial_of(endpoint, at_s=self._clock.wall_s())
        await self.outbox.enqueue([delivery])
        return await self.bring(delivery)
