"""What was asked for cannot be done in the present state."""

from farm.errors.base import FarmError


class Conflict(FarmError):
    """That cannot be done now: {reason}."""

    code = "conflict"
    hint = "Look at the present state, then decide again."


class AlreadyExists(Conflict):
    """A {kind} {id!r} exists already."""

    code = "already_exists"
    hint = "Use another id, or read the one that is there."


class IllegalTransition(Conflict):
    """A job that is {current} cannot become {wanted}."""

    code = "illegal_transition"


class JobEnded(Conflict):
    """Job {job_id} has already ended: {status}."""

    code = "job_ended"
    hint = "`farm jobs retry {job_id}` makes it anew, `farm jobs delete {job_id}` removes it."


class StillInFlight(Conflict):
    """The first request with this Idempotency-Key is still being worked on."""

    code = "still_in_flight"
    retryable = True
    hint = "Wait for the seconds in Retry-After, then send the same request again."
