"""What webhooks need of the world; adapters live in `farm.adapters`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from farm.notify.delivery import Delivery, State
from farm.notify.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that is ours to try until the hold ends; then somebody else may.

    Attributes:
        token: says whose settling counts.
    """

    delivery: Delivery
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Part of a log, newest first; ``cursor`` is opaque, ``None`` at the end."""

    deliveries: tuple[Delivery, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said; ``retry_after_s`` where it asked for patience."""

    status: int
    retry_after_s: float | None = None


class EndpointBook(Protocol):
    """The endpoints. Every method may raise `StoreUnavailable`."""

    async def add(self, endpoint: Endpoint, *, most: int) -> Endpoint:
        """Keep a new one; the events behind this moment are its own. Returns it with the store's time.

        Raises:
            AlreadyExists: when there is one of that id.
            Conflict: when the tenant has ``most`` already.
        """
        ...

    async def change(self, endpoint: Endpoint) -> None:
        """Replace what is kept of it: address, events, secrets.

        Raises:
            NotFound: when it is not there any more.
        """
        ...

    async def disable(self, endpoint_id: str, reason: str) -> None:
        """Send nothing there any more, and abandon what waits; nothing when it is not there."""
        ...

    async def enable(self, endpoint_id: str) -> None:
        """Take it into use again; what was abandoned stays so until it is replayed."""
        ...

    async def remove(self, endpoint_id: str) -> bool:
        """Forget it and its deliveries."""
        ...

    async def get(self, endpoint_id: str) -> Endpoint | None: ...

    async def list(self, tenant: str) -> Sequence[Endpoint]:
        """The tenant's, oldest first."""
        ...

    async def any(self) -> bool:
        """Whether anybody has one."""
        ...


class Outbox(Protocol):
    """What is to be delivered, and the log of what was. Every method may raise `StoreUnavailable`."""

    async def cursor(self) -> str | None:
        """Up to where in the events of all jobs deliveries were made; ``None`` before there was an endpoint."""
        ...

    async def enqueue(self, deliveries: Sequence[Delivery], *, cursor: str | None = None) -> Sequence[str]:
        """Take up deliveries and move the cursor on, in one act; what was taken up before is left as it is.

        Returns:
            Ids of endpoints for which too many wait already: nothing was taken up for those.
        """
        ...

    async def claim(
        self, *, hold_s: float, limit: int, room: int, rooms: Mapping[str, int] | None = None
    ) -> tuple[Claimed, ...]:
        """Deliveries that are due, the longest waiting endpoints first.

        Args:
            hold_s: for how long nobody else gets them.
            room: how many of one endpoint; ``rooms`` says it of some.
        """
        ...

    async def claim_one(self, delivery_id: str, *, hold_s: float) -> Claimed | None:
        """That one, due or not; ``None`` when it has ended, is not there, or somebody holds it."""
        ...

    async def settle(self, claimed: Claimed, after: Delivery, *, wait_s: float | None) -> bool:
        """Write down what became of it; ``False`` when the hold was lost meanwhile and nothing was written."""
        ...

    async def replay(self, delivery_id: str) -> Delivery:
        """Make it due now, from the start of its schedule.

        Raises:
            NotFound: when it is not there any more.
        """
        ...

    async def get(self, delivery_id: str) -> Delivery | None: ...

    async def list(
        self, endpoint_id: str, *, state: State | None = None, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        """The endpoint's log.

        Raises:
            InvalidRequest: when the cursor is none of this log's.
        """
        ...


class Post(Protocol):
    """Sends to addresses on the open internet."""

    async def check(self, url: str) -> None:
        """See whether anything may be sent there.

        Raises:
            WebhookRefused: when not.
        """
        ...

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send, and read the answer's status.

        Raises:
            WebhookRefused: when nothing may be sent there.
            WebhookFailed: when there is no answer.
        """
        ...
