"""Files in S3 buckets by their addresses, ``s3://bucket/key``: designs and manifests, read only."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from urllib3.exceptions import HTTPError

from farm.adapters.border import border, said
from farm.adapters.open_internet import shown
from farm.adapters.s3_client import s3_client
from farm.adapters.s3_packets import packets
from farm.adapters.unpacked import Unpackable, packing_of
from farm.adapters.web import Answer, plain
from farm.errors import DesignNotFound, FarmError, FetchFailed, FetchRefused

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_FORBIDDEN = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_ADDRESS = re.compile(r"s3://([^/]+)/(.+)", re.IGNORECASE | re.DOTALL)
_LEAST_BYTES_PER_S = 1 << 14


class S3Source:
    """Reads; may be used from many threads.

    Args:
        endpoint_url: of an S3-alike; ``None``: Amazon.
        timeout_s: of silence from the server, and for the whole of a file as `Web` has it, with time for its size.
    """

    def __init__(self, endpoint_url: str | None, *, timeout_s: float) -> None:
        self._endpoint_url = endpoint_url
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    @contextmanager
    def get(self, address: str, *, limit_bytes: int) -> Iterator[Answer]:
        """A file, its body unread.

        Raises:
            FetchRefused: when the address may not be used, or more than ``limit_bytes`` come.
            DesignNotFound: when it is not there.
            FetchFailed: when the server does not deliver; a retry may help.
        """
        bucket, key = _parts(address)
        with _border(address):
            found = self._opened.get_object(Bucket=bucket, Key=key)
        try:
            with _border(address):
                size_bytes = int(found["ContentLength"])
                packing = packing_of(found.get("ContentEncoding", ""))
            packed = self._body(address, found["Body"], size_bytes, limit_bytes)
            yield Answer(
                identity=_identity(address, found),
                size_bytes=size_bytes if packing is None else None,
                chunks=plain(packed, packing, address=address, limit_bytes=limit_bytes),
            )
        finally:
            # What a connection says while it is given up concerns nobody.
            with suppress(Exception):
                found["Body"].close()

    def identity(self, address: str) -> str | None:
        """Which version of the file is there, without fetching it."""
        bucket, key = _parts(address)
        with _border(address):
            return _identity(address, self._opened.head_object(Bucket=bucket, Key=key))

    @property
    def _opened(self) -> "S3Client":
        with self._lock:
            return self._client

    @cached_property
    def _client(self) -> "S3Client":
        return s3_client(self._endpoint_url, read_timeout_s=self._timeout_s)

    def _body(self, address: str, body: Any, size_bytes: int, limit_bytes: int) -> Iterator[bytes]:
        until_s = time.monotonic() + self._timeout_s + size_bytes / _LEAST_BYTES_PER_S
        read = 0
        chunks = packets(body)
        while True:
            with _border(address):
                chunk = next(chunks, None)
            if chunk is None:
                break
            read += len(chunk)
            if read > limit_bytes:
                raise FetchRefused(address=shown(address), reason=f"it has more than {limit_bytes} bytes")
            if time.monotonic() > until_s:
                raise FetchFailed(address=shown(address), reason=f"{read} of {size_bytes} bytes came in time")
            yield chunk
        if read != size_bytes:
            raise FetchFailed(address=shown(address), reason=f"{read} of {size_bytes} bytes came")


def _parts(address: str) -> tuple[str, str]:
    matched = _ADDRESS.fullmatch(address)
    if matched is None:
        raise FetchRefused(address=shown(address), reason="it must be s3://bucket/key")
    return matched[1], matched[2]


def _identity(address: str, found: Any) -> str | None:
    etag = found.get("ETag")
    return f"{address}\netag {etag}" if etag else None


def _border(address: str) -> AbstractContextManager[None]:
    def failed(error: Exception) -> FarmError:
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _GONE:
                return DesignNotFound(address=shown(address))
            if code in _FORBIDDEN:
                return FetchRefused(address=shown(address), reason=f"S3 answers {code}")
        if isinstance(error, Unpackable):
            return FetchRefused(address=shown(address), reason=str(error))
        if isinstance(error, ParamValidationError | UnicodeError):
            return FetchRefused(address=shown(address), reason="no bucket or object can have that name")
        return FetchFailed(address=shown(address), reason=said(error))

    return border(failed, ClientError, BotoCoreError, HTTPError, OSError, UnicodeError, Unpackable)
