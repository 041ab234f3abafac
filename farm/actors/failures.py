"""What Ray says when a task fails, as the farm's own errors."""

from ray import exceptions

from farm.errors import (
    AttemptOvertaken,
    BadModel,
    BadPicture,
    BlenderCrashed,
    ClusterUnavailable,
    DiskFull,
    FarmError,
    InfrastructureError,
    OutOfMemory,
    RenderError,
)


def translated(error: BaseException, name: str, *, node_id: str = "", last_words: str = "") -> FarmError:
    """The error of a task as what it means for view ``name``.

    Args:
        node_id: where it ran, if it is known that it ran.
        last_words: what a dead worker left behind.
    """
    match error:
        case exceptions.RayTaskError():
            cause = error.cause
            if isinstance(cause, FarmError):
                return cause
            return RenderError(view=name, reason=f"{type(cause).__name__}: {cause}", node=node_id)
        case FarmError():
            return error
        case exceptions.OutOfMemoryError():
            return OutOfMemory(view=name, reason=_line(error), node=node_id)
        case exceptions.OutOfDiskError() | exceptions.ObjectStoreFullError():
            return DiskFull(view=name, reason=_line(error), what="Ray's objects", node=node_id)
        case exceptions.WorkerCrashedError() | exceptions.TaskCancelledError():
            return BlenderCrashed(view=name, reason=last_words or "it was killed and left no word", node=node_id)
        case exceptions.NodeDiedError() | exceptions.LocalRayletDiedError() | exceptions.ObjectLostError():
            return BlenderCrashed(view=name, reason=f"its node was lost ({type(error).__name__})", node=node_id)
        case exceptions.TaskUnschedulableError() | exceptions.RuntimeEnvSetupError():
            return ClusterUnavailable(reason=_line(error))
        case exceptions.RayError():
            return ClusterUnavailable(reason=f"{type(error).__name__}: {_line(error)}")
    return InfrastructureError(reason=f"{type(error).__name__}: {_line(error)}")


def blames_node(error: FarmError) -> bool:
    """Whether the failure speaks against the node it happened on."""
    if isinstance(error, BadPicture | BadModel | AttemptOvertaken):
        return False  # the picture would be as bad elsewhere; a lease is lost anywhere
    if isinstance(error, DiskFull):
        return "key" not in error.fields  # an object's: the store is full, whoever writes to it
    return isinstance(error, RenderError)


def _line(error: BaseException) -> str:
    """The first line that says something, short enough for a journal."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
