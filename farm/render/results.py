"""The result cache: finished pictures kept for a while, by fingerprint, so that equal work is done once for a tenant.

What is known of a picture is written first, under every design it was made from, then the picture; so there is never a
picture that deleting its design would miss. Nothing here is believed: a picture counts only when the copy that was made
of it has the hash that was written down. One that has not, or is only half there, is removed and counts as never kept;
two writers that overlap can cost an entry, but never give a wrong picture. Blocking.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Self

from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.errors import FarmError, ObjectAltered, ObjectMissing
from farm.render.ports import ObjectStore

log = logging.getLogger(__name__)

SCHEMA = 1
DAY_S = 86_400.0
MOST_LISTED = 5000
"""Of a design with more kept pictures than so many, each one is asked for: a few pages of a listing cost little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a kept picture.

    Attributes:
        seconds: that it took to make.
        kept_at_s: wall time.
    """

    fingerprint: str
    sha256: str
    size_bytes: int
    content_type: str
    width_px: int
    height_px: int
    renderer: str
    device: str
    seconds: float
    kept_at_s: float

    def artifact(self, *, name: str, key: str, view: str | None) -> Artifact:
        """The picture as an output of the job that takes it."""
        return Artifact(
            kind=Kind.STILL,
            name=name,
            key=key,
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            content_type=self.content_type,
            width_px=self.width_px,
            height_px=self.height_px,
            view=view,
            fingerprint=self.fingerprint,
        )

    def to_json(self) -> bytes:
        return json.dumps({"schema": SCHEMA, **asdict(self)}, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """Read it; ``None`` where it is damaged, or of another version."""
        try:
            plain = json.loads(data)
            return cls(**plain) if plain.pop("schema") == SCHEMA else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class ResultCache:
    """The kept pictures of all tenants, each tenant's apart.

    Args:
        days: how long a picture is kept; 0: nothing is, and nothing is found.
    """

    def __init__(self, store: ObjectStore, *, days: float, now_s: Callable[[], float] = time.time) -> None:
        self._store = store
        self._lasting_s = days * DAY_S
        self._now_s = now_s

    def find(self, tenant: str, designs: Sequence[str], fingerprints: Sequence[str]) -> Kept | None:
        """What is known of the first of these that is kept, its bytes not looked at.

        A store that does not answer has nothing kept: that is never a reason for a job to fail.
        """
        if self._lasting_s <= 0:
            return None
        try:
            return next(self._known(tenant, designs, fingerprints), None)
        except FarmError as error:
            log.warning("the result cache cannot be read: %s", error)
            return None

    def among(self, tenant: str, designs: Sequence[str], fingerprints: Sequence[str]) -> set[str]:
        """Those of these fingerprints under which something may be kept: who asks for many looks once.

        One listing of what was made from the first design, where that is less than asking for each.
        """
        if self._lasting_s <= 0 or len(fingerprints) < 2:
            return set(fingerprints) if self._lasting_s > 0 else set()
        asked = set(fingerprints)
        try:
            listed = self._store.list(keys.cached_of(tenant, designs[0]))
            found = [item.key.rpartition("/")[2] for item in islice(listed, MOST_LISTED + 1)]
        except FarmError as error:
            log.warning("the result cache cannot be listed: %s", error)
            return set()
        return asked if len(found) > MOST_LISTED else asked.intersection(found)

    def take(self, tenant: str, designs: Sequence[str], fingerprints: Sequence[str], key: str) -> Kept | None:
        """Copy the first of these that is kept and whole to ``key``; ``None`` when there is none.

        Args:
            designs: SHA-256 of each design it is made from.
            fingerprints: those that a good picture may have.
        """
        if self._lasting_s <= 0:
            return None
        try:
            for kept in self._known(tenant, designs, fingerprints):
                try:
                    self._store.copy(keys.cached(tenant, kept.fingerprint), key)
                    self._store.get(key, sha256=kept.sha256)
                    return kept
                except (ObjectMissing, ObjectAltered) as error:
                    log.warning("a kept picture is not whole, and goes: %s", error)
                    self._remove(tenant, designs, [kept.fingerprint])
                    self._store.delete([key])
        except FarmError as error:
            log.warning("the result cache cannot be used: %s", error)
        return None

    def keep(
        self, tenant: str, designs: Sequence[str], artifact: Artifact, *, renderer: str, device: str, seconds: float
    ) -> None:
        """Keep a picture that passed its verdict, by the fingerprint it carries; best effort."""
        if self._lasting_s <= 0 or artifact.fingerprint is None:
            return
        kept = Kept(
            fingerprint=artifact.fingerprint,
            sha256=artifact.sha256,
            size_bytes=artifact.size_bytes,
            content_type=artifact.content_type,
            width_px=artifact.width_px,
            height_px=artifact.height_px,
            renderer=renderer,
            device=device,
            seconds=round(seconds, 3),
            kept_at_s=round(self._now_s(), 3),
        )
        try:
            for design in dict.fromkeys(designs):
                facts = keys.cached_of(tenant, design, kept.fingerprint)
                self._store.put(facts, kept.to_json(), content_type="application/json")
            self._store.copy(artifact.key, keys.cached(tenant, kept.fingerprint))
        except FarmError as error:
            log.warning("a picture could not be kept for equal work: %s", error)

    def forget(self, tenant: str, designs: Sequence[str]) -> int:
        """Remove all that was made from any of these designs; returns how many pictures.

        Raises:
            StorageUnavailable, StorageForbidden: as the store met them; repeating it finishes it.
        """
        gone = 0
        for design in dict.fromkeys(designs):
            folder = keys.cached_of(tenant, design)
            found = [item.key.rpartition("/")[2] for item in self._store.list(folder)]
            self._remove(tenant, [design], found)
            gone += len(found)
        return gone

    def names(self, tenant: str, most: int) -> set[str]:
        """The fingerprints of what is kept, no more than so many: for those who look at very many."""
        if self._lasting_s <= 0:
            return set()
        found: set[str] = set()
        try:
            for item in self._store.list(keys.cache(tenant) + "of/"):
                if self._now_s() - item.modified_s <= self._lasting_s:
                    found.add(item.key.rpartition("/")[2])
                if len(found) >= most:
                    break
        except FarmError as error:
            log.warning("the result cache cannot be listed: %s", error)
        return found

    def _known(self, tenant: str, designs: Sequence[str], fingerprints: Sequence[str]) -> Iterator[Kept]:
        for fingerprint in fingerprints:
            try:
                kept = Kept.from_json(self._store.get(keys.cached_of(tenant, designs[0], fingerprint)))
            except ObjectMissing:
                continue
            if kept is None or kept.fingerprint != fingerprint:
                self._remove(tenant, designs, [fingerprint])
            elif self._now_s() - kept.kept_at_s <= self._lasting_s:
                yield kept

    def _remove(self, tenant: str, designs: Sequence[str], fingerprints: Sequence[str]) -> None:
        """The pictures first: what is known of them is how they are found again."""
        self._store.delete([keys.cached(tenant, one) for one in fingerprints])
        self._store.delete([keys.cached_of(tenant, design, one) for design in designs for one in fingerprints])


def report_of(kept: Kept) -> Mapping[str, Any]:
    """The report of a view that was not rendered but taken."""
    return {
        "cached": True,
        "renderer": kept.renderer,
        "device": kept.device,
        "total_s": 0.0,
        "made_in_s": kept.seconds,
    }
