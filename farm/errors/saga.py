"""A job's saga failed, or has to stop."""

from typing import Any

from farm.errors.base import FarmError


class SagaError(FarmError):
    """The saga failed: {reason}."""

    code = "saga_error"


class StepTimedOut(SagaError):
    """Step {step} took longer than {limit_s:g} s."""

    code = "step_timed_out"
    retryable = True
    hint = "The farm tries the step again; raise its time limit if it is honest work."


class StepExhausted(SagaError):
    """Step {step} failed {attempts} times; the last time: {reason}."""

    code = "step_exhausted"


class ViewExhausted(SagaError):
    """View {view} failed {attempts} times; the last time: {reason}."""

    code = "view_exhausted"

    def to_dict(self) -> dict[str, Any]:
        """With the last failure as ``cause``: its code and hint are what helps."""
        return {**super().to_dict(), "cause": self.fields.get("cause", {})}


class JobHopeless(SagaError):
    """{failures} attempts of this job failed, more than the {limit} it may have; the last time: {reason}."""

    code = "job_hopeless"

    def to_dict(self) -> dict[str, Any]:
        """With the last failure as ``cause``: its code and hint are what helps."""
        return {**super().to_dict(), "cause": self.fields.get("cause", {})}


class CompensationFailed(SagaError):
    """Undoing step {step} failed: {reason}."""

    code = "compensation_failed"
    retryable = True
    hint = "Mend the cause, then run `farm jobs compensate {job_id}`."


class DeadlineExceeded(SagaError):
    """The job did not end within {limit_s:g} s."""

    code = "deadline_exceeded"
    hint = "Raise FARM_JOB_DEADLINE_S, or add capacity."


class RunStopped(SagaError):
    """The run was stopped: {failed} rows failed, more than the {limit} it may have."""

    code = "run_stopped"
    hint = "Look into the report (`farm catalog report {run}`), mend the rows, and run `farm catalog retry {run}`."


class FailpointReached(SagaError):
    """Failpoint {point} was reached."""

    code = "failpoint_reached"
    retryable = True
    hint = "This is a drill: unset FARM_FAILPOINTS."


class Fenced(BaseException):
    """This coordinator no longer holds the lease: stop at once, touch nothing.

    Not an `Exception`, so that no ``except Exception`` in a step can swallow it.
    """
