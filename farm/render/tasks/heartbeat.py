"""The heartbeat of a running attempt: a lease on its view, fenced by an epoch, with its progress on board.

The coordinator *grants* an epoch, the worker *beats* under it, and whoever *revokes* it raises the epoch: from then on
every beat of the old attempt is refused, and a refused worker ends itself. So a worker that was frozen, partitioned or
forgotten cannot come back to life as somebody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The right to work on one view (or texture, or film) of a job, until revoked.

    Attributes:
        name: what is worked on, unique within the job.
        epoch: the fencing number; it only rises.
    """

    job_id: str
    name: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A process of the cluster that cannot be mistaken for a later one with the same number.

    Attributes:
        node_id: Ray's id of its node.
        identity: ``pid:starttime``, see `farm.home.process`.
    """

    node_id: str
    identity: str

    def __str__(self) -> str:
        return f"{self.node_id}/{self.identity}"

    @classmethod
    def parse(cls, text: str) -> "ProcessId":
        node_id, _, identity = text.partition("/")
        return cls(node_id=node_id, identity=identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a worker says of itself.

    Attributes:
        fraction: share done, 0 to 1.
        ticks: counts every sign of progress, also those too small to show in ``fraction``: steps of the work, reports
            of the renderer, processor time used.
        phase: what it is doing, such as ``fetching`` or ``rendering``.
    """

    process: ProcessId
    fraction: float = 0.0
    ticks: int = 0
    phase: str = ""


class Pulse(Protocol):
    """The worker's side; blocking, called from the heartbeat's own thread."""

    def beat(self, grant: Grant, beat: Beat, *, ttl_s: float) -> bool:
        """Renew the lease and publish the progress, unless the epoch has risen: then ``False``, and nothing is written.

        Raises:
            StoreUnavailable: when the store does not answer.
        """
        ...


class Beats(Protocol):
    """The coordinator's side. Every method may raise `StoreUnavailable`."""

    async def grant(self, job_id: str, name: str) -> Grant:
        """Raise the epoch, which fences whoever beat under an earlier one; only their farthest progress stays."""
        ...

    async def read(self, grants: Sequence[Grant]) -> Sequence[Beat | None]:
        """The latest beats; ``None`` where none came under that epoch, or the last one lapsed."""
        ...

    async def revoke(self, grant: Grant) -> None:
        """Refuse further beats under this epoch, and forget its progress but the farthest.

        The last beat stays readable until it lapses: it names the process that may have to be seen dead.
        """
        ...


FARTHEST = "^"
"""Before a name on the board: how far the best of its attempts came, which a later attempt does not take back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares done, 0 to 1, by name of the view, frame or model.

    Attributes:
        now: of the attempts that run.
        farthest: of the best attempt of each so far; it only rises.
    """

    now: Mapping[str, float] = field(default_factory=dict)
    farthest: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parted(cls, found: Mapping[str, float]) -> "Shares":
        """What stands on the board, by its two kinds."""
        return cls(
            now={name: share for name, share in found.items() if not name.startswith(FARTHEST)},
            farthest={name.removeprefix(FARTHEST): share for name, share in found.items() if name.startswith(FARTHEST)},
        )


class Board(Protocol):
    """Each view's progress for those who look on: never journaled, gone by itself. May raise `StoreUnavailable`."""

    async def report(self, job_id: str, view: str, fraction: float) -> None: ...

    async def read(self, job_id: str) -> Mapping[str, float]:
        """Share done, 0 to 1, by view; views that have not begun are missing."""
        ...

    async def shares(self, job_id: str) -> Shares:
        """The same, and how far each view came in its best attempt."""
        ...

    async def shares_each(self, job_ids: Sequence[str]) -> Sequence[Shares]:
        """As `shares`, of many jobs in one round trip, in their order."""
        ...

    async def clear(self, job_id: str) -> None: ...


@dataclass(slots=True)
class Progress:
    """The progress of the attempt that this process works on: written by the work, read by the heartbeat's thread.

    Single assignments of ints, floats and strings need no lock.
    """

    fraction: float = 0.0
    ticks: int = 0
    phase: str = field(default="starting")

    def enter(self, phase: str, fraction: float) -> None:
        """Begin a phase of the work."""
        self.phase = phase
        self.advance(fraction)

    def advance(self, fraction: float) -> None:
        """Any sign of life from the work itself."""
        self.fraction = min(1.0, max(self.fraction, fraction))
        self.ticks += 1
