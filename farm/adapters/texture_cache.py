"""Textures on a worker's disk, by the hash of their bytes: six views of a job fetch each once, not six times."""

import os
from pathlib import Path

from farm.adapters.bounded_folder import make_room
from farm.errors import DiskFull
from farm.render.ports import ObjectStore


class TextureCache:
    """Files named by their SHA-256 below one folder; the least recently used go when it grows past its bound.

    One process, one cache: nobody else removes what is being read.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 512_000_000) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def fetch(self, store: ObjectStore, key: str, sha256: str) -> Path:
        """The object's bytes as a local file, checked against ``sha256``.

        Raises:
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden: as the store met them.
            DiskFull: when the node has no space.
        """
        path = self._folder / f"{sha256}.png"
        if path.is_file():
            os.utime(path)
            return path
        data = store.get(key, sha256=sha256)
        partial = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            make_room(self._folder, len(data), self._max_bytes)
            partial.write_bytes(data)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise DiskFull(view="", reason=str(error), what="a texture") from error
        return path
