"""What the API answers, for its OpenAPI document; the farm's own records are sent as they are."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class JobError(_Open):
    """Why a job failed."""

    code: str = Field(examples=["blender_crashed"])
    message: str
    retryable: bool
    hint: str
    step: str | None = None


class ViewJson(_Open):
    """One camera angle of a job."""

    view: str = Field(examples=["front_0deg"])
    status: str = Field(examples=["rendering"], description="waiting, rendering or done")
    progress: float = Field(ge=0, le=1)
    attempts: int = Field(ge=0)
    url: str | None = None
    preview_url: str | None = Field(default=None, description="A relit picture, until the view's own is there.")
    seconds: float | None = None
    engine: str | None = Field(default=None, description="Who made it: cycles or relight.")
    cached: bool = Field(default=False, description="Whether it was made before and kept, not rendered now.")


class EngineJson(_Open):
    """How a job's pictures are made."""

    asked: str = Field(examples=["auto"], description="The request's engine.")
    chosen: str = Field(examples=["relight"], description="What it came to when the job was accepted.")
    bake: str | None = Field(default=None, description="Whose light a relit picture comes from.")
    delta_e: float | None = Field(default=None, description="The bake's measured mean ΔE00 inside the print.")
    why: str | None = None


class UsageJson(BaseModel):
    """What a job's pictures used; those from the result cache, and attempts that failed, are not counted."""

    cpu_s: float = Field(description="Seconds of one core.")
    gpu_s: float = Field(description="Seconds of one GPU.")


class Job(_Open):
    """A job's record."""

    id: str = Field(examples=["job_01kawr3v0000000000000000"])
    status: str = Field(description="pending, compositing, rendering, completed, failed or cancelled")
    phase: str = Field(description="forward, compensating or ended")
    step: str | None = None
    progress: float = Field(ge=0, le=100)
    eta_s: float | None = None
    product_id: str | None = None
    request: dict[str, Any]
    engine: EngineJson
    views: list[ViewJson]
    outputs: dict[str, str] = Field(description="Address of each output by its name.")
    warnings: list[dict[str, Any]]
    error: JobError | None = None
    usage: UsageJson | None = None
    cost: float | None = Field(default=None, description="By the prices at acceptance, in ``currency``.")
    currency: str | None = Field(default=None, examples=["USD"], description="As the operator names it.")
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    status_url: str
    events_url: str
    cancel_url: str


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[Job]
    cursor: str | None = Field(description="Hand it back for what follows; null at the end.")


class ForecastView(BaseModel):
    """A view of a job that was not submitted."""

    view: str = Field(examples=["front_0deg"])
    fingerprint: str | None = Field(
        description="Of all that determines the picture; equal ones are equal work. Null while a design is not fetched."
    )
    cached: bool = Field(description="Whether it is kept and would not be rendered.")


class DeletedJson(BaseModel):
    """A job that is no more."""

    id: str
    status: str = Field(examples=["deleted"])


class DryRun(BaseModel):
    """What a job would be, had it been submitted."""

    request: dict[str, Any]
    template: dict[str, Any]
    warnings: list[dict[str, Any]]
    designs: list[dict[str, Any]]
    engine: EngineJson
    views: list[ForecastView]
    frames_cached: int = Field(description="Frames of the film that are kept and would not be rendered.")
    core_s: float = Field(description="Core seconds of work, estimated.")
    estimated_seconds: float = Field(description="On as many cores as the service's machine has.")
    estimated_cost: float = Field(description="By the operator's price of a core, in ``currency``.")
    currency: str = Field(examples=["USD"])


class UploadJson(BaseModel):
    """Where to put the bytes, and as what to name them then."""

    id: str = Field(examples=["upl_01kawr3v0000000000000000"], description="For ``upload_id`` in a request.")
    method: str = Field(examples=["PUT"])
    url: str
    headers: dict[str, str] = Field(description="To be sent as they are.")
    size_bytes: int
    expires_s: int


class DesignJson(BaseModel):
    """A design that is kept by its content."""

    id: str = Field(examples=["dsn_01kawr3v00000000000000000a"], description="For ``design_id`` in a request.")
    sha256: str = Field(description="Of the file as it was sent.")
    size_bytes: int
    format: str = Field(examples=["png"], description="png or jpeg")
    width_px: int
    height_px: int
    alpha: bool = Field(description="Whether anything of it is transparent.")
    width_cm_at_300_dpi: float = Field(description="As wide it prints finely.")
    width_cm_at_150_dpi: float = Field(description="Wider it prints coarsely: jobs warn.")
    warnings: list[dict[str, Any]]
    sent_at: str
    expires_at: str | None = Field(description="Unless it is sent again; null: it is kept until it is deleted.")


class RunJson(_Open):
    """A catalogue run."""

    id: str = Field(examples=["run_01kawr3v0000000000000000"])
    name: str
    status: str = Field(description="running, paused, stopping, completed, failed or cancelled")
    manifest: str
    progress: float = Field(ge=0, le=100)
    eta_s: float | None = Field(None, description="Seconds left at the rate of late; null before that can be told.")
    rows: int
    rows_done: int = Field(description="Rows that have ended, slice by slice.")
    rows_made: int = Field(description="Rows whose pictures are made or that need none; moves with each row.")
    rows_per_s: float | None = None
    skipped: int
    counts: dict[str, Any] = Field(description="Rows by how they ended, why they failed, seconds and cost.")
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    status_url: str
    report_url: str
    cancel_url: str


class RunList(BaseModel):
    """Catalogue runs, newest first."""

    runs: list[RunJson]
    cursor: str | None = Field(description="Hand it back for what follows; null at the end.")


class PlanJson(_Open):
    """What a run would do; nothing was started."""

    lines: int
    rows: int
    bad: int
    unchanged: int
    to_render: int
    views: int
    seconds: float
    cost: float
    faults: list[dict[str, Any]]


class TemplateJson(_Open):
    """A garment."""

    id: str
    name: str
    version: str
    presets: list[str]


class FabricJson(BaseModel):
    """A fabric colour with a name."""

    name: str = Field(examples=["navy"])
    hex: str = Field(examples=["#1f2a44"])


class PresetJson(BaseModel):
    """A named place on a garment, in centimetres on its panel."""

    name: str
    template: str
    panel: str
    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float


class MediaJson(_Open):
    """A product's pictures."""

    id: str
    media: list[dict[str, Any]]
    thumbnail: str | None = None


class WebhookJson(BaseModel):
    """An endpoint that is told of the tenant's jobs."""

    id: str = Field(examples=["hook_0123456789abcdef01234567"])
    url: str = Field(examples=["https://shop.example/farm"])
    name: str
    events: list[str] = Field(examples=[["render.job.completed"]])
    status: str = Field(description="enabled or disabled")
    disabled_reason: str | None
    created_at: str
    last_delivered_at: str | None
    secrets: int = Field(description="How many secrets sign: two or more while one is being replaced.")


class NewWebhookJson(WebhookJson):
    """The endpoint with its secret, which no other answer holds."""

    secret: str = Field(description="Verifies `webhook-signature`; keep it.", examples=["whsec_…"])


class AttemptJson(BaseModel):
    """One try to deliver."""

    at: str
    took_s: float
    status: int | None = Field(description="The receiver's answer.")
    error: str | None


class DeliveryJson(BaseModel):
    """One event for one endpoint."""

    id: str = Field(description="The `webhook-id`, the same at every attempt.")
    webhook_id: str
    type: str = Field(examples=["render.job.completed"])
    job_id: str | None
    state: str = Field(description="pending, delivered, failed or abandoned")
    created_at: str
    next_attempt_at: str | None
    attempts: list[AttemptJson]
    body: dict[str, Any] = Field(description="The CloudEvent that is sent.")


class DeliveryList(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryJson]
    cursor: str | None = Field(description="Hand it back for what follows; null at the end.")


class Stats(BaseModel):
    """How many jobs there are, and how those of the last hour did."""

    jobs: dict[str, int] = Field(description="By status.")
    live: int = Field(description="That have not ended.")
    compensation_pending: int = Field(description="Failed, and waiting for somebody to finish undoing them.")
    window_s: float = Field(description="What the rates and times below are of.")
    sample: int = Field(description="Jobs that they are made of; of very many the newest.")
    per_hour: dict[str, float] = Field(description="Accepted, and ended by status.")
    seconds: dict[str, dict[str, float | None]] = Field(
        description="Percentiles: of `waiting` for the first step, of `working` to the end, of one `view`.",
        examples=[{"waiting": {"p50": 0.2, "p90": 1.4, "p99": 6.0}}],
    )


class RunningViewJson(_Open):
    """A view that renders now."""

    job_id: str
    view: str
    phase: str
    fraction: float
    product_id: str | None = None
    picture_url: str | None = Field(None, description="The last finished view of the same job.")


class NodeJson(_Open):
    """One machine."""

    id: str
    host: str
    cpus: float
    gpus: float
    slots: int = Field(description="Views it can render at once.")
    avoided: bool = Field(description="Left alone for a while after failures.")
    ailment: str = Field("", description="What failed there within the last day, in words.")
    trouble: str = Field(description="Why it may not be used; empty where nothing is wrong.")
    views: list[RunningViewJson]


class QueueJson(_Open):
    """Jobs of one priority that wait."""

    priority: int
    count: int
    oldest_s: float


class TroubledJson(_Open):
    """A job that needs a person."""

    id: str
    kind: str = Field(description="`compensation_pending` or `stuck`.", examples=["stuck"])
    status: str
    since: str
    message: str


class ClusterJson(_Open):
    """The farm at a glance."""

    seen: bool = Field(description="Whether any coordinator told of itself lately.")
    slots: int
    views_running: int
    views_waiting: int
    nodes: list[NodeJson]
    queue: list[QueueJson] = Field(description="The most urgent first.")
    leased: int = Field(description="Jobs that a coordinator drives.")
    lapsed: int = Field(description="Jobs whose coordinator has gone silent.")
    recent: dict[str, Any] = Field(description="The last hour: ends, failure rate, seconds of completed jobs.")
    troubled: list[TroubledJson]


class SessionJson(BaseModel):
    """A browser's session."""

    csrf: str = Field(description="To be sent as X-CSRF-Token with every write.")
    tenant: str
    scopes: list[str]
    design_max_bytes: int = Field(description="The largest design file, so that a page can say so before the upload.")
    design_max_pixels: int = Field(description="The most pixels of a design.")
    dpi_floor: float = Field(description="Prints under this are refused; 0: none.")
    manifest_max_bytes: int = Field(description="The largest manifest that can be sent with a form.")
    currency: str = Field(examples=["USD"], description="Of every cost.")


class Health(BaseModel):
    """Each dependency with its state."""

    status: str = Field(examples=["ok"])
    checks: dict[str, str]
