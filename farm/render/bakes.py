"""Bakes in the object store: which template, of which size, with which error; found by those who relight."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from blender.protocol import VIEW_AZIMUTH_DEG
from farm.domain import keys
from farm.errors import BakeBroken, ObjectMissing
from farm.render.ports import ObjectStore

log = logging.getLogger(__name__)

SCHEMA = 2
INDEX = "bake.json"
RELIGHTER = "relight 3"
"""Name and version of what relights; raised when equal bakes and prints give other pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakedPart:
    """One baked view.

    Attributes:
        name: of the view, or of the azimuth of a film's frame, see `part_name`.
        key: of its file in the object store.
        samples: paths per pixel of each of its renders.
        renderer: that made it, such as ``cycles 5.2.3``.
        seconds: that it took, measuring included.
        error: measured against the path tracer, see `farm.render.tasks.bake_task`; empty where nothing was measured.
        larger: the same of larger pictures from this light, by their size in pixels; those that it is good for.
    """

    name: str
    key: str
    sha256: str
    size_bytes: int
    samples: int
    renderer: str
    seconds: float
    error: Mapping[str, float] = field(default_factory=dict)
    larger: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def most_px(self) -> int:
        """The largest picture that was measured; 0 where only those up to the bake's own size were."""
        return max(map(int, self.larger), default=0)

    def delta_e(self, size_px: int, baked_px: int) -> float | None:
        """The mean ΔE00 inside the print that was measured for pictures of that size; ``None`` where none was."""
        larger = [int(size) for size in self.larger if int(size) >= size_px] if size_px > baked_px else []
        return (self.larger[str(min(larger))] if larger else self.error).get("delta_e_mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bake:
    """A template's bake at one size, as its ``bake.json`` tells.

    Attributes:
        parts: the baked views by name.
    """

    template: str
    template_hash: str
    size_px: int
    parts: Mapping[str, BakedPart]

    @property
    def id(self) -> str:
        """Tells this bake from every other: pictures of two bakes differ."""
        return hashlib.sha256(self.to_json()).hexdigest()

    @property
    def renderer(self) -> str:
        """Who makes pictures from it, as their reports and fingerprints say."""
        return f"{RELIGHTER} {self.id[:12]}"

    def covers(self, names: Iterable[str]) -> bool:
        """Whether all these views are baked."""
        return all(name in self.parts for name in names)

    def serves(self, name: str, size_px: int) -> bool:
        """Whether pictures of that view and size come from it."""
        part = self.parts.get(name)
        return part is not None and size_px <= max(self.size_px, part.most_px)

    def delta_e(self, names: Iterable[str], size_px: int = 0) -> float:
        """The worst mean ΔE00 inside the print that was measured on these views; infinite where none was measured.

        Args:
            size_px: of the pictures, whose error may be another where they are larger than the bake.
        """
        found = (self.parts[name].delta_e(size_px, self.size_px) for name in names)
        return max((float("inf") if one is None else one for one in found), default=float("inf"))

    def to_json(self) -> bytes:
        """The bytes of ``bake.json``."""
        plain = {
            "schema": SCHEMA,
            "template": self.template,
            "template_hash": self.template_hash,
            "size_px": self.size_px,
            "parts": {name: asdict(part) for name, part in self.parts.items()},
        }
        return json.dumps(plain, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read ``bake.json``.

        Raises:
            BakeBroken: when it is none, or of another schema.
        """
        try:
            plain = json.loads(data)
            if plain.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            parts = {name: BakedPart(**part) for name, part in plain.pop("parts").items()}
            return cls(parts=parts, **plain)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BakeBroken(bake=INDEX, reason=f"{type(error).__name__}: {error}") from error


def part_name(view: str, azimuth_deg: float | None = None) -> str:
    """The name of a baked view; frames of a film that stand where a view stands share its bake."""
    if azimuth_deg is None:
        return view
    for name, own_deg in VIEW_AZIMUTH_DEG.items():
        if abs(own_deg - azimuth_deg % 360.0) < 1e-6:
            return name
    return f"turn_{azimuth_deg % 360.0:07.3f}"


def part_key(template: str, template_hash: str, size_px: int, name: str) -> str:
    """Where the file of a baked view lies."""
    return f"{keys.bakes(template, template_hash, size_px)}{name}.light"


def index_key(template: str, template_hash: str, size_px: int) -> str:
    return keys.bakes(template, template_hash, size_px) + INDEX


def sizes(store: ObjectStore, template: str, template_hash: str) -> list[int]:
    """The sizes of the finished bakes of that version of the template, smallest first.

    Raises:
        StorageUnavailable, StorageForbidden: as the store met them.
    """
    listed = store.list(keys.bakes(template, template_hash))
    found = [keys.bake_of(item.key) for item in listed if item.key.endswith("/" + INDEX)]
    return sorted(place[2] for place in found if place is not None)


def finished(store: ObjectStore, template: str, template_hash: str) -> list[Bake]:
    """All finished bakes of that version of the template, smallest first; one that cannot be read is left out.

    Raises:
        StorageUnavailable, StorageForbidden: as the store met them.
    """
    found = []
    for size in sizes(store, template, template_hash):
        try:
            found.append(Bake.from_json(store.get(index_key(template, template_hash, size))))
        except (ObjectMissing, BakeBroken) as error:
            log.warning("the bake of %s at %d px is passed over: %s", template, size, error)
    return found


def serving(bakes: Iterable[Bake], name: str, size_px: int) -> Bake | None:
    """The bake, of these from small to large, that a picture of that view and size comes from.

    A picture no larger than a bake comes from the smallest that is large enough; a larger one from the largest that is
    good for it.
    """
    good = [bake for bake in bakes if bake.serves(name, size_px)]
    return next((bake for bake in good if bake.size_px >= size_px), good[-1] if good else None)


def largest(bakes: Iterable[Bake], name: str) -> int:
    """The largest picture of that view that comes from one of these; 0 where none does."""
    return max((max(bake.size_px, bake.parts[name].most_px) for bake in bakes if name in bake.parts), default=0)


def find(store: ObjectStore, template: str, template_hash: str, size_px: int, names: Iterable[str] = ()) -> Bake | None:
    """The finished bake of that version of the template that such pictures of these views come from, see `serving`.

    Raises:
        StorageUnavailable, StorageForbidden: as the store met them.
        BakeBroken: when the one that fits cannot be read.
    """
    wanted, smaller = tuple(names), None
    for size in sizes(store, template, template_hash):
        try:
            bake = Bake.from_json(store.get(index_key(template, template_hash, size)))
        except ObjectMissing:
            continue  # it was taken away between the look and the reading
        except BakeBroken:
            if size < size_px:
                continue
            raise
        if size >= size_px and bake.covers(wanted):
            return bake
        if wanted and all(bake.serves(name, size_px) for name in wanted):
            smaller = bake
    return smaller
