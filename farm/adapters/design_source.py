"""Designs where a catalogue's manifest says they are: files beside it, in S3, on the web."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from farm.adapters.border import border, said
from farm.adapters.open_internet import shown
from farm.adapters.storage import store_of
from farm.adapters.web import Answer, Web
from farm.errors import DesignNotFound, DesignTooLarge, FarmError, FetchFailed, FetchRefused
from farm.render.catalog.columns import KEPT, local_path
from farm.render.catalog.ports import DesignSource
from farm.render.designs import DesignShelf
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.adapters.s3_source import S3Source

WEB = ("http", "https")


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
    def s3(self) -> "S3Source":
        from farm.adapters.s3_source import S3Source  # Amazon's client takes a third of a second to load

        return S3Source(self.settings.s3_endpoint_url or None, timeout_s=self.settings.fetch_timeout_s)

    @cached_property
    def kept(self) -> DesignShelf:
        return DesignShelf(self.settings, store_of(self.settings))

    def identity(self, address: str, *, remote: bool = True) -> str | None:
        scheme = scheme_of(address)
        if scheme == KEPT:
            return address  # its id is its content's
        match scheme:
            case "file":
                with _file_border(address):
                    return _file_identity(address)
            case "s3" if remote:
                return self.s3.identity(address)
            case "http" | "https" if remote:
                return self.web.identity(address)
            case _:
                return None

    def from_web(self, url: str) -> bytes:
        """A design by its https address and by nothing else.

        Raises:
            DesignNotFound, DesignTooLarge, FetchRefused, FetchFailed: as `fetch`.
        """
        if scheme_of(url) not in WEB:
            raise FetchRefused(address=shown(url), reason="it is not https")
        return self.web.read(url, limit_bytes=self.settings.design_max_bytes)[0]

    def fetch(self, address: str) -> tuple[bytes, str | None]:
        limit_bytes = self.settings.design_max_bytes
        if scheme_of(address) == "file":
            with _file_border(address):
                return _read_file(address, limit_bytes)
        if scheme_of(address) == KEPT:
            tenant, _, design = address.removeprefix(f"{KEPT}://").partition("/")
            return self.kept.read(tenant, design).data, address
        with self.opened(address, limit_bytes=limit_bytes) as answer:
            if answer.size_bytes is not None and answer.size_bytes > limit_bytes:
                raise DesignTooLarge(size_bytes=answer.size_bytes, limit_bytes=limit_bytes)
            return b"".join(answer.chunks), answer.identity

    @contextmanager
    def opened(self, address: str, *, limit_bytes: int) -> Iterator[Answer]:
        """A file that is not on this machine, its body unread; a design or a manifest.

        Raises:
            DesignNotFound, FetchRefused, FetchFailed: as `farm.adapters.web.Web.get`.
        """
        match scheme_of(address):
            case "s3":
                source: Web | S3Source = self.s3
            case "http" | "https":
                source = self.web
            case _:
                raise FetchRefused(address=shown(address), reason="it is neither a file, s3:// nor https://")
        with source.get(address, limit_bytes=limit_bytes) as answer:
            yield answer


def scheme_of(address: str) -> str:
    """What stands before ``://``, in small letters."""
    return address.partition("://")[0].lower() if "://" in address else ""


def _file_border(address: str) -> AbstractContextManager[None]:
    def failed(error: Exception) -> FarmError:
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return DesignNotFound(address=shown(local_path(address)))
        if isinstance(error, ValueError):  # NUL, or what no file system can encode
            return DesignNotFound(address=shown(address))
        return FetchFailed(address=shown(address), reason=said(error))

    return border(failed, OSError, ValueError)


def _file_identity(address: str) -> str:
    found = os.stat(local_path(address))
    if not stat.S_ISREG(found.st_mode):
        raise DesignNotFound(address=shown(local_path(address)))
    return _stamp(address, found)


def _stamp(address: str, found: os.stat_result) -> str:
    # The change time cannot be set back by hand, so a file that was altered always looks altered.
    return f"{address}\n{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _read_file(address: str, limit_bytes: int) -> tuple[bytes, str]:
    path = local_path(address)
    # Not blocking: the path may be a pipe, which is refused by its kind before anything is read.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise DesignNotFound(address=shown(path))
        if found.st_size > limit_bytes:
            raise DesignTooLarge(size_bytes=found.st_size, limit_bytes=limit_bytes)
        return file.read(limit_bytes + 1), _stamp(address, found)


if TYPE_CHECKING:
    _conforms: type[DesignSource] = Designs
