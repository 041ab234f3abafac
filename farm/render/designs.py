"""Designs kept by their content: sent once, named by their id in any number of jobs, pictures and manifests.

A design is two objects: the print, normalised as jobs have it, and its facts, written last. What was deleted leaves a
note in place of its facts, so that whoever still names it is told so; the sweep removes both in the end.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Self

from farm.domain import keys
from farm.domain.ids import design_id
from farm.errors import DesignDeleted, DesignUnknown, ObjectAltered, ObjectMissing
from farm.picture.decode_nursery import Nurseries
from farm.render.ports import ObjectStore
from farm.render.prepare import PreparedDesign, decoded
from farm.saga.clock import Clock, SystemClock
from farm.settings import Settings

PRINT, FACTS = "print.png", "facts.json"
DAY_S = 86_400.0
_PNG_WITH_ALPHA = 6
"""The colour type of our own PNGs that have alpha; it stands at a fixed place in the header."""
_COLOUR_TYPE_AT = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDesign:
    """What is known of a design that is kept.

    Attributes:
        sha256, size_bytes, format: of the file as it was sent.
        width_px, height_px: as it will be printed.
        alpha: whether anything of it is transparent.
        print_sha256: of the normalised print.
        warnings: what the sender should know.
        sent_s: when it was last sent, wall time.
    """

    id: str
    sha256: str
    size_bytes: int
    format: str
    width_px: int
    height_px: int
    alpha: bool
    print_sha256: str
    warnings: tuple[Mapping[str, str], ...]
    sent_s: float

    def to_json(self) -> bytes:
        """The bytes of ``facts.json``."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """Read ``facts.json``; ``None`` where it is the note of a deletion.

        Raises:
            ValueError: when it is neither.
        """
        plain = json.loads(data)
        if "deleted_s" in plain:
            return None
        try:
            return cls(**{**plain, "warnings": tuple(plain["warnings"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"no facts of a design: {error}") from error


class DesignShelf:
    """The kept designs; every method blocks, and threads may share it. `StorageUnavailable` may come from all."""

    def __init__(self, settings: Settings, store: ObjectStore, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock or SystemClock()

    def keep(self, tenant: str, data: bytes, *, nurseries: Nurseries | None = None) -> tuple[KeptDesign, bool]:
        """Keep a file; one that is kept already is kept from now on anew, without looking into it again.

        Returns:
            The design, and whether it is new.

        Raises:
            BadDesign: when it cannot be used.
        """
        name, now_s = design_id(data), self._clock.wall_s()
        known = self._known(tenant, name)
        if known is not None and known.sha256 == hashlib.sha256(data).hexdigest():
            known = KeptDesign(**{**asdict(known), "sent_s": now_s})
            self._store.put(self._facts(tenant, name), known.to_json(), content_type="application/json")
            if self._store.head(self._print(tenant, name)) is not None:  # not deleted meanwhile
                return known, False
        design = decoded(self._settings, data, nurseries)
        fresh = KeptDesign(
            id=name,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            format="png" if data.startswith(b"\x89PNG") else "jpeg",
            width_px=design.width_px,
            height_px=design.height_px,
            alpha=design.data[_COLOUR_TYPE_AT] == _PNG_WITH_ALPHA,
            print_sha256=design.sha256,
            warnings=design.notes,
            sent_s=now_s,
        )
        self._store.put(self._print(tenant, name), design.data, content_type="image/png")
        self._store.put(self._facts(tenant, name), fresh.to_json(), content_type="application/json")
        return fresh, True

    def find(self, tenant: str, name: str) -> KeptDesign:
        """What is known of a design.

        Raises:
            DesignUnknown: when the tenant keeps none of that id. DesignDeleted: when it was deleted.
        """
        try:
            found = KeptDesign.from_json(self._store.get(self._facts(tenant, name)))
        except (ObjectMissing, ValueError) as error:
            raise DesignUnknown(id=name) from error
        if found is None:
            raise DesignDeleted(id=name)
        return found

    def read(self, tenant: str, name: str) -> PreparedDesign:
        """A design as a job is made of it: it was decoded when it came, and need not be again.

        Raises:
            DesignUnknown, DesignDeleted: as `find`.
        """
        known = self.find(tenant, name)
        try:
            data = self._store.get(self._print(tenant, name), sha256=known.print_sha256)
        except (ObjectMissing, ObjectAltered) as error:
            raise DesignUnknown(id=name) from error
        return PreparedDesign(
            data=data,
            sha256=known.print_sha256,
            width_px=known.width_px,
            height_px=known.height_px,
            notes=known.warnings,
        )

    def delete(self, tenant: str, name: str) -> None:
        """Forget a design; jobs that were made of it have their own.

        Raises:
            DesignUnknown, DesignDeleted: as `find`.
        """
        self.find(tenant, name)
        note = json.dumps({"deleted_s": self._clock.wall_s()}).encode()
        self._store.put(self._facts(tenant, name), note, content_type="application/json")
        self._store.delete([self._print(tenant, name)])

    def sweep(self, tenant: str) -> int:
        """Remove what was kept long enough, old notes of deletions, and prints whose sender died before their facts.

        Returns:
            How many objects went.
        """
        now_s, days = self._clock.wall_s(), self._settings.design_days
        items = {item.key: item.modified_s for item in self._store.list(keys.kept_designs(tenant))}
        old = []
        for key, modified_s in items.items():
            folder, _, name = key.rpartition("/")
            if name == FACTS and days and modified_s < now_s - days * DAY_S:
                now = self._store.head(key)  # sent again since the list was made?
                if now is not None and now.modified_s < now_s - days * DAY_S:
                    old += [key, f"{folder}/{PRINT}"]
            elif name == PRINT and f"{folder}/{FACTS}" not in items and modified_s < now_s - DAY_S:
                old.append(key)
        self._store.delete(old)
        return len(old)

    def expires_at(self, design: KeptDesign) -> str | None:
        """Until when it is kept, unless it is sent again; ``None``: until it is deleted."""
        if not self._settings.design_days:
            return None
        return told_time(design.sent_s + self._settings.design_days * DAY_S)

    def _known(self, tenant: str, name: str) -> KeptDesign | None:
        try:
            return self.find(tenant, name)
        except (DesignUnknown, DesignDeleted):
            return None

    def _facts(self, tenant: str, name: str) -> str:
        return keys.kept_design(tenant, name, FACTS)

    def _print(self, tenant: str, name: str) -> str:
        return keys.kept_design(tenant, name, PRINT)


def told_time(wall_s: float) -> str:
    """A moment as the API tells it."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
