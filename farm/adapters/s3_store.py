"""Objects in an S3 bucket, at Amazon or behind anything that speaks its protocol."""

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from farm.adapters import objects
from farm.adapters.s3_client import s3_client
from farm.adapters.s3_errors import is_missing, refusal, translated
from farm.adapters.s3_packets import packets
from farm.errors import FarmError, ObjectAltered, ObjectMissing, StorageUnavailable
from farm.render.ports import ObjectInfo, ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_LEAST_BYTES_PER_S = 1 << 14
# A server that knows no batch deletion, or wants a checksum header that newer clients no longer send.
_NO_BATCH = frozenset({"NotImplemented", "MethodNotAllowed", "MissingContentMD5", "InvalidDigest", "MalformedXML"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    info: ObjectInfo
    md5: str | None
    """As the server's ETag has it, if that has the form of one."""


class S3Store:
    """Keys lie below ``prefix`` in ``bucket``; credentials come from where AWS's tools find them.

    It asks little of the server: no conditional writes, no versions, no metadata. A write is read back before it
    counts: size and ETag where the ETag is the MD5 of the bytes, else the bytes themselves.

    Retries are the saga's: a request is sent at most twice. May be used from many threads; sent to another process
    it opens a client of its own there.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        public_endpoint_url: str | None = None,
        public_url: str | None = None,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 20.0,
        batch: int = 1000,
    ) -> None:
        """Opens nothing yet.

        Args:
            bucket: must exist.
            prefix: of every key, without slashes at its ends; may be empty.
            endpoint_url: of an S3-alike; paths in place of host names then carry the bucket.
            public_endpoint_url: where browsers and uploaders reach the same server; what they get is signed for it,
                as a signature holds for one host only. ``None``: at ``endpoint_url``.
            public_url: where the objects can be read without a signature; the key (without ``prefix``) goes behind it.
            connect_timeout_s: to reach the server.
            read_timeout_s: of silence from the server.
            batch: keys per listing page and per deletion, at most 1000.
        """
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.endpoint_url = endpoint_url
        self.public_endpoint_url = public_endpoint_url
        self.public_url = public_url
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._batch = batch
        self._opened: tuple[int, S3Client, S3Client] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # A client's sockets and a lock belong to their process.
        return {**self.__dict__, "_opened": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        for client in opened[1:] if opened is not None else ():
            client.close()

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        name = self.prefix + objects.checked(key)
        with translated(key):
            self._client.put_object(Bucket=self.bucket, Key=name, Body=data, ContentType=content_type)
        found = self._head(key)
        if found is None or found.info.size_bytes != len(data):
            size = "nothing" if found is None else f"{found.info.size_bytes} bytes"
            raise ObjectAltered(key=key, reason=f"{len(data)} bytes were written and {size} read back")
        sha256 = hashlib.sha256(data).hexdigest()
        if found.md5 != hashlib.md5(data, usedforsecurity=False).hexdigest():
            # Encrypted, or a server whose ETag is something else: then only the bytes can tell.
            self.get(key, sha256=sha256)
        return sha256

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        name = self.prefix + objects.checked(key)
        with translated(key):
            answer = self._client.get_object(Bucket=self.bucket, Key=name)
            data = self._read(key, answer["Body"], answer.get("ContentLength"))
        return objects.verified(key, data, sha256)

    def head(self, key: str) -> ObjectInfo | None:
        found = self._head(key)
        return None if found is None else found.info

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose key begins with ``prefix``, page by page, in the server's order (S3's is by key)."""
        objects.checked_prefix(prefix)
        with translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix, PaginationConfig={"PageSize": self._batch}
            )
            for page in pages:
                for row in page.get("Contents", []):
                    if not row["Key"].endswith("/"):  # some servers list folders
                        yield ObjectInfo(
                            key=row["Key"].removeprefix(self.prefix),
                            size_bytes=row["Size"],
                            modified_s=row["LastModified"].timestamp(),
                        )

    def folders(self, prefix: str) -> Iterator[str]:
        name = self.prefix + objects.checked_folder(prefix)
        with translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=name, Delimiter="/", PaginationConfig={"PageSize": self._batch}
            )
            for page in pages:
                for row in page.get("CommonPrefixes", []):
                    yield row["Prefix"].removeprefix(name).removesuffix("/")

    def copy(self, source: str, target: str) -> None:
        name, new_name = self.prefix + objects.checked(source), self.prefix + objects.checked(target)
        with translated(source):
            self._client.copy_object(Bucket=self.bucket, Key=new_name, CopySource={"Bucket": self.bucket, "Key": name})
        old, new = self._head(source), self._head(target)
        if old is None:
            raise ObjectMissing(key=source)
        if new is None or new.info.size_bytes != old.info.size_bytes:
            raise ObjectAltered(key=target, reason="the copy is not there, or has another size")
        if old.md5 is None or old.md5 != new.md5:
            self.get(target, sha256=hashlib.sha256(self.get(source)).hexdigest())

    def delete(self, keys: Sequence[str]) -> None:
        names = [self.prefix + objects.checked(key) for key in keys]
        for start in range(0, len(names), self._batch):
            self._delete_batch(names[start : start + self._batch])

    def delete_prefix(self, prefix: str) -> int:
        objects.checked_folder(prefix)
        # Listed whole before the first deletion: a page's token may not survive changes at every server.
        keys = [info.key for info in self.list(prefix)]
        self.delete(keys)
        return len(keys)

    def url(self, key: str) -> str:
        objects.checked(key)
        if self.public_url:
            return objects.address(self.public_url, key)
        with translated(key):
            endpoint_url = self._signer.meta.endpoint_url
        return objects.address(f"{endpoint_url.rstrip('/')}/{self.bucket}", self.prefix + key)

    def signed_url(self, key: str, expires_s: int) -> str | None:
        objects.checked(key)
        with translated(key):
            return self._signer.generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": self.prefix + key}, ExpiresIn=expires_s
            )

    def signed_upload(self, key: str, *, size_bytes: int, content_type: str, expires_s: int) -> str | None:
        objects.checked(key)
        name = self.prefix + key
        with translated(key):
            # The length is among the signed headers: whoever has the address can put this many bytes, no more.
            return self._signer.generate_presigned_url(
                "put_object",
                Params={"Bucket": self.bucket, "Key": name, "ContentLength": size_bytes, "ContentType": content_type},
                ExpiresIn=expires_s,
            )

    def list_incoming(self) -> Iterator[ObjectInfo]:
        """Nothing: an object is written by one request, whole or not at all."""
        return iter(())

    def sweep_incoming(self, *, older_than_s: float) -> int:
        """Nothing to sweep, see `list_incoming`."""
        return 0

    @property
    def _client(self) -> "S3Client":
        return self._clients()[0]

    @property
    def _signer(self) -> "S3Client":
        """The client that signs what others use; it connects to nothing."""
        return self._clients()[1]

    def _clients(self) -> "tuple[S3Client, S3Client]":
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                client = self._open(self.endpoint_url)
                signer = self._open(self.public_endpoint_url) if self.public_endpoint_url else client
                self._opened = (os.getpid(), client, signer)
            return self._opened[1:]

    def _open(self, endpoint_url: str | None) -> "S3Client":
        connect_timeout_s, read_timeout_s = self._timeouts_s
        return s3_client(endpoint_url, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)

    def _head(self, key: str) -> "_Found | None":
        name = self.prefix + objects.checked(key)
        with translated(key):
            try:
                answer: Mapping[str, Any] = self._client.head_object(Bucket=self.bucket, Key=name)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
            size_bytes, modified = answer.get("ContentLength"), answer.get("LastModified")
            if size_bytes is None or modified is None:
                raise StorageUnavailable(reason=f"{key}: the server tells neither size nor age")
            matched = _MD5.fullmatch(answer.get("ETag", ""))
            info = ObjectInfo(key=key, size_bytes=size_bytes, modified_s=modified.timestamp())
            return _Found(info=info, md5=matched[1] if matched else None)

    def _read(self, key: str, body: Any, size_bytes: int | None) -> bytes:
        """The whole body; the socket's timeout alone would let a server drip a byte at a time for ever."""
        limit_s = self._timeouts_s[1] + (size_bytes or 0) / _LEAST_BYTES_PER_S
        ends_s = time.monotonic() + limit_s
        data = bytearray()
        for chunk in packets(body):
            data += chunk
            if time.monotonic() > ends_s:
                reason = f"{key}: {len(data)} of {size_bytes} bytes came in {limit_s:.0f} s"
                raise StorageUnavailable(reason=reason)
        if size_bytes is not None and len(data) != size_bytes:
            raise StorageUnavailable(reason=f"{key}: the answer ended after {len(data)} of {size_bytes} bytes")
        return bytes(data)

    def _delete_batch(self, names: Sequence[str]) -> None:
        first = names[0].removeprefix(self.prefix)
        try:
            with translated(first):
                answer = self._client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True}
                )
        except FarmError as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or cause.response.get("Error", {}).get("Code") not in _NO_BATCH:
                raise
            for name in names:
                with translated(name.removeprefix(self.prefix)):
                    self._client.delete_object(Bucket=self.bucket, Key=name)
            return
        for line in answer.get("Errors", []):
            key, code = line.get("Key", first).removeprefix(self.prefix), line.get("Code", "")
            refused = refusal(key, code, line.get("Message", ""), 403 if code in ("AccessDenied", "Forbidden") else 500)
            if not isinstance(refused, ObjectMissing):
                raise refused


if TYPE_CHECKING:
    _conforms: type[ObjectStore] = S3Store
