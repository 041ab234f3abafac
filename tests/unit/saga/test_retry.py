from random import Random

import pytest

from farm.errors import InfrastructureError, InvalidRequest
from farm.saga.retry import NO_RETRY, RetryPolicy

POLICY = RetryPolicy(max_attempts=5, base_s=1.0, factor=2.0, max_wait_s=5.0)
WEATHER = InfrastructureError(reason="the weather")


def wait(policy: RetryPolicy, error: Exception = WEATHER, *, failures: int = 1, elapsed_s: float = 0.0) -> float | None:
    return policy.wait_s(error, failures=failures, elapsed_s=elapsed_s, rng=Random(7))


def test_the_bound_doubles_up_to_its_limit() -> None:
    assert [POLICY.bound_s(n) for n in (1, 2, 3, 4, 5000)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_jitter_is_full() -> None:
    rng = Random(1)
    waits = [POLICY.wait_s(WEATHER, failures=3, elapsed_s=0.0, rng=rng) for _ in range(400)]
    numbers = [wait_s for wait_s in waits if wait_s is not None]
    assert len(numbers) == 400
    assert min(numbers) < 0.1
    assert 3.9 < max(numbers) <= 4.0


def test_attempts_end() -> None:
    assert wait(POLICY, failures=4) is not None
    assert wait(POLICY, failures=5) is None
    assert wait(NO_RETRY) is None


@pytest.mark.parametrize("error", [InvalidRequest(reason="hopeless"), ValueError("a defect")])
def test_only_errors_that_say_so_are_tried_again(error: Exception) -> None:
    assert wait(POLICY, error) is None


def test_the_time_budget_ends_it_too() -> None:
    policy = RetryPolicy(max_attempts=99, base_s=10.0, budget_s=100.0)
    assert wait(policy, elapsed_s=80.0) is not None
    assert wait(policy, elapsed_s=100.0) is None


def test_a_service_that_names_its_time_is_obeyed() -> None:
    busy = InfrastructureError(reason="busy", retry_after_s=42.0)
    assert wait(POLICY, busy) == 42.0
