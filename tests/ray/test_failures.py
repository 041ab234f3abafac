"""Every way in which Ray reports a failed task, as the farm's own error."""
# mypy: disallow-untyped-calls=False

import errno

import pytest

from farm.domain.view import View
from farm.errors import (
    BadPicture,
    BlenderCrashed,
    ClusterUnavailable,
    DiskFull,
    FarmError,
    OutOfMemory,
    RenderError,
    ViewStalled,
    ViewTimedOut,
)


def ray_error(name: str) -> BaseException:
    from ray import exceptions

    match name:
        case "RayTaskError":
            return exceptions.RayTaskError("render", "traceback", KeyError("floor"))
        case "RayTaskError(BadPicture)":
            cause = BadPicture(view="front_0deg", reason="blank: transparent")
            seen_by_the_caller: BaseException = exceptions.RayTaskError(
                "render", "traceback", cause
            ).as_instanceof_cause()
            return seen_by_the_caller
        case "NodeDiedError" | "OutOfMemoryError" | "OutOfDiskError" | "TaskUnschedulableError":
            error: BaseException = getattr(exceptions, name)("it says so")
            return error
        case "RuntimeEnvSetupError":
            return exceptions.RuntimeEnvSetupError("it says so")
        case _:
            other: BaseException = getattr(exceptions, name)()
            return other


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RayTaskError(BadPicture)", BadPicture),
        ("RayTaskError", RenderError),
        ("WorkerCrashedError", BlenderCrashed),
        ("TaskCancelledError", BlenderCrashed),
        ("NodeDiedError", BlenderCrashed),
        ("LocalRayletDiedError", BlenderCrashed),
        ("OutOfMemoryError", OutOfMemory),
        ("OutOfDiskError", DiskFull),
        ("TaskUnschedulableError", ClusterUnavailable),
        ("RuntimeEnvSetupError", ClusterUnavailable),
    ],
)
def test_it_is_typed_retryable_and_survives_a_journal(cluster: None, name: str, expected: type[FarmError]) -> None:
    from farm.actors.failures import translated

    error = translated(ray_error(name), View.FRONT, node_id="n1")
    assert type(error) is expected
    assert error.retryable
    assert "?" not in error.message
    again = type(error)(**error.fields)
    assert again.to_dict() == error.to_dict()


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (ViewStalled(view="front_0deg", limit_s=60, reason="stuck"), True),
        (ViewTimedOut(view="front_0deg", limit_s=300, reason="late"), True),
        (BlenderCrashed(view="front_0deg", reason="it was killed"), True),
        (DiskFull(view="front_0deg", reason="No space left on device", what="a texture"), True),
        (BadPicture(view="front_0deg", reason="blank"), False),
        (ClusterUnavailable(reason="no node"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_node_is_blamed_for_what_happened_on_it_alone(error: FarmError, blamed: bool) -> None:
    from farm.actors.failures import blames_node

    assert blames_node(error) is blamed


def test_no_node_is_blamed_for_an_object_store_that_is_full() -> None:
    from farm.actors.failures import blames_node
    from farm.adapters.file_store import _farm_error

    full = _farm_error("t/default/a.png", OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(full, DiskFull)
    assert not blames_node(full)
    assert not blames_node(DiskFull(**{**full.fields, "view": "front_0deg"}))  # as the view's task raises it
