"""Baked views kept open in a process, by the hash of their files, so that a picture waits for no disk."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Self

from farm.adapters.panel_places import PanelPlaces
from farm.picture.baked_view import BakedView
from farm.render.bakes import BakedPart
from farm.render.ports import ObjectStore
from farm.settings import Settings

KEPT_VIEWS = 12
"""Open at once: two templates' six views; one of 1024 px holds some 30 MB."""
KEPT_BYTES = 1_000_000_000


class BakeShelf:
    """The least recently used go when there are too many, or too much in them; threads may share it.

    Args:
        kept, most_bytes: views open at once, and what they hold.
        places: the folder of this node in which places are kept, see `farm.adapters.panel_places`.
    """

    def __init__(self, places: Path, *, kept: int = KEPT_VIEWS, most_bytes: int = KEPT_BYTES) -> None:
        self._places = places
        self._kept = kept
        self._most_bytes = most_bytes
        self._open: OrderedDict[str, BakedView] = OrderedDict()
        self._opening: dict[str, Lock] = {}
        self._lock = Lock()

    @classmethod
    def of(cls, settings: Settings, *, most_bytes: int = KEPT_BYTES) -> Self:
        """The shelf of a process of that farm."""
        return cls(settings.home / "places", most_bytes=most_bytes)

    def take(self, store: ObjectStore, part: BakedPart, template: Path) -> BakedView:
        """The baked view, read and checked when it is not open yet.

        Args:
            template: the folder of the template it belongs to.

        Raises:
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden: as the store met them.
            BakeBroken: when it cannot be read.
        """
        with self._lock:
            opening = self._opening.setdefault(part.sha256, Lock())
        with opening:  # by one thread, while others open other views
            with self._lock:
                found = self._open.get(part.sha256)
            if found is None:
                places = PanelPlaces(template, self._places)
                found = BakedView.read(store.get(part.key, sha256=part.sha256), places)
            self._keep(part.sha256, found)
        return found

    def _keep(self, sha256: str, view: BakedView) -> None:
        with self._lock:
            self._open[sha256] = view
            self._open.move_to_end(sha256)
            while len(self._open) > self._kept or (len(self._open) > 1 and self._bytes() > self._most_bytes):
                gone, _ = self._open.popitem(last=False)
                self._opening.pop(gone, None)

    def _bytes(self) -> int:
        """Counted anew each time: an open view is fitted to sizes as they are asked for."""
        return sum(view.size_bytes for view in self._open.values())
