"""What botocore raises, in the farm's words: retry, wait, or mend the set-up."""

from contextlib import AbstractContextManager
from functools import partial

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from urllib3.exceptions import HTTPError

from farm.adapters.border import border, said
from farm.errors import FarmError, ObjectMissing, StorageForbidden, StorageUnavailable

_MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    TokenRetrievalError,
)
# These come with a status of 4xx, and yet the same request may succeed when it is sent again.
_PASSING = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "OperationAborted",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentSHA256Mismatch",
    }
)
_PASSING_STATUS = frozenset({408, 409, 425, 429})


def translated(key: str) -> AbstractContextManager[None]:
    """Raises `FarmError`s where botocore, urllib3, the socket or anything below raise theirs."""
    return border(partial(farm_error, key), ClientError, BotoCoreError, HTTPError, OSError)


def is_missing(error: ClientError) -> bool:
    """Whether the server says that the object is not there (a missing bucket is another matter)."""
    return error.response.get("Error", {}).get("Code", "") in _MISSING


def farm_error(key: str, error: Exception) -> FarmError:
    """The farm's error for one of the driver's."""
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return refusal(key, answer.get("Code", ""), answer.get("Message", ""), status)
    if isinstance(error, _CREDENTIALS):
        return StorageForbidden(key=key, reason=f"no usable credentials: {said(error)}")
    if isinstance(error, ParamValidationError):
        return StorageForbidden(key=key, reason=f"the request is not valid: {said(error)}")
    return StorageUnavailable(reason=f"{key}: {type(error).__name__}: {said(error)}")


def refusal(key: str, code: str, message: str, status: int) -> FarmError:
    """The farm's error for an S3 error code, from a whole answer or from one line of a batch's."""
    reason = f"{code or status} {message}".strip()
    if code in _MISSING:
        return ObjectMissing(key=key)
    if 400 <= status < 500 and status not in _PASSING_STATUS and code not in _PASSING:
        return StorageForbidden(key=key, reason=reason)
    return StorageUnavailable(reason=f"{key}: {reason}")
