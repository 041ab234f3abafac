"""An object store that tells how long its answers took, and which it did not give."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from farm.errors import FarmError
from farm.render.metrics import Meter
from farm.render.ports import ObjectInfo, ObjectStore


class MeteredStore:
    """See `farm.render.ports.ObjectStore`: another one, measured."""

    def __init__(self, store: ObjectStore, meter: Meter) -> None:
        self._store = store
        self._meter = meter

    @contextmanager
    def _asked(self, operation: str) -> Iterator[None]:
        began_s = time.monotonic()
        try:
            yield
        except FarmError as error:
            self._meter.count("farm_storage_errors_total", operation=operation, code=error.code)
            raise
        finally:
            self._meter.observe("farm_storage_seconds", time.monotonic() - began_s, operation=operation)

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        with self._asked("put"):
            return self._store.put(key, data, content_type=content_type)

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        with self._asked("get"):
            return self._store.get(key, sha256=sha256)

    def head(self, key: str) -> ObjectInfo | None:
        with self._asked("head"):
            return self._store.head(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        # What is listed is read page by page by whoever asked; their own work is no part of the store's time.
        return self._store.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        return self._store.folders(prefix)

    def copy(self, source: str, target: str) -> None:
        with self._asked("copy"):
            self._store.copy(source, target)

    def delete(self, keys: Sequence[str]) -> None:
        with self._asked("delete"):
            self._store.delete(keys)

    def delete_prefix(self, prefix: str) -> int:
        with self._asked("delete"):
            return self._store.delete_prefix(prefix)

    def url(self, key: str) -> str:
        return self._store.url(key)

    def signed_url(self, key: str, expires_s: int) -> str | None:
        return self._store.signed_url(key, expires_s)

    def signed_upload(self, key: str, *, size_bytes: int, content_type: str, expires_s: int) -> str | None:
        return self._store.signed_upload(key, size_bytes=size_bytes, content_type=content_type, expires_s=expires_s)

    def list_incoming(self) -> Iterator[ObjectInfo]:
        return self._store.list_incoming()

    def sweep_incoming(self, *, older_than_s: float) -> int:
        return self._store.sweep_incoming(older_than_s=older_than_s)


if TYPE_CHECKING:
    _conforms: type[ObjectStore] = MeteredStore
