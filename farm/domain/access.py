"""Who may do what: keys, their scopes, and whom they stand for."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from farm.domain.ids import TENANT
from farm.errors import InvalidRequest, PriorityTooHigh

_TOKEN = re.compile(r"farm_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME_CHARACTERS = 80
MOST_PRIORITY = 100
"""The highest that any request may ask for; what keys had before they had a ceiling, and what those of admins have."""
ORDINARY_PRIORITY = 0
"""The ceiling of other keys, unless they are given one: tenants share a queue in which the urgent go first."""


class Scope(StrEnum):
    """What a key opens."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    CATALOG = "catalog"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever stands behind a request.

    Attributes:
        key_id: of the key that let them in.
        tenant: whose jobs, products and runs they see; nobody else's exist for them.
        max_priority: the highest that their jobs may have.
    """

    key_id: str
    tenant: str
    scopes: frozenset[Scope]
    max_priority: int = MOST_PRIORITY

    def may(self, scope: Scope) -> bool:
        """Whether ``scope`` is open; writing jobs includes reading them, administering includes webhooks."""
        if scope is Scope.JOBS_READ and Scope.JOBS_WRITE in self.scopes:
            return True
        if scope is Scope.WEBHOOKS and Scope.ADMIN in self.scopes:
            return True
        return scope in self.scopes

    def check_priority(self, priority: int) -> None:
        """Whether a job of theirs may be that urgent.

        Raises:
            PriorityTooHigh: when it may not.
        """
        if priority > self.max_priority:
            raise PriorityTooHigh(priority=priority, limit=self.max_priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: its secret is known to its owner alone.

    Attributes:
        digest: SHA-256 of the secret, hexadecimal. The secret has 256 random bits, so no slow hash is needed.
    """

    id: str
    tenant: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: str
    max_priority: int = MOST_PRIORITY

    @property
    def principal(self) -> Principal:
        return Principal(
            key_id=self.id, tenant=self.tenant, scopes=frozenset(self.scopes), max_priority=self.max_priority
        )

    def opens(self, secret: str) -> bool:
        """Whether ``secret`` is this key's, compared in constant time."""
        return hmac.compare_digest(self.digest, digest_of(secret))

    def to_dict(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "scopes": [str(scope) for scope in self.scopes]}

    def shown(self) -> dict[str, Any]:
        """As it may be shown: without the digest."""
        return {name: value for name, value in self.to_dict().items() if name != "digest"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "scopes": tuple(Scope(scope) for scope in data["scopes"])})


def new_key(
    *, tenant: str, scopes: Iterable[str], name: str, created_at: str, max_priority: int | None = None
) -> tuple[ApiKey, str]:
    """A new key and its token, which is shown once and kept nowhere.

    Args:
        max_priority: 0 to 100; left out, `MOST_PRIORITY` with the scope ``admin``, else `ORDINARY_PRIORITY`.

    Raises:
        InvalidRequest: when the tenant is no name, a scope does not exist, or there is none; or of such a priority.
    """
    if not TENANT.fullmatch(tenant):
        raise InvalidRequest(reason="a tenant has 1 to 40 small letters, digits and dashes")
    wanted = set(scopes)
    if unknown := wanted - {str(scope) for scope in Scope}:
        raise InvalidRequest(reason=f"{min(unknown)!r} is no scope; there are {', '.join(Scope)}")
    if not wanted:
        raise InvalidRequest(reason=f"name at least one scope of {', '.join(Scope)}")
    if len(name) > _NAME_CHARACTERS:
        raise InvalidRequest(reason=f"a key's name has at most {_NAME_CHARACTERS} characters")
    if max_priority is None:
        max_priority = MOST_PRIORITY if Scope.ADMIN in wanted else ORDINARY_PRIORITY
    if not ORDINARY_PRIORITY <= max_priority <= MOST_PRIORITY:
        raise InvalidRequest(
            reason=f"a key's highest priority is {ORDINARY_PRIORITY} to {MOST_PRIORITY}, not {max_priority}"
        )
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    ordered = tuple(scope for scope in Scope if str(scope) in wanted)
    key = ApiKey(
        id=key_id,
        tenant=tenant,
        name=name,
        scopes=ordered,
        digest=digest_of(secret),
        created_at=created_at,
        max_priority=max_priority,
    )
    return key, f"farm_{key_id}_{secret}"


def split_token(token: str) -> tuple[str, str] | None:
    """Key id and secret of a token; ``None`` when it is none."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def digest_of(secret: str) -> str:
    """What is kept of a key's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
