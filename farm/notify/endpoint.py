"""Endpoints: who is told what, and the secrets with which the farm signs what it tells them."""

import base64
import hashlib
import secrets as randomness
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from farm.domain.event import EventType, rfc3339
from farm.domain.ids import TENANT
from farm.errors import InvalidRequest

PREFIX = "whsec_"
SECRET_BYTES = 32
ROTATION_S = 86_400.0
"""How long a secret that was replaced goes on signing beside the new one."""
MOST_SECRETS = 4
"""Signatures that one delivery carries at most, however often its secret was replaced in a day."""
MOST_PER_TENANT = 20
_URL_CHARACTERS = 2000
_NAME_CHARACTERS = 80

TELLING = tuple(kind for kind in EventType if kind is not EventType.PROGRESS)
"""What an endpoint may be told; progress is of the moment and is never sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One signing secret.

    Attributes:
        text: ``whsec_`` and the base 64 of its bytes.
        until_s: when it stops signing, seconds since 1970; ``None`` for the one in use.
    """

    text: str
    until_s: float | None = None

    @property
    def key(self) -> bytes:
        """The bytes that sign."""
        return base64.b64decode(self.text.removeprefix(PREFIX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that is told of a tenant's jobs.

    Attributes:
        events: the types it is told of; empty: all of `TELLING`.
        secrets: the newest first.
        since_s: it is told of what happens from here on, by the store's clock.
        disabled: why nothing is sent there; ``None`` while it is in use.
        delivered_s: when a delivery last arrived; ``None`` before the first.
    """

    id: str
    tenant: str
    url: str
    name: str = ""
    events: tuple[EventType, ...] = ()
    secrets: tuple[Secret, ...] = ()
    since_s: float = 0.0
    disabled: str | None = None
    delivered_s: float | None = None

    def wants(self, kind: str) -> bool:
        """Whether it is told of events of that type."""
        return kind in (self.events or TELLING)

    def signing(self, now_s: float) -> tuple[Secret, ...]:
        """The secrets that sign now."""
        return tuple(secret for secret in self.secrets if secret.until_s is None or secret.until_s > now_s)

    def rotated(self, now_s: float, *, keep_s: float = ROTATION_S) -> Self:
        """With a new secret; the ones before it sign for ``keep_s`` more, or as long as they had left."""
        former = [
            replace(secret, until_s=now_s + keep_s if secret.until_s is None else secret.until_s)
            for secret in self.signing(now_s)
        ]
        kept = [secret for secret in former if (secret.until_s or 0) > now_s][: MOST_SECRETS - 1]
        return replace(self, secrets=(new_secret(), *kept))

    def to_dict(self) -> dict[str, Any]:
        """As it is kept; what the store itself knows (since, disabled, delivered) stands beside it."""
        return {
            "id": self.id,
            "tenant": self.tenant,
            "url": self.url,
            "name": self.name,
            "events": [str(kind) for kind in self.events],
            "secrets": [{"text": secret.text, "until_s": secret.until_s} for secret in self.secrets],
        }

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, since_s: float, disabled: str | None, delivered_s: float | None
    ) -> Self:
        return cls(
            id=data["id"],
            tenant=data["tenant"],
            url=data["url"],
            name=data["name"],
            events=tuple(EventType(kind) for kind in data["events"]),
            secrets=tuple(Secret(**secret) for secret in data["secrets"]),
            since_s=since_s,
            disabled=disabled,
            delivered_s=delivered_s,
        )

    def shown(self) -> dict[str, Any]:
        """As it may be shown: without its secrets."""
        return {
            "id": self.id,
            "url": self.url,
            "name": self.name,
            "events": [str(kind) for kind in self.events or TELLING],
            "status": "enabled" if self.disabled is None else "disabled",
            "disabled_reason": self.disabled,
            "created_at": rfc3339(self.since_s),
            "last_delivered_at": None if self.delivered_s is None else rfc3339(self.delivered_s),
            "secrets": len(self.secrets),
        }


def new_secret() -> Secret:
    """A secret of `SECRET_BYTES` random bytes."""
    return Secret(text=PREFIX + base64.b64encode(randomness.token_bytes(SECRET_BYTES)).decode())


def given_secret(text: str) -> Secret:
    """A secret that the receiver chose.

    Raises:
        InvalidRequest: when it is not ``whsec_`` and the base 64 of 24 to 64 bytes.
    """
    try:
        size = len(base64.b64decode(text.removeprefix(PREFIX), validate=True)) if text.startswith(PREFIX) else 0
    except ValueError:  # no base 64
        size = 0
    if not 24 <= size <= 64:
        raise InvalidRequest(reason="a secret is whsec_ and the base 64 of 24 to 64 bytes")
    return Secret(text=text)


def new_endpoint(
    *, tenant: str, url: str, events: Iterable[str] = (), name: str = "", secret: str = "", key: str | None = None
) -> Endpoint:
    """A new endpoint, with a secret of its own unless one is given.

    Args:
        key: of its maker's choice; the same key always gives the same id. Without one the id is random.

    Raises:
        InvalidRequest: when the tenant is no name, an event type is never sent, or a text is too long.
    """
    if not TENANT.fullmatch(tenant):
        raise InvalidRequest(reason="a tenant has 1 to 40 small letters, digits and dashes")
    wanted = set(events)
    if unknown := sorted(wanted - set(TELLING)):
        raise InvalidRequest(reason=f"{unknown[0]!r} is never sent; there are {', '.join(TELLING)}")
    if not 0 < len(url) <= _URL_CHARACTERS:
        raise InvalidRequest(reason=f"an address has 1 to {_URL_CHARACTERS} characters")
    if len(name) > _NAME_CHARACTERS:
        raise InvalidRequest(reason=f"an endpoint's name has at most {_NAME_CHARACTERS} characters")
    return Endpoint(
        id=f"hook_{randomness.token_hex(12) if key is None else _digest(tenant, key)}",
        tenant=tenant,
        url=url,
        name=name,
        events=tuple(kind for kind in TELLING if kind in wanted),
        secrets=(given_secret(secret) if secret else new_secret(),),
    )


def _digest(tenant: str, key: str) -> str:
    return hashlib.sha256(f"webhook/{tenant}/{key}".encode()).hexdigest()[:24]
