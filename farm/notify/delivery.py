"""A delivery: one event for one endpoint, until it has arrived or is given up."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Any, Self

from farm.domain.event import rfc3339
from farm.errors import Conflict
from farm.notify import schedule
from farm.notify.endpoint import Endpoint

TEST_EVENT = "render.webhook.test"
MOST_ATTEMPTS = 24
"""Attempts that a delivery remembers; of more, the newest."""
GONE = 410


class State(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    ABANDONED = "abandoned"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.PENDING, State.DELIVERED, State.FAILED, State.ABANDONED}),
    State.DELIVERED: frozenset({State.PENDING}),
    State.FAILED: frozenset({State.PENDING}),
    State.ABANDONED: frozenset({State.PENDING}),
}
"""Whatever has ended may be replayed, and nothing else happens to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try.

    Attributes:
        at_s: when it began, seconds since 1970.
        status: the receiver's answer; ``None`` when there was none.
        error: why it did not arrive, in words; ``None`` when it did.
    """

    at_s: float
    took_s: float
    status: int | None = None
    error: str | None = None

    @property
    def arrived(self) -> bool:
        """Only a 2xx says so: a redirect is not followed, and whoever answers it has not taken anything."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def outcome(self) -> str:
        """In a word: ``delivered``, ``refused`` by an answer that is no 2xx, or ``unreachable``."""
        if self.status is None:
            return "unreachable"
        return "delivered" if self.arrived else "refused"

    def to_dict(self) -> dict[str, Any]:
        return {"at_s": self.at_s, "took_s": self.took_s, "status": self.status, "error": self.error}

    def shown(self) -> dict[str, Any]:
        """As it is shown."""
        return {"at": rfc3339(self.at_s), "took_s": self.took_s, "status": self.status, "error": self.error}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """See the module.

    Attributes:
        id: the ``webhook-id``: made of endpoint and event, so the same event is never taken up twice.
        body: what is sent, to the byte the same at every attempt.
        attempts: the newest last.
        failures: since it was made, or replayed.
        due_s: when it is tried next, seconds since 1970 by the store's clock; ``None`` when it has ended.
    """

    id: str
    endpoint_id: str
    tenant: str
    type: str
    job_id: str | None
    body: str
    created_s: float
    state: State = State.PENDING
    attempts: tuple[Attempt, ...] = ()
    failures: int = 0
    due_s: float | None = None

    def became(self, state: State, **changes: Any) -> Self:
        """In another state.

        Raises:
            Conflict: when that cannot follow.
        """
        if state not in TRANSITIONS[self.state]:
            raise Conflict(reason=f"a delivery that is {self.state} cannot become {state}")
        return replace(self, state=state, **changes)

    def to_dict(self) -> dict[str, Any]:
        """What never changes of it, as it is kept."""
        return {
            "id": self.id,
            "endpoint_id": self.endpoint_id,
            "tenant": self.tenant,
            "type": self.type,
            "job_id": self.job_id,
            "body": self.body,
            "created_s": self.created_s,
        }

    def shown(self) -> dict[str, Any]:
        """As it is shown."""
        return {
            "id": self.id,
            "webhook_id": self.endpoint_id,
            "type": self.type,
            "job_id": self.job_id,
            "state": str(self.state),
            "created_at": rfc3339(self.created_s),
            "next_attempt_at": None if self.due_s is None else rfc3339(self.due_s),
            "attempts": [attempt.shown() for attempt in self.attempts],
            "body": json.loads(self.body),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What follows from an attempt.

    Attributes:
        wait_s: until the next one; ``None`` when there is none.
        disable: why the endpoint is told nothing more; ``None`` when it is.
    """

    delivery: Delivery
    wait_s: float | None = None
    disable: str | None = None


def after(
    delivery: Delivery,
    attempt: Attempt,
    *,
    rng: Random,
    asked_s: float | None = None,
    delivered_s: float | None = None,
) -> Outcome:
    """What follows from ``attempt``.

    Args:
        asked_s: the receiver's ``Retry-After``.
        delivered_s: when anything last arrived at this endpoint.
    """
    attempts = (*delivery.attempts, attempt)[-MOST_ATTEMPTS:]
    if attempt.arrived:
        return Outcome(delivery=delivery.became(State.DELIVERED, attempts=attempts, due_s=None))
    failures = delivery.failures + 1
    failed = delivery.became(State.FAILED, attempts=attempts, failures=failures, due_s=None)
    if attempt.status == GONE:
        return Outcome(delivery=failed, disable="the receiver answered 410: it is gone for good")
    wait_s = None if delivery.type == TEST_EVENT else schedule.wait_s(failures, rng=rng, asked_s=asked_s)
    if wait_s is not None:
        return Outcome(delivery=replace(failed, state=State.PENDING), wait_s=wait_s)
    silent = delivery.type != TEST_EVENT and (delivered_s is None or delivered_s < delivery.created_s)
    reason = f"nothing arrived there since {rfc3339(delivery.created_s)}; the last answer: {_words(attempt)}"
    return Outcome(delivery=failed, disable=reason if silent else None)


def _words(attempt: Attempt) -> str:
    return attempt.error or f"status {attempt.status}"


def delivery_of(endpoint: Endpoint, *, job_id: str, number: int, event: Mapping[str, Any], at_s: float) -> Delivery:
    """The delivery of a job's event to an endpoint: made twice it is the same one."""
    name = hashlib.sha256(f"{endpoint.id}/{job_id}/{number}".encode()).hexdigest()
    told = {**event, "id": f"{job_id}/{number}", "sequence": number}
    return Delivery(
        id=f"msg_{name[:32]}",
        endpoint_id=endpoint.id,
        tenant=endpoint.tenant,
        type=str(event["type"]),
        job_id=job_id,
        body=json.dumps(told, separators=(",", ":")),
        created_s=at_s,
    )


def trial_of(endpoint: Endpoint, *, at_s: float) -> Delivery:
    """A delivery that says only that it came; tried once."""
    number = secrets.token_hex(16)
    told = {
        "specversion": "1.0",
        "type": TEST_EVENT,
        "source": "/farm",
        "subject": endpoint.id,
        "id": f"{endpoint.id}/{number}",
        "time": rfc3339(at_s),
        "datacontenttype": "application/json",
        "data": {"message": "The farm can reach this endpoint."},
    }
    return Delivery(
        id=f"msg_{number}",
        endpoint_id=endpoint.id,
        tenant=endpoint.tenant,
        type=TEST_EVENT,
        job_id=None,
        body=json.dumps(told, separators=(",", ":")),
        created_s=at_s,
    )
