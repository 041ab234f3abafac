"""What a Redis server's refusals mean: which are states of the server that pass, and which are the farm's own fault."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from farm.errors import FarmError, SagaError, StoreNotDurable, StoreNotWritable, StoreTooOld, StoreUnavailable

REPLICA_WORDS = "WAITAOF cannot be used with replica"
NO_FILE_WORDS = "WAITAOF cannot be used when numlocal is set but appendonly is disabled"
UNKNOWN_WORDS = "unknown command"
_IN_PIPELINE = " of pipeline caused error: "
_NOT_HERE = (ReadOnlyError, MasterDownError, ClusterDownError, BusyLoadingError, AuthenticationError)
_NOT_HERE_WORDS = (
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOREPLICAS",
    "NOAUTH",
    "UNBLOCKED",
    REPLICA_WORDS,
)
"""Another server, or this one in another state, would take it: by the client's classes, and those it has none for."""
_NOT_NOW = (OutOfMemoryError, NoPermissionError, TryAgainError)
_NOT_NOW_WORDS = ("MISCONF", "BUSY", "OOM", "NOPERM", "ACL failure")
"""This server may take it later, on this very connection."""


def leaves(error: Exception) -> bool:
    """Whether a connection that heard this should be given up: the server is not what it was when it was asked last."""
    return isinstance(error, _NOT_HERE) or said(error).startswith((*_NOT_HERE_WORDS, NO_FILE_WORDS))


def fault_of(error: Exception) -> FarmError:
    """The farm's error for the driver's."""
    text = said(error)[:300]
    if text.startswith(NO_FILE_WORDS):
        fault: FarmError = StoreNotDurable(reason="its append-only file is off")
    elif isinstance(error, ResponseError) and UNKNOWN_WORDS in text and "WAITAOF" in text:
        fault = StoreTooOld(reason="it has no WAITAOF")
    elif isinstance(error, AuthenticationError):
        fault = StoreUnavailable(reason=f"it does not know us: {text}")
    elif leaves(error) or isinstance(error, _NOT_NOW) or text.startswith(_NOT_NOW_WORDS):
        fault = StoreNotWritable(reason=_coded(error, text))
    elif isinstance(error, ResponseError):
        fault = SagaError(reason=f"Redis refused: {text}")
    else:
        fault = StoreUnavailable(reason=text)
    fault.__cause__ = error
    return fault


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors become the farm's."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise fault_of(error) from error


def said(error: Exception) -> str:
    """What the server said, without what the client puts before it where the command was one of a pipeline."""
    text = str(error)
    inner = text.partition(_IN_PIPELINE)[2].strip("(),'\"")
    return inner or text or type(error).__name__


def _coded(error: Exception, text: str) -> str:
    """With the server's own word for it, by which an operator finds it."""
    code = getattr(error, "status_code", None)
    return text if not code or text.startswith(code) else f"{code} {text}"
