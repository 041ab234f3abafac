"""What rendering needs of the world, as small ports owned here; adapters live in `farm.adapters` and `farm.actors`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from farm.domain.access import ApiKey, Principal
from farm.domain.artifact import Artifact
from farm.domain.picture_ring import PictureRing
from farm.domain.signing import SigningSecret
from farm.render.tasks.heartbeat import Shares
from farm.saga.lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What the store says of one object, without its bytes."""

    key: str
    size_bytes: int
    modified_s: float


class ObjectStore(Protocol):
    """Bytes by key. Blocking: render tasks call it directly, async code through a thread.

    Every method raises `StorageUnavailable` (retryable), `StorageForbidden`, `DiskFull` or `ObjectMissing`.
    """

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        """Write, all or nothing, replacing what was there; returns the SHA-256 of the bytes, hexadecimal."""
        ...

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        """Read; with ``sha256``, raises `ObjectAltered` when the bytes are others."""
        ...

    def head(self, key: str) -> ObjectInfo | None: ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]: ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The next parts, each once, of keys that go on below ``prefix``, which ends in ``/``; not what lies there."""
        ...

    def copy(self, source: str, target: str) -> None: ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove; a key that is not there is no error."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything under ``prefix``; returns how many objects went."""
        ...

    def url(self, key: str) -> str:
        """The object's lasting public address."""
        ...

    def signed_url(self, key: str, expires_s: int) -> str | None:
        """An address that opens this object to whoever has it, for so long; ``None`` where the store has none."""
        ...

    def signed_upload(self, key: str, *, size_bytes: int, content_type: str, expires_s: int) -> str | None:
        """An address that takes one ``PUT`` of exactly so many bytes of that type for this object, for so long.

        ``None`` where the store has none.
        """
        ...

    def list_incoming(self) -> Iterator[ObjectInfo]:
        """What is half written, by writers at work or long dead; nothing where the store itself hides that."""
        ...

    def sweep_incoming(self, *, older_than_s: float) -> int:
        """Remove what has been half written for longer; returns how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaEntry:
    """One picture of a product in the shop; ``id`` is deterministic, made of job and view."""

    id: str
    url: str
    job_id: str | None = None
    view: str | None = None
    fabric_color: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    tenant: str
    id: str
    media: tuple[MediaEntry, ...] = ()
    thumbnail: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_by: str | None = None
    """The job that created the product (built-in catalogue only); taken back with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """What a job wants of its product, in one write.

    Attributes:
        entries: one per still, in the order of the views.
        thumbnail: url of the front view, or ``None`` to leave the thumbnail.
        replace: whether the farm's earlier entries of the same fabric colour give way.
        metadata: urls of film and model, under the job's own key.
    """

    job_id: str
    fabric_color: str
    entries: tuple[MediaEntry, ...]
    thumbnail: str | None
    replace: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ProductCatalog(Protocol):
    """The shop's products and their media. Raises `ShopUnavailable` (retryable) and `ShopRefused`."""

    async def get_product(self, tenant: str, product_id: str) -> Product | None: ...

    async def list_products(self, tenant: str) -> Sequence[Product]: ...

    async def associate(self, tenant: str, product_id: str, wanted: Association) -> Mapping[str, Any]:
        """Attach; done twice it is there once.

        Returns ``{"media_ids": […], "superseded": [job ids that gave way]}``.
        """
        ...

    async def dissociate(self, tenant: str, product_id: str, job_id: str) -> None:
        """Remove exactly this job's entries and put back what they replaced; harmless twice, or without associate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TextureRef:
    """A composed panel texture in the object store, see `farm.picture.compose`."""

    panel: str
    key: str
    sha256: str
    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeTask:
    """Compose every panel's texture; runs as a CPU task."""

    tenant: str
    job_id: str
    token: str
    request: Mapping[str, Any]
    designs: tuple[Mapping[str, Any], ...]
    """Artifacts of the normalised designs."""
    template_hash: str = ""
    """What the job was accepted with; a node that has another template under that name refuses. Empty: unchecked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTask:
    """Render, judge and store one view, or one frame of the film (``frame`` is then its number)."""

    tenant: str
    job_id: str
    token: str
    view: str
    attempt: int
    request: Mapping[str, Any]
    textures: tuple[TextureRef, ...]
    deadline_s: float
    azimuth_deg: float | None = None
    frame: int | None = None
    failpoints: str = ""
    """Drills of the job, see `farm.render.tasks.drill`; empty but in drills."""
    template_hash: str = ""
    """As in `ComposeTask`."""
    preview: bool = False
    """Whether this is only shown until the real picture is there: behind all other work, and under a name of its own,
    so that it never counts as an attempt of its view."""

    @property
    def name(self) -> str:
        if self.preview:
            return f"preview_{self.view}"
        return self.view if self.frame is None else f"frame_{self.frame:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeTask:
    """Bake the light transport of one view of a template, see `farm.render.tasks.bake_task`.

    Attributes:
        azimuth_deg: of a film's frame, instead of the view's own.
        samples: paths per pixel of each of its renders.
        measure: whether to find its error against the path tracer too.
        larger_px: the size of larger pictures whose error is found besides; 0: of none.
        force: bake what is baked already.
    """

    template: str
    template_hash: str
    view: str
    size_px: int
    samples: int
    token: str
    azimuth_deg: float | None = None
    measure: bool = True
    larger_px: int = 0
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmTask:
    tenant: str
    job_id: str
    token: str
    frames: tuple[Mapping[str, Any], ...]
    """Artifacts of the frames, in order."""
    fps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTask:
    """Build, judge and store the interactive 3D model."""

    tenant: str
    job_id: str
    token: str
    attempt: int
    request: Mapping[str, Any]
    textures: tuple[TextureRef, ...]
    deadline_s: float
    failpoints: str = ""
    template_hash: str = ""
    """As in `ComposeTask`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDone:
    artifact: Artifact
    report: Mapping[str, Any]
    """Seconds, device, samples, peak memory, node and process of the render; of a model what is known of those."""


class Workers(Protocol):
    """The hands of the farm: Ray tasks in a cluster, a thread in a test.

    A cancelled call returns only after the work has really stopped (or its lease has lapsed).
    Raises the `RenderError`s, `StorageUnavailable` and so on as the work met them.
    """

    async def compose(self, task: ComposeTask) -> Sequence[TextureRef]: ...

    async def render(self, task: ViewTask) -> ViewDone: ...

    async def relight(self, task: ViewTask) -> ViewDone:
        """As `render`, from the template's bake instead of by tracing paths; `BakeMissing` where there is none."""
        ...

    async def encode(self, task: FilmTask) -> Artifact: ...

    async def model(self, task: ModelTask) -> ViewDone: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """How a node did of late; see `farm.render.tasks.health`.

    Attributes:
        score: failures that counted at ``at_s``; they fade.
        failed, succeeded: in all, since it first failed.
        last_code, last_job: of the last failure.
        spells: how often in a row it fell sick.
        sick_until_s: until when all jobs leave it alone, or when the last spell ended; ``None`` before the first.
    """

    node_id: str
    score: float = 0.0
    failed: int = 0
    succeeded: int = 0
    at_s: float = 0.0
    last_code: str = ""
    last_job: str = ""
    spells: int = 0
    sick_until_s: float | None = None

    def sick(self, now_s: float) -> bool:
        """Whether all jobs leave it alone."""
        return self.sick_until_s is not None and now_s < self.sick_until_s

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class NodeHealth(Protocol):
    """What all coordinators know of nodes that fail. Every method may raise `StoreUnavailable`."""

    async def failed(self, node_id: str, *, job_id: str, code: str) -> NodeState:
        """Hold a failure against a node."""
        ...

    async def succeeded(self, node_id: str) -> NodeState:
        """A picture came out well there; of a node that never failed nothing is kept."""
        ...

    async def list(self) -> Sequence[NodeState]:
        """Every node that failed within the last day, the illest first."""
        ...


class LiveProgress(Protocol):
    """What renders right now and how far it is; kept apart from the journal, and gone soon after."""

    async def read(self, job_id: str) -> Mapping[str, float]:
        """Share done, 0 to 1, by name of the view or frame."""
        ...

    async def shares(self, job_id: str) -> Shares:
        """The same, and how far each came in its best attempt."""
        ...

    async def shares_each(self, job_ids: Sequence[str]) -> Sequence[Shares]:
        """As `shares`, of many jobs in one round trip, in their order."""
        ...


class LeaseBook(Protocol):
    """Who holds what, for those who look on."""

    async def held(self) -> Sequence[Lease]:
        """All valid leases."""
        ...


class TempFiles(Protocol):
    """A node's temporary files of a job, found by job and attempt because a killed process cleans nothing."""

    def sweep(self, job_id: str) -> int: ...

    def list(self) -> Iterator[tuple[str, Path]]:
        """Pairs of job id and folder."""
        ...


class KeyRing(Protocol):
    """The API keys. Every method may raise `StoreUnavailable`."""

    async def create(
        self, *, tenant: str, scopes: Iterable[str], name: str, max_priority: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its token, which nobody can read again.

        Raises:
            InvalidRequest: see `farm.domain.access.new_key`.
        """
        ...

    async def list(self) -> Sequence[ApiKey]:
        """All keys, oldest first."""
        ...

    async def revoke(self, key_id: str) -> None:
        """Take a key back; sessions that were opened with it end too.

        Raises:
            NotFound: when there is no such key.
        """
        ...

    async def holder(self, key_id: str) -> Principal | None:
        """Whom a key stands for, without its secret: for a session that was opened with it."""
        ...

    async def admit(self, token: str) -> Principal | None:
        """Whom a token lets in; ``None`` where it opens nothing."""
        ...

    async def signing_secret(self) -> SigningSecret | None:
        """The secret that signs sessions and upload tickets, for whoever checks them; reading writes nothing.

        Returns:
            ``None`` where none was settled, or what is kept is too weak: nothing that is signed may be believed then.
        """
        ...

    async def settle_signing_secret(self) -> tuple[SigningSecret, bool]:
        """The secret for whoever signs, the same for every replica: made when there is none, replaced when it is weak.

        Returns:
            The secret, and whether it took the place of a weak one just now.
        """
        ...


class PictureRings(Protocol):
    """Which keys of a tenant sign pictures' addresses. Every method may raise `StoreUnavailable`."""

    async def ring(self, tenant: str) -> PictureRing:
        """The tenant's keys; empty where it never had one."""
        ...

    async def settle(self, tenant: str) -> PictureRing:
        """The tenant's keys, with a first one where it had none.

        Raises:
            InvalidRequest: when that is no tenant's name.
        """
        ...

    async def rotate(self, tenant: str, *, old_s: float) -> PictureRing:
        """The tenant's keys with a new one that signs; the one before holds for ``old_s`` seconds more.

        Raises:
            InvalidRequest: when that is no tenant's name.
        """
        ...
