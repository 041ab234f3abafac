"""Which object store an address means."""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from farm.adapters import objects
from farm.adapters.file_store import FileStore
from farm.adapters.shipped_light import ShippedLight
from farm.domain.web_address import NoAddress, WebAddress
from farm.errors import InvalidRequest, InvalidSettings
from farm.render.ports import ObjectStore
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.adapters.s3_store import S3Store

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def store_of(settings: Settings) -> ObjectStore:
    """The object store of a farm with these settings, the light that came with its templates in it.

    It travels to other processes by pickling the settings.
    """
    return ShippedLight(bare_store_of(settings), settings.template_folders)


def bare_store_of(settings: Settings) -> "FileStore | S3Store":
    """The store of these settings, see `open_store`, and nothing beside it."""
    return open_store(
        settings.effective_storage_url,
        endpoint_url=settings.s3_endpoint_url,
        public_endpoint_url=settings.s3_public_endpoint_url,
        public_url=settings.public_url,
    )


def open_store(
    url: str, *, endpoint_url: str | None, public_url: str | None, public_endpoint_url: str | None = None
) -> "FileStore | S3Store":
    """The store of ``FARM_STORAGE_URL``; nothing is read or written yet.

    Args:
        url: ``file:///folder`` or ``s3://bucket/prefix``.
        endpoint_url: of an S3-alike; empty or ``None``: Amazon.
        public_endpoint_url: where others reach the S3-alike; empty or ``None``: at ``endpoint_url``.
        public_url: the outputs' public base address; empty or ``None``: the store's own.

    Raises:
        InvalidSettings: naming the variable and what is wrong with it.
    """
    endpoint_url = _web_address("FARM_S3_ENDPOINT_URL", endpoint_url)
    public_endpoint_url = _web_address("FARM_S3_PUBLIC_ENDPOINT_URL", public_endpoint_url)
    public_url = _web_address("FARM_PUBLIC_URL", public_url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _unusable(url, str(error)) from error
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise _unusable(url, "it must have no user, no query and no fragment; keys come from the environment")
    match parts.scheme:
        case "file":
            return FileStore(_folder(url, parts), public_url=public_url)
        case "s3":
            from farm.adapters.s3_store import S3Store  # Amazon's client takes a third of a second to load

            bucket, prefix = _bucket(url, parts)
            return S3Store(
                bucket,
                prefix,
                endpoint_url=endpoint_url,
                public_endpoint_url=public_endpoint_url,
                public_url=public_url,
            )
        case _:
            raise _unusable(url, "it must be file:///folder or s3://bucket/prefix")


def _folder(url: str, parts: SplitResult) -> Path:
    if parts.netloc not in ("", "localhost"):
        raise _unusable(url, "a file address has three slashes: file:///folder")
    path = unquote(parts.path)
    if "\0" in path or not path.startswith("/") or not path.strip("/"):
        raise _unusable(url, "it must name a folder by its absolute path")
    return Path(path)


def _bucket(url: str, parts: SplitResult) -> tuple[str, str]:
    if not _BUCKET.fullmatch(parts.netloc):
        raise _unusable(url, "a bucket's name has 3 to 63 small letters, digits, dots and hyphens")
    prefix = unquote(parts.path).strip("/")
    try:
        objects.checked_prefix(prefix)
    except InvalidRequest as error:
        raise _unusable(url, error.reason) from error
    return parts.netloc, prefix


def _web_address(variable: str, url: str | None) -> str | None:
    if not url:
        return None
    try:
        address = WebAddress.of(url)
        if "?" in address.url or "#" in url:
            raise NoAddress("it must have no query and no fragment")
    except NoAddress as fault:
        reason = f"{fault}; write http://host/… or https://host/…"
        raise InvalidSettings(variable=variable, value=_shown(url), reason=reason) from fault
    return address.url.rstrip("/")


def _unusable(url: str, reason: str) -> InvalidSettings:
    return InvalidSettings(variable="FARM_STORAGE_URL", value=_shown(url), reason=reason)


def _shown(url: str) -> str:
    """Without what stands before an ``@``: it may be a password."""
    scheme, _, rest = url.rpartition("@")[0].partition("://")
    return url.replace(f"{rest}@", "…@", 1) if rest and scheme else url
