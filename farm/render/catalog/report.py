"""The report of a run: one line for each row, whatever became of it. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from farm.render.catalog.row import Fault, Row

COMPLETED, FAILED, CANCELLED, SKIPPED, PENDING = "completed", "failed", "cancelled", "skipped", "pending"
UNCHANGED = "unchanged"
"""The ``code`` of a completed row whose product showed these very pictures already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """What became of one row.

    Attributes:
        row, variant: the line of the manifest, and which of its fabric colours.
        job_id: of the job that made the pictures; of an unchanged row the earlier job, of a bad one none.
        status: ``completed``, ``failed`` or ``cancelled`` as the job ended; ``skipped``: never begun, because the run
            was stopped; ``pending``: not begun yet.
        code: why it failed, or how it was completed without rendering.
        fingerprint: of all that determines the row's pictures; equal ones are equal work.
        cached: whether nothing had to be rendered.
        seconds: of work on this row in the workers.
        cost: of these seconds, by the prices of the settings.
        outputs: view to public address.
    """

    row: int
    variant: int = 0
    product_id: str | None = None
    fabric_color: str | None = None
    job_id: str | None = None
    status: str
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    fingerprint: str | None = None
    cached: bool = False
    seconds: float = 0.0
    cost: float = 0.0
    outputs: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def to_line(self) -> str:
        data = {name: value for name, value in asdict(self).items() if value not in (None, (), {}, False, 0.0, 0)}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Self:
        return cls(**json.loads(line))


COLUMNS = tuple(ReportRow.__slots__)


def of_fault(fault: Fault) -> ReportRow:
    """A row that could not be read."""
    return ReportRow(
        row=fault.number,
        variant=fault.variant,
        product_id=fault.product_id,
        status=FAILED,
        code=fault.code,
        message=fault.message,
        hint=fault.hint,
    )


def of_untouched(item: Row | Fault, status: str, code: str | None) -> ReportRow:
    """A row that was not begun."""
    if isinstance(item, Fault):
        return replace(of_fault(item), status=status)
    return ReportRow(
        row=item.number,
        variant=item.variant,
        product_id=item.product_id,
        fabric_color=item.request.get("fabric_color", "#ffffff"),
        status=status,
        code=code,
    )


def of_failure(row: Row, error: Mapping[str, Any], *, job_id: str | None = None) -> ReportRow:
    """A row that failed before it had a job, or whose job tells no more."""
    return ReportRow(
        row=row.number,
        variant=row.variant,
        product_id=row.product_id,
        fabric_color=row.request.get("fabric_color", "#ffffff"),
        job_id=job_id,
        status=FAILED,
        code=error.get("code"),
        message=error.get("message"),
        hint=error.get("hint"),
    )


def of_record(row: Row, record: Mapping[str, Any], *, unchanged: bool = False) -> ReportRow:
    """A row by its job's record; one that is unchanged took no time and cost nothing."""
    error = record.get("error") or {}
    completed = record["status"] == COMPLETED
    views = record["views"]
    seconds = 0.0 if unchanged else float(record.get("work_s") or sum(float(view["seconds"] or 0.0) for view in views))
    cached = unchanged or (completed and bool(views) and all(_is_cached(view) for view in views))
    return ReportRow(
        row=row.number,
        variant=row.variant,
        product_id=row.product_id,
        fabric_color=record["request"]["fabric_color"],
        job_id=record["id"],
        status=record["status"],
        code=UNCHANGED if unchanged else None if completed else error.get("code") or record["status"],
        message=None if completed else error.get("message"),
        hint=None if completed else error.get("hint"),
        fingerprint=row_fingerprint(record["artifacts"]) if completed else None,
        cached=cached,
        seconds=round(seconds, 4),
        cost=0.0 if unchanged else float(record.get("cost") or 0.0),
        outputs={view["view"]: view["url"] for view in views if view["url"]} if completed else {},
        warnings=tuple(dict.fromkeys(str(warning["code"]) for warning in record["warnings"])),
    )


def _is_cached(view: Mapping[str, Any]) -> bool:
    return bool(view.get("cached") or (view.get("report") or {}).get("cached"))


def row_fingerprint(artifacts: Iterable[Mapping[str, Any]]) -> str | None:
    """One picture's own fingerprint; of several their common one."""
    import hashlib

    found = [str(artifact["fingerprint"]) for artifact in artifacts if artifact.get("fingerprint")]
    if len(found) <= 1:
        return found[0] if found else None
    return hashlib.sha256("".join(sorted(found)).encode()).hexdigest()


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many rows ended how; the sums of a run."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    cached: int = 0
    bad: int = 0
    """Rows of the manifest that could not be read or used; counted among ``failed`` too."""
    seconds: float = 0.0
    cost: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> Self:
        data = dict(data or {})
        return cls(**{**data, "codes": Counter(data.get("codes", {}))})

    @property
    def rows(self) -> int:
        return self.completed + self.failed + self.cancelled

    def add(self, row: ReportRow) -> None:
        match row.status:
            case "completed":
                self.completed += 1
                self.cached += row.cached
            case "cancelled":
                self.cancelled += 1
            case _:
                self.failed += 1
                self.bad += row.job_id is None
                self.codes[row.code or "unknown"] += 1
        self.seconds += row.seconds
        self.cost += row.cost

    def to_dict(self) -> dict[str, Any]:
        rounded = {"seconds": round(self.seconds, 3), "cost": round(self.cost, 6)}
        return {**asdict(self), **rounded, "codes": dict(self.codes.most_common(20))}
