"""Baked views kept open in a process, by the hash of their files, so that a picture waits for no disk."""

from collections import OrderedDict
from threading import Lock

from farm.picture.baked_view import BakedView
from farm.render.bakes import BakedPart
from farm.render.ports import ObjectStore

KEPT_VIEWS = 12
"""Open at once: two templates' six views; one of 1024 px holds some 30 MB."""


class BakeShelf:
    """The least recently used go when there are too many; threads may share it."""

    def __init__(self, *, kept: int = KEPT_VIEWS) -> None:
        self._kept = kept
        self._open: OrderedDict[str, BakedView] = OrderedDict()
        self._lock = Lock()

    def take(self, store: ObjectStore, part: BakedPart) -> BakedView:
        """The baked view, read and checked when it is not open yet.

        Raises:
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden: as the store met them.
            BakeBroken: when it cannot be read.
        """
        with self._lock:
            found = self._open.pop(part.sha256, None)
            if found is None:
                found = BakedView.read(store.get(part.key, sha256=part.sha256))
            self._open[part.sha256] = found
            while len(self._open) > self._kept:
                self._open.popitem(last=False)
            return found
