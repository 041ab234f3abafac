"""What catalogue runs need of the world beside what jobs need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from farm.saga.lease import Lease


class DesignSource(Protocol):
    """Designs by address. Blocking.

    Raises `DesignNotFound`, `DesignTooLarge`, `FetchRefused` (all of them the manifest's fault) and `FetchFailed`.
    """

    def identity(self, address: str, *, remote: bool = True) -> str | None:
        """Which bytes lie there now, without reading them; ``None`` when that cannot be told.

        Args:
            remote: whether a server may be asked.
        """
        ...

    def fetch(self, address: str) -> tuple[bytes, str | None]:
        """The bytes, and their identity."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDesign:
    """What a design was found to be when it was last decoded.

    Attributes:
        sha256: of the normalised PNG, hexadecimal.
    """

    sha256: str
    width_px: int
    height_px: int


class DesignBook(Protocol):
    """Remembers for a while which design lies behind an identity, so that an unchanged file is not decoded again."""

    async def look_up(self, tenant: str, identities: Sequence[str]) -> Sequence[KnownDesign | None]: ...

    async def remember(self, tenant: str, found: Mapping[str, KnownDesign]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecord:
    """The short record of a job that was done in a batch.

    Attributes:
        record: JSON, see `farm.render.catalog.brief`.
        index: as of a saga's projection.
        ended: whether this is the last word on it.
    """

    job_id: str
    created_at_s: float
    record: Mapping[str, Any]
    index: Mapping[str, str] = field(default_factory=dict)
    ended: bool = False


class RowRecords(Protocol):
    """The records of a batch's jobs, written together, fenced by the lease of the batch."""

    async def write(self, lease: Lease, rows: Sequence[RowRecord]) -> None:
        """All or none, on disk when this returns. A job that has ended keeps its record.

        Raises:
            Fenced: when the lease of the batch is another's.
            StoreUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsTask:
    """Some rows of a batch, for one worker process: fetch, decode, compose, relight, judge and store each.

    Attributes:
        name: of this piece of work, unique within the batch.
        token: of the attempt; part of every key it writes.
        rows: of each ``i`` (its place in the slice), ``job`` (id), ``design`` (address), ``request`` (normalised).
        force: whether results kept from earlier may be used.
    """

    tenant: str
    batch_id: str
    name: str
    token: str
    rows: tuple[Mapping[str, Any], ...]
    deadline_s: float
    force: bool = False


class RowWorkers(Protocol):
    """The hands for batches."""

    async def relight_rows(self, task: RowsTask) -> Sequence[Mapping[str, Any]]:
        """What became of each row: ``i`` with ``error``, or with the facts of its design and pictures.

        One row's error is that row's alone. Raises what met the process as a whole, as `Workers.render` does.
        A cancelled call returns only after the work has really stopped (or its lease has lapsed).
        """
        ...

    async def row_slots(self) -> int:
        """Pieces of work that can run at once in the cluster as it is now."""
        ...
