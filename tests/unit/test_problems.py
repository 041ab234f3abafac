"""The HTTP face's table of errors is total."""

from farm.errors import FarmError, every_error
from serve_app.problems import problem_of, status_of


def test_every_error_has_a_status_and_becomes_a_problem() -> None:
    for kind in every_error():
        answer = problem_of(kind())
        assert answer.status_code == status_of(kind()), kind
        assert 400 <= answer.status_code < 600
        assert answer.media_type == "application/problem+json"


def test_what_may_work_later_is_said_with_a_status_that_says_so() -> None:
    """A retryable error is a 409, 424, 429, 500 or 503; a fault of the caller is not retryable."""
    for kind in every_error():
        status = status_of(kind())
        if kind.retryable:
            assert status in (409, 424, 429, 500, 503), kind
        if status in (400, 401, 403, 404, 410, 413, 415, 422):
            assert not kind.retryable, kind


def test_a_new_class_takes_its_ancestors_status() -> None:
    class Novel(FarmError):
        """Something new."""

    assert status_of(Novel()) == 500
