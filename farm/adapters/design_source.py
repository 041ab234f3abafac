"""Designs where a catalogue's manifest says they are: files beside it, in S3, on the web."""

import os
import stat
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from farm.adapters.web import Web
from farm.errors import DesignNotFound, DesignTooLarge, FetchFailed, FetchRefused
from farm.render.catalog.columns import local_path
from farm.render.catalog.ports import DesignSource
from farm.settings import Settings

_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_FORBIDDEN = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass
class Designs:
    """Implements `DesignSource`; may be used from many threads, is opened anew in another process."""

    settings: Settings

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings)

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}

    @cached_property
    def web(self) -> Web:
        hosts = frozenset(host.strip() for host in self.settings.fetch_hosts.split(",") if host.strip())
        return Web(hosts, timeout_s=self.settings.fetch_timeout_s)

    @cached_property
    def s3(self) -> Any:
        timeout_s = self.settings.fetch_timeout_s
        config = Config(connect_timeout=5.0, read_timeout=timeout_s, retries={"total_max_attempts": 2})
        return boto3.client("s3", endpoint_url=self.settings.s3_endpoint_url or None, config=config)

    def identity(self, address: str, *, remote: bool = True) -> str | None:
        match urlsplit(address).scheme:
            case "file":
                return _file_identity(address)
            case "s3" if remote:
                with _s3(address):
                    bucket, key = _s3_parts(address)
                    return f"{address}\netag {self.s3.head_object(Bucket=bucket, Key=key)['ETag']}"
            case "http" | "https" if remote:
                return self.web.identity(address)
            case _:
                return None

    def from_web(self, url: str) -> bytes:
        """A design by its https address and by nothing else.

        Raises:
            DesignNotFound, DesignTooLarge, FetchRefused, FetchFailed: as `fetch`.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise FetchRefused(address=url[:200], reason="it is not https")
        return self.web.read(url, limit_bytes=self.settings.design_max_bytes)[0]

    def fetch(self, address: str) -> tuple[bytes, str | None]:
        limit_bytes = self.settings.design_max_bytes
        match urlsplit(address).scheme:
            case "file":
                return _read_file(address, limit_bytes)
            case "s3":
                with _s3(address):
                    bucket, key = _s3_parts(address)
                    answer = self.s3.get_object(Bucket=bucket, Key=key)
                    size_bytes = int(answer["ContentLength"])
                    if size_bytes > limit_bytes:
                        raise DesignTooLarge(size_bytes=size_bytes, limit_bytes=limit_bytes)
                    return answer["Body"].read(), f"{address}\netag {answer['ETag']}"
            case "http" | "https":
                return self.web.read(address, limit_bytes=limit_bytes)
            case _:
                raise FetchRefused(address=address[:200], reason="it is neither a file, s3:// nor https://")


def _file_identity(address: str) -> str:
    try:
        found = os.stat(local_path(address))
    except OSError as error:
        raise DesignNotFound(address=local_path(address)) from error
    if not stat.S_ISREG(found.st_mode):
        raise DesignNotFound(address=local_path(address))
    return _stamp(address, found)


def _stamp(address: str, found: os.stat_result) -> str:
    # The change time cannot be set back by hand, so a file that was altered always looks altered.
    return f"{address}\n{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _read_file(address: str, limit_bytes: int) -> tuple[bytes, str]:
    path = local_path(address)
    try:
        # Not blocking: the path may be a pipe, which is refused by its kind before anything is read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise DesignNotFound(address=path)
            if found.st_size > limit_bytes:
                raise DesignTooLarge(size_bytes=found.st_size, limit_bytes=limit_bytes)
            return file.read(limit_bytes + 1), _stamp(address, found)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise DesignNotFound(address=path) from error
    except OSError as error:
        raise FetchFailed(address=path, reason=error.strerror or str(error)) from error


def _s3_parts(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise FetchRefused(address=address[:200], reason="it must be s3://bucket/key")
    return bucket, key


class _s3:
    """What S3 says, in the farm's words."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _GONE:
                raise DesignNotFound(address=self._address) from error
            if code in _FORBIDDEN:
                raise FetchRefused(address=self._address, reason=f"S3 answers {code}") from error
        if isinstance(error, ClientError | BotoCoreError):
            raise FetchFailed(address=self._address, reason=str(error)[:300]) from error


if TYPE_CHECKING:
    _conforms: type[DesignSource] = Designs
