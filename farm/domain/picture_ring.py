"""Which of a tenant's keys for pictures hold: the newest, and older ones until a time said when they gave way."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from farm.errors import PictureKeyRetired

MOST_KEYS = 16
"""That are remembered; those that ended longest ago go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingKey:
    """A key by its id; its secret is kept nowhere.

    Attributes:
        until_s: Unix time; ``None``: it is the one that signs.
    """

    id: str
    made_s: float
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class PictureRing:
    """A tenant's keys for pictures, newest first."""

    keys: tuple[RingKey, ...] = ()

    @property
    def current(self) -> RingKey | None:
        """The one that signs."""
        return self.keys[0] if self.keys else None

    def rotated(self, key_id: str, now_s: float, *, old_s: float) -> Self:
        """The ring with a new key; the one before holds for ``old_s`` more, older ones no longer than they did."""
        ended = now_s + old_s
        older = tuple(
            RingKey(id=key.id, made_s=key.made_s, until_s=ended if key.until_s is None else min(key.until_s, ended))
            for key in self.keys
        )
        return type(self)((RingKey(id=key_id, made_s=now_s), *older)[:MOST_KEYS])

    def check(self, key_id: str, now_s: float) -> None:
        """Whether addresses of that key hold.

        Raises:
            PictureKeyRetired: when it gave way, or is none of the tenant's.
        """
        for key in self.keys:
            if key.id == key_id and (key.until_s is None or now_s < key.until_s):
                return
        raise PictureKeyRetired(key=key_id)

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps([asdict(key) for key in self.keys])

    @classmethod
    def from_json(cls, text: str | bytes | None) -> Self:
        kept: Sequence[dict[str, object]] = json.loads(text) if text else []
        return cls(tuple(RingKey(**key) for key in kept))  # type: ignore[arg-type]  # as `to_json` wrote it
