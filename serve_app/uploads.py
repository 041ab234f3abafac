"""Uploads: bytes that go straight to the object store, to be named in a request later.

An upload is one object under ``t/<tenant>/uploads/<upload>/``; nothing else remembers it, and the sweep removes it a
day later. Where the store signs addresses itself the bytes never pass through the API; else a ticket of the farm's own
opens one `PUT` of exactly the announced size.
"""

import mimetypes
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

from farm.domain import keys
from farm.domain.ids import UPLOAD_ID, new_upload_id
from farm.domain.signing import SigningSecret
from farm.errors import BodyTooLarge, DesignTooLarge, NotFound, Unauthorised
from farm.render.ports import ObjectStore
from farm.settings import Settings

__all__ = ["UPLOAD_ID", "Tickets", "Upload", "find_upload", "limit_of", "new_upload_id", "read_upload"]

LASTING_S = 3600
"""How long the address of an upload can be used."""
MANIFEST_BYTES = 256_000_000
"""The largest manifest that is uploaded; a larger one is fetched from its address."""
MANIFESTS = frozenset({".parquet", ".pq", ".csv", ".jsonl", ".ndjson", ".json", ".gz"})
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What may be put.

    Attributes:
        name: of the file; its ending says what it is.
    """

    tenant: str
    id: str
    name: str
    size_bytes: int

    @property
    def key(self) -> str:
        """Where it lies in the object store."""
        return keys.uploads(self.tenant, self.id) + self.name

    @property
    def content_type(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class Tickets:
    """One-time addresses of the farm's own, signed with the secret that all replicas share."""

    def __init__(self, secret: SigningSecret) -> None:
        self._signer = URLSafeTimedSerializer(secret.value, salt="farm-upload")

    def write(self, upload: Upload) -> str:
        """The ticket for one upload."""
        return self._signer.dumps([upload.tenant, upload.id, upload.name, upload.size_bytes])

    def read(self, ticket: str) -> Upload:
        """What a ticket is for.

        Raises:
            Unauthorised: when it is forged or too old.
        """
        try:
            tenant, upload_id, name, size_bytes = self._signer.loads(ticket, max_age=LASTING_S)
        except (BadData, ValueError, TypeError) as error:
            raise Unauthorised(reason="the upload's address is wrong, or older than an hour") from error
        return Upload(tenant=str(tenant), id=str(upload_id), name=str(name), size_bytes=int(size_bytes))


def safe_name(given: str) -> str:
    """A file's name as a key's last part."""
    name = _NAME.sub("-", given.replace("\\", "/").rpartition("/")[2]).strip("-.")[-100:].lstrip("-.")
    return name or "upload"


def limit_of(settings: Settings, name: str, *, through_api: bool) -> int:
    """The most bytes of a file of that name."""
    is_manifest = PurePosixPath(name.lower()).suffix in MANIFESTS
    limit = min(MANIFEST_BYTES, settings.manifest_max_bytes) if is_manifest else settings.design_max_bytes
    return min(limit, settings.body_max_bytes) if through_api else limit


def find_upload(store: ObjectStore, tenant: str, upload_id: str) -> str:
    """The key of what was uploaded; blocking.

    Raises:
        NotFound: when nothing was, or it has been swept.
    """
    for found in store.list(keys.uploads(tenant, upload_id)):
        return found.key
    raise NotFound(kind="upload (it may not have arrived, or is older than a day)", id=upload_id)


def read_upload(store: ObjectStore, tenant: str, upload_id: str, settings: Settings) -> tuple[str, bytes]:
    """Name and bytes of what was uploaded; blocking.

    Raises:
        NotFound: as `find_upload`.
        DesignTooLarge, BodyTooLarge: past the limit of its kind.
    """
    key = find_upload(store, tenant, upload_id)
    name = key.rpartition("/")[2]
    limit = limit_of(settings, name, through_api=False)
    info = store.head(key)
    if info is None:
        raise NotFound(kind="upload", id=upload_id)
    if info.size_bytes > limit:
        if limit == settings.design_max_bytes:
            raise DesignTooLarge(size_bytes=info.size_bytes, limit_bytes=limit)
        raise BodyTooLarge(limit_bytes=limit)
    return name, store.get(key)


def shown(upload: Upload, url: str) -> dict[str, Any]:
    """An upload as the API tells of it."""
    return {
        "id": upload.id,
        "method": "PUT",
        "url": url,
        "headers": {"Content-Type": upload.content_type, "Content-Length": str(upload.size_bytes)},
        "size_bytes": upload.size_bytes,
        "expires_s": LASTING_S,
    }
