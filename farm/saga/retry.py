"""When to try again: exponential backoff with full jitter, within a budget of attempts and of time."""

from dataclasses import dataclass
from random import Random

from farm.errors import FarmError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a step is tried.

    Attributes:
        max_attempts: failures after which the step is given up. An attempt cut short by a crash of the coordinator is
            not a failure of the step and does not count.
        base_s: upper bound of the first wait; each further one is ``factor`` times that, never above ``max_wait_s``.
        budget_s: no attempt starts later than this after the first; ``None`` is no bound.
    """

    max_attempts: int = 3
    base_s: float = 1.0
    factor: float = 2.0
    max_wait_s: float = 60.0
    budget_s: float | None = None

    def bound_s(self, failures: int) -> float:
        """The longest wait after so many failures (from 1)."""
        # The exponent is capped because a float overflows long before anybody waits that long.
        return min(self.max_wait_s, self.base_s * self.factor ** min(failures - 1, 64))

    def wait_s(self, error: BaseException, *, failures: int, elapsed_s: float, rng: Random) -> float | None:
        """Seconds until the next attempt, or ``None`` when there is none.

        Full jitter: anywhere between zero and the bound, so that a thousand sagas that failed together do not come back
        together. An error with a ``retry_after_s`` of its own is waited for at least that long.

        Args:
            error: what the attempt failed of; only errors that call themselves retryable are tried again.
            failures: how often the step has failed, this time included.
            elapsed_s: time since the step's first attempt began.
            rng: source of the jitter.
        """
        if not is_retryable(error) or failures >= self.max_attempts:
            return None
        wait_s = rng.uniform(0.0, self.bound_s(failures))
        asked_s = getattr(error, "retry_after_s", None)
        if asked_s is not None:
            wait_s = max(wait_s, float(asked_s))
        if self.budget_s is not None and elapsed_s + wait_s > self.budget_s:
            return None
        return wait_s


NO_RETRY = RetryPolicy(max_attempts=1)
PATIENT = RetryPolicy(max_attempts=8, base_s=1.0, max_wait_s=30.0)
"""For compensations: a saga that cannot be undone needs a person."""


def is_retryable(error: BaseException) -> bool:
    """Only a `FarmError` that says so: an unknown error is a defect, and repeating a defect helps nobody."""
    return isinstance(error, FarmError) and error.retryable
