"""What all object stores share: which keys they take, and when bytes are the recorded ones."""

import hashlib
from urllib.parse import quote

from farm.errors import InvalidRequest, ObjectAltered

INCOMING = ".incoming"
"""First part of the keys under which a file store writes what is not yet whole; no object may lie there."""

_KEY_BYTES = 1024  # S3's limit
_PART_BYTES = 255  # a file name's limit on the usual file systems


def checked(key: str) -> str:
    """The key itself; what one store could not hold or list again, none takes.

    Raises:
        InvalidRequest: it is empty, absolute, too long, leads elsewhere (``..``), or holds what a file name or an
            S3 listing cannot (NUL and other control characters, backslashes, lone surrogates).
    """
    parts = key.split("/")
    if (reason := _fault(key, parts)) is not None:
        raise InvalidRequest(reason=f"the key {key!r} {reason}")
    return key


def checked_prefix(prefix: str) -> str:
    """A prefix to list by: empty, or the beginning of a valid key.

    Raises:
        InvalidRequest: no valid key can begin so.
    """
    if prefix:
        checked(prefix.removesuffix("/"))
    return prefix


def checked_folder(prefix: str) -> str:
    """A prefix to delete by: it must end in ``/``, or ``jobs/a`` would take ``jobs/ab`` along.

    Raises:
        InvalidRequest: it is empty, does not end in ``/``, or no valid key can begin so.
    """
    if not prefix.endswith("/"):
        raise InvalidRequest(reason=f"the prefix {prefix!r} does not end in '/'")
    return checked_prefix(prefix)


def address(base: str, key: str) -> str:
    """The key as an address below ``base``."""
    return f"{base.rstrip('/')}/{quote(checked(key), safe='/~')}"


def verified(key: str, data: bytes, sha256: str | None) -> bytes:
    """The bytes, when they are those of the recorded hash.

    Raises:
        ObjectAltered: they are others.
    """
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ObjectAltered(key=key, reason=f"SHA-256 is {found[:16]}… in place of {sha256[:16]}…")
    return data


def _fault(key: str, parts: list[str]) -> str | None:
    if not key or key.startswith("/"):
        return "is empty or absolute"
    if any(part in ("", ".", "..") for part in parts):
        return "has an empty or a relative part"
    if parts[0] == INCOMING:
        return "lies where unfinished writes lie"
    if "\\" in key or any(ord(character) < 32 or ord(character) == 127 for character in key):
        return "holds a control character or a backslash"
    try:
        if len(key.encode()) > _KEY_BYTES or any(len(part.encode()) > _PART_BYTES for part in parts):
            return "is too long"
    except UnicodeEncodeError:
        return "is not Unicode text"
    return None
