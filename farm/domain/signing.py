"""The secret that signs browser sessions and upload tickets, the same for every replica of a farm."""

import secrets
from dataclasses import dataclass
from typing import Self

LEAST_BYTES = 32
"""Anything shorter can be guessed; of an empty one everybody knows it."""


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """A secret that is long enough to sign with: there is no other.

    Raises:
        ValueError: for one that is empty or short.
    """

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) < LEAST_BYTES:
            raise ValueError(f"a secret that signs has at least {LEAST_BYTES} bytes")

    def __repr__(self) -> str:
        return "SigningSecret(…)"

    @classmethod
    def new(cls) -> Self:
        """A secret of 256 random bits."""
        return cls(secrets.token_urlsafe(32).encode())

    @classmethod
    def kept(cls, value: bytes | str | None) -> Self | None:
        """The secret that a store keeps; ``None`` where it keeps none that may be believed."""
        value = value.encode() if isinstance(value, str) else value
        return cls(value) if value is not None and len(value) >= LEAST_BYTES else None
