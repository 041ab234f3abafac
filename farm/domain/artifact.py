"""An artifact: one stored output of a job, known by its key and by the hash of its bytes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    STILL = "still"
    FILM = "film"
    MODEL = "model"
    DESIGN = "design"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One stored object.

    Attributes:
        name: file name as the outside knows it, such as ``front_0deg.png``.
        key: where it lies in the object store.
        sha256: of its bytes, hexadecimal; the journal's copy says which bytes count.
        fingerprint: of all that determines a view's pixels, or a model's bytes, see `farm.domain.fingerprint`.
    """

    kind: Kind
    name: str
    key: str
    sha256: str
    size_bytes: int
    content_type: str
    width_px: int = 0
    height_px: int = 0
    view: str | None = None
    fingerprint: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        return cls(**{**values, "kind": Kind(values["kind"])})
