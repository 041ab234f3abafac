"""An object store in memory: for tests and for trying things out; it forgets all when its process ends."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from farm.adapters import objects
from farm.errors import ObjectMissing
from farm.render.ports import ObjectInfo, ObjectStore


class MemoryStore:
    """Bytes in a dictionary; safe to use from many threads."""

    def __init__(self, *, public_url: str | None = None) -> None:
        self._public_url = public_url or "memory://store"
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        objects.checked(key)
        with self._lock:
            self._objects[key] = (bytes(data), time.time())
        return hashlib.sha256(data).hexdigest()

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        objects.checked(key)
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise ObjectMissing(key=key)
        return objects.verified(key, found[0], sha256)

    def head(self, key: str) -> ObjectInfo | None:
        objects.checked(key)
        with self._lock:
            found = self._objects.get(key)
        return ObjectInfo(key=key, size_bytes=len(found[0]), modified_s=found[1]) if found else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        objects.checked_prefix(prefix)
        with self._lock:
            found = [(key, *kept) for key, kept in self._objects.items() if key.startswith(prefix)]
        for key, data, modified_s in sorted(found, key=lambda row: row[0].encode()):
            yield ObjectInfo(key=key, size_bytes=len(data), modified_s=modified_s)

    def folders(self, prefix: str) -> Iterator[str]:
        objects.checked_folder(prefix)
        with self._lock:
            below = [key.removeprefix(prefix) for key in self._objects if key.startswith(prefix)]
        return iter(sorted({key.partition("/")[0] for key in below if "/" in key}, key=str.encode))

    def copy(self, source: str, target: str) -> None:
        self.put(target, self.get(source), content_type="")

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            objects.checked(key)
        with self._lock:
            for key in keys:
                self._objects.pop(key, None)

    def delete_prefix(self, prefix: str) -> int:
        objects.checked_folder(prefix)
        with self._lock:
            gone = [key for key in self._objects if key.startswith(prefix)]
            for key in gone:
                del self._objects[key]
        return len(gone)

    def url(self, key: str) -> str:
        return objects.address(self._public_url, key)

    def signed_url(self, key: str, expires_s: int) -> str | None:
        """None: what reads here reads the bytes."""
        return None

    def signed_upload(self, key: str, *, size_bytes: int, content_type: str, expires_s: int) -> str | None:
        """None: what writes here writes through the farm."""
        return None

    def list_incoming(self) -> Iterator[ObjectInfo]:
        """Nothing: a write into memory is whole at once."""
        return iter(())

    def sweep_incoming(self, *, older_than_s: float) -> int:
        """Nothing to sweep, see `list_incoming`."""
        return 0


if TYPE_CHECKING:
    _conforms: type[ObjectStore] = MemoryStore
