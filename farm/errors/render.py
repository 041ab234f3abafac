"""A picture or a model could not be made; the next attempt may succeed."""

from farm.errors.base import FarmError


class RenderError(FarmError):
    """View {view} could not be rendered: {reason}."""

    code = "render_error"
    retryable = True
    hint = "The farm tries again on another worker; see the task's log if it keeps failing."


class ViewTimedOut(RenderError):
    """View {view} took longer than {limit_s:g} s."""

    code = "view_timed_out"
    hint = "Lower samples or size, or raise FARM_VIEW_TIMEOUT_S."


class ViewStalled(RenderError):
    """View {view} made no progress for {limit_s:g} s; its Blender was killed."""

    code = "view_stalled"


class AttemptOvertaken(RenderError):
    """View {view} is another attempt's by now: the lease of this one is gone."""

    code = "attempt_overtaken"
    hint = "Nothing to do: the attempt that has the lease goes on."


class BlenderCrashed(RenderError):
    """Blender died while rendering {view}: {reason}."""

    code = "blender_crashed"


class OutOfMemory(RenderError):
    """The node ran out of memory while rendering {view}."""

    code = "out_of_memory"
    hint = "Lower size, or give render tasks more memory (FARM_RENDER_MEMORY_BYTES)."


class GpuOutOfMemory(RenderError):
    """The GPU ran out of memory while rendering {view}."""

    code = "gpu_out_of_memory"
    hint = "Lower size or samples, or use nodes with more GPU memory."


class BadPicture(RenderError):
    """The picture of {view} failed its verdict: {reason}."""

    code = "bad_picture"
    hint = "A view is rendered again, up to FARM_VIEW_ATTEMPTS times; if it keeps failing, report the design."


class BadModel(RenderError):
    """The 3D model failed its verdict: {reason}."""

    code = "bad_model"
    hint = "The farm builds it again; if it keeps failing, ask for no model (model=false) and report the design."


class DiskFull(RenderError):
    """No space left on the device for {what}."""

    code = "disk_full"
    hint = "Free space on the node; other nodes go on."
