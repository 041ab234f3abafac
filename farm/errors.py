"""Every error the farm raises on purpose, as one hierarchy.

An error says four things to whoever meets it: a stable ``code`` (documented, never renamed), whether a retry
may help (``retryable``), what to do about it (``hint``), and a message built from its keyword-only fields.
The message template is the first line of the class's docstring, so reading the class is reading the error. A hint is a
template too: it names what is concerned, so that a command in it can be copied.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class FarmError(Exception):
    """Something went wrong in the farm."""

    code: ClassVar[str] = "farm_error"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "See the job's log for the cause."

    def __init__(self, **fields: Any) -> None:
        self.fields: Mapping[str, Any] = fields
        template = (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        message = template.format_map(_Fields(fields))
        # A reason that is a sentence itself would end the message with two full stops.
        super().__init__(message[:-1] if message.endswith("..") and not message.endswith("...") else message)
        self.__dict__["hint"] = type(self)._hint(fields).format_map(_Named(fields))

    @classmethod
    def _hint(cls, fields: Mapping[str, Any]) -> str:
        """The hint's template, where what is concerned decides it."""
        return cls.hint

    def __reduce__(self) -> tuple[Any, ...]:
        # A keyword-only exception does not survive pickling by itself, and would arrive from a Ray task as garbage.
        return _rebuild, (type(self), dict(self.fields))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def message(self) -> str:
        """The sentence a person reads."""
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """The error as it stands in journals, job records and HTTP answers."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable, "hint": self.hint}


class _Fields(dict[str, Any]):
    """Fields for a message template: one that was not given reads as ``?``, whatever its format."""

    def __missing__(self, key: str) -> "_Unknown":
        return _Unknown()


class _Named(dict[str, Any]):
    """Fields for a hint: one that was not given stands in capitals, as in the help of a command."""

    def __missing__(self, key: str) -> str:
        return key.removesuffix("_id").upper()


class _Unknown:
    def __format__(self, spec: str) -> str:
        return "?"

    def __repr__(self) -> str:
        return "?"


def _rebuild(cls: type[FarmError], fields: dict[str, Any]) -> FarmError:
    return cls(**fields)


# --- what the caller did -------------------------------------------------------------------------------------------


class InvalidRequest(FarmError):
    """The request is not valid: {reason}."""

    code = "invalid_request"
    hint = "Correct the named field and send the request again."


class HostNotServed(InvalidRequest):
    """This service does not answer to the host name {host!r}."""

    code = "host_not_served"
    hint = "Ask under a name that stands in FARM_HTTP_HOSTS, or have the operator add this one."


class BackupBroken(InvalidRequest):
    """The backup {path} cannot be used: {reason}."""

    code = "backup_broken"
    hint = "Take an older backup; nothing was changed."


class BadDesign(InvalidRequest):
    """The design file cannot be used: {reason}."""

    code = "bad_design"
    hint = "Send a PNG or JPEG that an ordinary viewer opens."


class DesignNotAnImage(BadDesign):
    """The design is not a PNG or JPEG: {reason}."""

    code = "design_not_an_image"
    hint = "Export the design as PNG (best, keeps transparency) or JPEG."


class DesignTooLarge(BadDesign):
    """The design has {size_bytes} bytes, more than the {limit_bytes} allowed."""

    code = "design_too_large"
    hint = "Compress the file, or ask the operator to raise FARM_DESIGN_MAX_BYTES."


class DesignTooManyPixels(BadDesign):
    """The design is {width_px} x {height_px} pixels, more than the {limit_px} pixels allowed."""

    code = "design_too_many_pixels"
    hint = "Scale the design down: 3600 x 4800 pixels fill the print area at 300 DPI."


class DesignTruncated(BadDesign):
    """The design file is damaged or ends early: {reason}."""

    code = "design_truncated"
    hint = "Export the file again and upload the whole of it."


class DesignDecodeFailed(BadDesign):
    """Reading the design was stopped: {reason}."""

    code = "design_decode_failed"
    hint = "The file asks for more memory or time than a design needs; export it again as a plain PNG."


class DesignNotFound(BadDesign):
    """There is no design at {address}."""

    code = "design_not_found"
    hint = "Check the path or the address; relative ones are relative to the manifest."


class FetchRefused(InvalidRequest):
    """{address} may not be fetched: {reason}."""

    code = "fetch_refused"
    hint = "Use a public https address, or ask the operator to add the host to FARM_FETCH_HOSTS."


class SharePage(FetchRefused):
    """{address} is no file: {reason}."""

    code = "share_page"
    hint = "Give an address behind which the file itself lies, as a browser's private window would download it."


class WebhookRefused(InvalidRequest):
    """Nothing may be sent to {address}: {reason}."""

    code = "webhook_refused"
    hint = "Use a public https address, or ask the operator to add the host to FARM_WEBHOOK_HTTP_HOSTS."


class ManifestBroken(InvalidRequest):
    """The manifest {address} cannot be read: {reason}."""

    code = "manifest_broken"
    hint = (
        "Give it as Parquet, CSV with a header, or JSON; gzip is fine for text. docs/catalogues.md says how it is read."
    )


class LowResolution(InvalidRequest):
    """The print would have {dpi:.0f} DPI, under the floor of {floor_dpi:.0f} DPI."""

    code = "low_resolution"
    hint = "Send a larger design, or print it smaller."


class PrintOffCloth(InvalidRequest):
    """Nothing of the print would show: {reason}."""

    code = "print_off_cloth"
    hint = "Move the print onto the panel: its centre is x_cm and y_cm, in cm from the middle of the collar seam."


class InvalidSettings(FarmError):
    """{variable}={value!r} is not usable: {reason}."""

    code = "invalid_settings"
    hint = "Correct the variable in the environment or in farm.toml."


class NotFound(FarmError):
    """There is no {kind} {id!r}."""

    code = "not_found"
    hint = "Check the id; list what there is first."

    @classmethod
    def _hint(cls, fields: Mapping[str, Any]) -> str:
        return _LISTS.get(str(fields.get("kind")), cls.hint)


_LISTS = {
    "job": "Check the id; `farm jobs list --find TEXT` finds it by a part of it, or by its product.",
    "product": "Check the id; `farm products list` has all, `farm products create` makes one.",
    "template": "Check the name; `farm template list` has all.",
    "run": "Check the id; `farm catalog list` has all.",
    "webhook": "Check the id; `farm webhooks list` has all.",
    "delivery": "Check the id; `farm webhooks deliveries` has those that are kept.",
    "key": "Check the id; `farm keys list` has all.",
}


class DesignUnknown(NotFound):
    """There is no design {id!r}."""

    code = "design_unknown"
    hint = "Send it by POST /v1/designs: the same file has the same id again, for as long as FARM_DESIGN_DAYS says."

    @classmethod
    def _hint(cls, fields: Mapping[str, Any]) -> str:
        return cls.hint


class DesignDeleted(FarmError):
    """The design {id} was deleted."""

    code = "design_deleted"
    hint = "Send it by POST /v1/designs again if it is to be shown: it gets the same id."


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


class DesignGone(FarmError):
    """The design of job {job_id} is no longer kept."""

    code = "design_gone"
    hint = "Submit the design again."


# --- who asked, and how often ---------------------------------------------------------------------------------------


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


class IdempotencyMismatch(InvalidRequest):
    """This Idempotency-Key came with another request before."""

    code = "idempotency_mismatch"
    hint = "Use a new key for a new request; the same key only to repeat the very same one."


class StillInFlight(Conflict):
    """The first request with this Idempotency-Key is still being worked on."""

    code = "still_in_flight"
    retryable = True
    hint = "Wait for the seconds in Retry-After, then send the same request again."


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


class BodyTooLarge(InvalidRequest):
    """The request has more than the {limit_bytes} bytes allowed."""

    code = "body_too_large"
    hint = "Send less; big designs go straight to the object store by POST /v1/uploads."


# --- what the picture did -------------------------------------------------------------------------------------------


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


class TemplateBroken(FarmError):
    """Template {template!r} cannot be used: {reason}."""

    code = "template_broken"
    hint = "Run `farm template check {template}`; build or add the template again."


class TemplateRefused(InvalidRequest):
    """{file} cannot become a template: {reason}."""

    code = "template_refused"
    hint = "Mend what is named in Blender, save, and add it again; docs/templates.md has the list."

    def to_dict(self) -> dict[str, Any]:
        """With every reason by itself."""
        return {**super().to_dict(), "reasons": list(self.fields.get("reasons", ()))}


class TemplateChildFailed(FarmError):
    """Blender could not work on the template: {reason}."""

    code = "template_child_failed"
    hint = "Look at what it said last; `farm doctor` tells whether Blender runs here at all."


class BakeMissing(FarmError):
    """There is no bake of {template!r} for {view} at {size_px} px."""

    code = "bake_missing"
    hint = "Run `farm template bake {template}` once (--size for pictures over 1024 px); engine=cycles needs no bake."


class FilmBakeMissing(BakeMissing):
    """There is no bake of {template!r} for a film of {frames} frames at {size_px} px."""

    code = "film_bake_missing"
    hint = "Run `farm template bake {template} --film`, or leave the film to the path tracer with engine=auto."


class BakeTooSmall(FarmError):
    """A picture of {size_px} px cannot be relit from a bake of {baked_px} px."""

    code = "bake_too_small"
    hint = "Bake the template at that size: `farm template bake {template} --size {size_px}`."


class BakeBroken(FarmError):
    """A bake cannot be used: {bake}: {reason}."""

    code = "bake_broken"
    hint = "Bake the template again: `farm template bake {template} --force`."


# --- what the world did ---------------------------------------------------------------------------------------------


class InfrastructureError(FarmError):
    """A service the farm needs failed: {reason}."""

    code = "infrastructure_error"
    retryable = True
    hint = "The farm tries again by itself; check the named service."


class StoreUnavailable(InfrastructureError):
    """The journal's store does not answer: {reason}."""

    code = "store_unavailable"
    hint = "Check FARM_REDIS_URL and that the server is up; no job is lost meanwhile."


class StoreNotWritable(StoreUnavailable):
    """The journal's store takes no writes now: {reason}."""

    code = "store_not_writable"
    hint = "After a failover this passes by itself; else look at the server's role, replicas, memory, disk and ACL."


class StoreUnfit(StoreUnavailable):
    """The journal's store cannot be trusted with a job: {reason}."""

    code = "store_unfit"
    hint = "Run `farm doctor`."


class StoreNotDurable(StoreUnfit):
    """The journal's store keeps nothing on disk: {reason}."""

    code = "store_not_durable"
    hint = "Set appendonly yes on the server that FARM_REDIS_URL reaches, on its replicas too, or name another server."


class StoreTooOld(StoreUnfit):
    """The journal's store cannot say when a write is on disk: {reason}."""

    code = "store_too_old"
    hint = "Use Redis 7.2 or newer, or Valkey, and allow WAITAOF; or set appendfsync always and allow CONFIG GET."


class StoreEvicts(StoreUnfit):
    """The journal's store may throw away what it was given: {reason}."""

    code = "store_evicts"
    hint = "Set maxmemory-policy noeviction on the server, and on its replicas."


class StorageUnavailable(InfrastructureError):
    """The object store does not answer: {reason}."""

    code = "storage_unavailable"
    hint = "Check FARM_STORAGE_URL and the service behind it."


class StorageForbidden(InfrastructureError):
    """The object store refused access to {key}: {reason}."""

    code = "storage_forbidden"
    retryable = False
    hint = "Check the credentials and the bucket's policy: the farm needs get, put, list and delete."


class ObjectMissing(InfrastructureError):
    """The object {key} is not there."""

    code = "object_missing"


class ObjectAltered(InfrastructureError):
    """The object {key} is not what was written: {reason}."""

    code = "object_altered"


class ShopUnavailable(InfrastructureError):
    """The shop does not answer: {reason}."""

    code = "shop_unavailable"
    hint = "Check FARM_SHOP_URL and the shop."


class ShopRefused(InfrastructureError):
    """The shop refused the change of product {product_id}: {reason}."""

    code = "shop_refused"
    retryable = False
    hint = "Correct the product in the shop, then retry the job."


class FetchFailed(InfrastructureError):
    """Fetching {address} failed: {reason}."""

    code = "fetch_failed"
    hint = "Check the address and the server behind it, then retry the job or the run: it is fetched again."


class WebhookFailed(InfrastructureError):
    """{address} did not take the delivery: {reason}."""

    code = "webhook_failed"
    hint = "Check the receiver; the farm tries again for more than a day, and `farm webhooks replay` at any time."


class ClusterUnavailable(InfrastructureError):
    """Ray is not usable: {reason}."""

    code = "cluster_unavailable"
    hint = "Run `farm doctor`."


class FarmStarting(InfrastructureError):
    """The service is not there yet, or not there again: {reason}."""

    code = "farm_starting"
    hint = "Send it again after Retry-After seconds, with the same id or Idempotency-Key; accepted jobs go on."


class VersionMismatch(ClusterUnavailable):
    """A node runs version {found} of the farm, and the farm is at {wanted}."""

    code = "version_mismatch"
    retryable = False
    hint = "Install one version of the farm on every node, then retry the job."


class MissingLibrary(InfrastructureError):
    """Blender cannot start: {reason}."""

    code = "missing_library"
    retryable = False
    hint = "Run `farm doctor`: it names the packages to install."


class ShopForbidden(ShopRefused):
    """The shop does not accept the farm: {reason}."""

    code = "shop_forbidden"
    hint = "Set FARM_SHOP_API_KEY to a valid secret API key of the shop."


# --- what the saga did ----------------------------------------------------------------------------------------------


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


def every_error(root: type[FarmError] = FarmError) -> list[type[FarmError]]:
    """All error classes below ``root``, itself included, in the order of their definition."""
    found: list[type[FarmError]] = [root]
    for child in root.__subclasses__():
        found.extend(every_error(child))
    return found


def describe(error: BaseException) -> dict[str, Any]:
    """Any exception as the ``error`` member of a job: a `FarmError` speaks for itself, others are infrastructure."""
    if isinstance(error, FarmError):
        return error.to_dict()
    reason = f"{type(error).__name__}: {error}"
    return InfrastructureError(reason=reason[:500]).to_dict()


__all__ = [name for name, value in globals().items() if isinstance(value, type) and issubclass(value, BaseException)]
__all__ += ["describe", "every_error"]
