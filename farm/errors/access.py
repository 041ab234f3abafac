"""Who asked, and how often."""

from farm.errors.base import FarmError


class Unauthorised(FarmError):
    """No valid key came with the request: {reason}."""

    code = "unauthorised"
    hint = "Send `Authorization: Bearer <key>`; `farm keys create` makes one."


class Forbidden(FarmError):
    """This key may not do that: {reason}."""

    code = "forbidden"
    hint = "Use a key with the scope that is named."


class PriorityTooHigh(Forbidden):
    """This key's jobs may have a priority of at most {limit}, not {priority}."""

    code = "priority_too_high"
    hint = "Send a lower priority, or none; `farm keys create --max-priority` makes a key that may do more."


class PictureSignatureWrong(Forbidden):
    """This picture's address was not signed so: {reason}."""

    code = "picture_signature_wrong"
    hint = "Every character of an address counts: sign it anew with `farm pictures url`."


class PictureKeyRetired(Forbidden):
    """The key {key} that signed this picture's address no longer holds."""

    code = "picture_key_retired"
    hint = "Sign the address anew with the tenant's present key: `farm pictures key show`."


class PictureExpired(FarmError):
    """This picture's address held until {until}."""

    code = "picture_expired"
    hint = "Sign it anew with `farm pictures url`, with a later --expires, or none."


class TooManyRequests(FarmError):
    """More than {limit} {what} in {window}."""

    code = "too_many_requests"
    retryable = True
    hint = "Slow down: wait for the seconds in Retry-After."


class QueueFull(FarmError):
    """The farm has {live} jobs waiting or running, and takes no more than {limit}."""

    code = "queue_full"
    retryable = True
    hint = "Nothing was accepted; wait for the seconds in Retry-After, then send it again."
