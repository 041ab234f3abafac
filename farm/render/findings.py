"""What an audit found: each orphan and broken promise by its kind, and how much was looked at."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One orphan or broken promise.

    Attributes:
        kind: stable word, such as ``orphan_object``; docs/reliability.md lists them.
        subject: the key, media id, path or job that it is about.
    """

    kind: str
    subject: str
    detail: str
    hint: str


@dataclass(slots=True, kw_only=True)
class AuditReport:
    """What an audit saw.

    Attributes:
        retained: designs of failed jobs, kept for a retry.
        counted: how many of each thing were looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    retained: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not self.findings

    def find(self, kind: str, subject: str, detail: str, hint: str) -> None:
        self.findings.append(Finding(kind=kind, subject=subject, detail=detail, hint=hint))

    def count(self, what: str) -> None:
        self.counted[what] = self.counted.get(what, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "findings": [asdict(finding) for finding in self.findings],
            "retained": self.retained,
            "counted": dict(self.counted),
        }
