"""A job's status, as a table: what may follow what.

While a saga compensates the status stays and ``phase`` says ``compensating``; the last status comes at the end.
"""

from collections.abc import Mapping
from enum import StrEnum

from farm.errors import IllegalTransition


class Status(StrEnum):
    PENDING = "pending"
    COMPOSITING = "compositing"
    RENDERING = "rendering"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing may follow."""
        return not TRANSITIONS[self]


class Phase(StrEnum):
    FORWARD = "forward"
    COMPENSATING = "compensating"
    ENDED = "ended"


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.COMPOSITING, Status.FAILED, Status.CANCELLED}),
    Status.COMPOSITING: frozenset({Status.RENDERING, Status.FAILED, Status.CANCELLED}),
    Status.RENDERING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


def advance(current: Status, wanted: Status) -> Status:
    """The next status; staying is always allowed.

    Raises:
        IllegalTransition: when the table has no such row.
    """
    if wanted != current and wanted not in TRANSITIONS[current]:
        raise IllegalTransition(current=str(current), wanted=str(wanted))
    return wanted


def table_markdown() -> str:
    """The transition table as it stands in docs/architecture.md (a test compares them)."""
    rows = ["| from | to |", "| --- | --- |"]
    for status, following in TRANSITIONS.items():
        names = ", ".join(f"`{name}`" for name in Status if name in following) or "(the end)"
        rows.append(f"| `{status}` | {names} |")
    return "\n".join(rows)
