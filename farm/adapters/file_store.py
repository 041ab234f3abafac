"""Objects as files in a folder: the embedded farm's store, or a disk that all nodes share."""

import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from farm.adapters import objects
from farm.adapters.folder import Folder
from farm.errors import (
    DiskFull,
    FarmError,
    InvalidRequest,
    ObjectMissing,
    StorageForbidden,
    StorageUnavailable,
)
from farm.render.ports import ObjectInfo, ObjectStore

_PUT_TRIES = 100  # each lost to a deletion that took the folder away in between
_CHUNK_BYTES = 1 << 20


class FileStore:
    """Keys are paths below ``root``.

    A write lands in ``.incoming/`` first and is renamed into place once it is on the disk, so that a reader, or a
    crash, never meets half an object. A process that was killed leaves its half there: `list_incoming` and
    `sweep_incoming` find it. Symbolic links below the root are never followed, whoever put them there. Nothing is
    held open between calls, so it may be used from many threads and sent to other processes.
    """

    def __init__(self, root: Path, *, public_url: str | None = None) -> None:
        self.root = Path(os.path.realpath(root))
        self.public_url = public_url

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        objects.checked(key)
        with _translated(key):
            self._write(key, [data])
        return hashlib.sha256(data).hexdigest()

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        objects.checked(key)
        return objects.verified(key, b"".join(self._read(key)), sha256)

    def head(self, key: str) -> ObjectInfo | None:
        objects.checked(key)
        with _translated(key):
            found = self._stat(key.split("/"))
        return None if found is None else _info(key, found)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose key begins with ``prefix``, by key; links and what is being written are left out."""
        objects.checked_prefix(prefix)
        with _translated(prefix):
            yield from self._walk(prefix.split("/")[:-1], prefix.rpartition("/")[2])

    def folders(self, prefix: str) -> Iterator[str]:
        objects.checked_folder(prefix)
        with _translated(prefix):
            try:
                with Folder.open(self.root, prefix.split("/")[:-1]) as folder:
                    names = folder.names()
            except FileNotFoundError:
                return
        yield from (name.removesuffix("/") for name in names if name.endswith("/"))

    def copy(self, source: str, target: str) -> None:
        objects.checked(source)
        objects.checked(target)
        # Not a hard link: the copy is a new object, and its age counts from now.
        with _translated(target):
            self._write(target, self._read(source))

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            objects.checked(key)
        for key in keys:
            with _translated(key):
                self._remove(key)

    def delete_prefix(self, prefix: str) -> int:
        objects.checked_folder(prefix)
        keys = [info.key for info in self.list(prefix)]
        self.delete(keys)
        return len(keys)

    def url(self, key: str) -> str:
        return objects.address(self.public_url or self.root.as_uri(), key)

    def signed_url(self, key: str, expires_s: int) -> str | None:
        """None: what reads here reads the bytes."""
        return None

    def signed_upload(self, key: str, *, size_bytes: int, content_type: str, expires_s: int) -> str | None:
        """None: what writes here writes through the farm."""
        return None

    def list_incoming(self) -> Iterator[ObjectInfo]:
        """What is being written at this moment, and what killed processes left half written."""
        with _translated(objects.INCOMING):
            yield from self._walk([objects.INCOMING], "")

    def sweep_incoming(self, *, older_than_s: float) -> int:
        """Remove what lies unfinished for longer than any write takes; returns how many files went."""
        gone = 0
        for info in self.list_incoming():
            if time.time() - info.modified_s > older_than_s:
                with _translated(info.key), suppress(FileNotFoundError):
                    with Folder.open(self.root, [objects.INCOMING]) as folder:
                        folder.unlink(info.key.rpartition("/")[2])
                    gone += 1
        return gone

    def _write(self, key: str, chunks: Iterator[bytes] | Sequence[bytes]) -> None:
        parts = key.split("/")
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        with Folder.open(self.root, [objects.INCOMING], create=True) as incoming:
            try:
                with incoming.new_file(name) as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                for _ in range(_PUT_TRIES):
                    with suppress(FileNotFoundError), Folder.open(self.root, parts[:-1], create=True) as folder:
                        incoming.rename(name, folder, parts[-1])
                        folder.sync()
                        return
                raise StorageUnavailable(reason=f"the folder of {key} vanished {_PUT_TRIES} times while it was written")
            except BaseException:
                with suppress(OSError):
                    incoming.unlink(name)
                raise

    def _read(self, key: str) -> Iterator[bytes]:
        parts = key.split("/")
        # Translated in here too, or a copy would blame its target for the source's faults.
        with _translated(key), Folder.open(self.root, parts[:-1]) as folder, folder.file(parts[-1]) as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def _remove(self, key: str) -> None:
        parts = key.split("/")
        try:
            with Folder.open(self.root, parts[:-1]) as folder:
                folder.unlink(parts[-1])
                folder.sync()
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            return
        for depth in range(len(parts) - 1, 0, -1):
            with suppress(FileNotFoundError, NotADirectoryError), Folder.open(self.root, parts[: depth - 1]) as above:
                if not above.remove_empty(parts[depth - 1]):
                    return

    def _walk(self, path: Sequence[str], begins: str) -> Iterator[ObjectInfo]:
        try:
            with Folder.open(self.root, path) as folder:
                names = folder.names()
        except FileNotFoundError:
            return
        for name in names:
            is_folder, name = name.endswith("/"), name.removesuffix("/")
            if not name.startswith(begins) or (not path and name == objects.INCOMING):
                continue
            below = [*path, name]
            if is_folder:
                yield from self._walk(below, "")
            elif (found := self._stat(below)) is not None:
                yield _info("/".join(below), found)

    def _stat(self, parts: Sequence[str]) -> os.stat_result | None:
        """Of the file there; ``None`` where there is none, or something else."""
        try:
            with Folder.open(self.root, parts[:-1]) as folder:
                found = folder.stat(parts[-1])
        except FileNotFoundError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None


def _info(key: str, found: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key=key, size_bytes=found.st_size, modified_s=found.st_mtime)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """What the file system says, in the farm's words."""
    try:
        yield
    except OSError as error:
        raise _farm_error(key, error) from error


def _farm_error(key: str, error: OSError) -> FarmError:
    reason = error.strerror or str(error)
    match error.errno:
        case errno.ENOENT:
            return ObjectMissing(key=key)
        case errno.ENOSPC | errno.EDQUOT:
            return DiskFull(what=key, key=key)
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return StorageForbidden(key=key, reason=reason)
        case errno.ELOOP:
            return StorageForbidden(key=key, reason="a symbolic link lies on its path")
        case errno.ENOTDIR | errno.EISDIR | errno.ENOTEMPTY | errno.EEXIST:
            return InvalidRequest(reason=f"the key {key!r} lies above or below another object's")
        case _:
            return StorageUnavailable(reason=f"{key}: {reason}")


if TYPE_CHECKING:
    _conforms: type[ObjectStore] = FileStore
