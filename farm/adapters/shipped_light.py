"""An object store that also shows the light that came with a template, in its folder.

``light/bake.json`` and ``light/VIEW.light`` below a template's folder are what the object store would hold under
``bakes/<template>/<hash>/<size>/``, so nobody who relights need know of it. Light of another version of the template
than the folder's is stale, and is not shown. What the object store itself holds comes first.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from farm.domain import keys
from farm.domain import template as templates
from farm.errors import BakeBroken, NotFound, ObjectAltered, ObjectMissing, TemplateBroken
from farm.render import bakes
from farm.render.bakes import Bake
from farm.render.ports import ObjectInfo, ObjectStore

log = logging.getLogger(__name__)

FOLDER = "light"
"""Of a template's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """The light in a template's folder, of the very version of the template that lies there.

    Attributes:
        files: by the key that the object store would have them under.
    """

    bake: Bake
    files: dict[str, Path]

    @classmethod
    def read(cls, folder: Path, template_hash: str) -> "Light | None":
        """The light of a template's folder; ``None`` where there is none, or only that of another version.

        Raises:
            BakeBroken: when its index cannot be read.
        """
        index = folder / FOLDER / bakes.INDEX
        try:
            bake = Bake.from_json(index.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BakeBroken(bake=str(index), reason=str(error)) from error
        if bake.template_hash != template_hash:
            return None
        files = {part.key: folder / FOLDER / f"{part.name}.light" for part in bake.parts.values()}
        return cls(bake=bake, files={**files, bakes.index_key(bake.template, bake.template_hash, bake.size_px): index})


def stale_light(folder: Path, template_hash: str) -> bool:
    """Whether the light in a template's folder is that of another version.

    Raises:
        BakeBroken: when its index cannot be read.
    """
    index = folder / FOLDER / bakes.INDEX
    return index.is_file() and Bake.from_json(index.read_bytes()).template_hash != template_hash


def write_light(folder: Path, bake: Bake, store: ObjectStore) -> None:
    """Put a finished bake into its template's folder, instead of what lies there; the index comes last.

    Raises:
        ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden: as the store met them.
        OSError: when the folder cannot be written.
    """
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    (target / bakes.INDEX).unlink(missing_ok=True)
    for old in target.glob("*.light"):
        old.unlink()
    for part in bake.parts.values():
        (target / f"{part.name}.light").write_bytes(store.get(part.key, sha256=part.sha256))
    (target / bakes.INDEX).write_bytes(bake.to_json() + b"\n")


class ShippedLight:
    """See `farm.render.ports.ObjectStore`: another one, and behind it the light of the templates in these folders."""

    def __init__(self, store: ObjectStore, folders: Sequence[Path]) -> None:
        self._store = store
        self._folders = tuple(folders)
        self._known: dict[tuple[str, str], Light | None] = {}
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        return self._store.put(key, data, content_type=content_type)

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        shipped = self._file(key)
        if shipped is None:
            return self._store.get(key, sha256=sha256)
        try:
            return self._store.get(key, sha256=sha256)
        except ObjectMissing:
            return _read(key, shipped, sha256)

    def head(self, key: str) -> ObjectInfo | None:
        found = self._store.head(key)
        shipped = self._file(key) if found is None else None
        return found if shipped is None else _info(key, shipped)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Those of a template's light among them where the prefix names one template's version, and only there."""
        light = self._light(prefix)
        if light is None:
            yield from self._store.list(prefix)
            return
        found = {info.key: info for info in self._store.list(prefix)}
        for key, path in light.files.items():
            if key.startswith(prefix) and key not in found and path.is_file():
                found[key] = _info(key, path)
        yield from (found[key] for key in sorted(found))

    def folders(self, prefix: str) -> Iterator[str]:
        return self._store.folders(prefix)

    def copy(self, source: str, target: str) -> None:
        self._store.copy(source, target)

    def delete(self, keys: Sequence[str]) -> None:
        self._store.delete(keys)

    def delete_prefix(self, prefix: str) -> int:
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

    def _file(self, key: str) -> Path | None:
        light = self._light(key)
        return None if light is None else light.files.get(key)

    def _light(self, key: str) -> Light | None:
        version = keys.bakes_of(key)
        if version is None:
            return None
        with self._lock:
            if version not in self._known:
                self._known[version] = self._look(*version)
            return self._known[version]

    def _look(self, template: str, template_hash: str) -> Light | None:
        try:
            found = templates.find(self._folders, template)
            return Light.read(found.folder, template_hash) if found.hash == template_hash else None
        except (NotFound, TemplateBroken):
            return None
        except BakeBroken as error:
            log.warning("the light that came with %s is passed over: %s", template, error)
            return None


def _read(key: str, path: Path, sha256: str | None) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ObjectMissing(key=key) from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ObjectAltered(key=key, reason=f"{path} has another hash than {path.with_name(bakes.INDEX).name} says")
    return data


def _info(key: str, path: Path) -> ObjectInfo:
    facts = path.stat()
    return ObjectInfo(key=key, size_bytes=facts.st_size, modified_s=facts.st_mtime)


if TYPE_CHECKING:
    _conforms: type[ObjectStore] = ShippedLight
