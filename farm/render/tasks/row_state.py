"""A row under work: what it asks for, what of it is there, what became of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.domain.request import Format
from farm.domain.shape import sides_px
from farm.picture.decode_server import Pixels
from farm.render.catalog.outputs import output_key
from farm.render.catalog.ports import RowsTask
from farm.render.tasks.row_bench import RowBench


@dataclass(slots=True)
class Fetched:
    """A design, read but not decoded yet: a row that was made before, of a design that is known, needs no pixels."""

    data: bytes
    identity: str | None
    sha256: str = ""
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.data).hexdigest()

    def decoded(self, bench: RowBench) -> Pixels:
        """Its pixels, decoded once."""
        if self.pixels is None:
            self.pixels = bench.decode(self.data)
        return self.pixels


@dataclass(slots=True)
class RowState:
    """One row.

    Attributes:
        row: as the task has it.
        fingerprints, key_of: by view.
        shown: its views that are there, as the answer tells them.
        seconds: of work on this row, its part of what it shared included.
        print_s: of these, for what all its pictures need: its design and its textures.
        busy_s: CPU seconds of its pictures, its part of what it shared included; no matter who else is on the core.
        made: pictures made for it, not copied.
        error: why it failed, as described.
    """

    task: RowsTask
    row: Mapping[str, Any]
    design: Fetched
    fingerprints: Mapping[str, str]
    key_of: Mapping[str, str]
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)
    design_px: tuple[int, int] = (0, 0)
    renderer: str = ""
    device: str = "cpu"
    seconds: float = 0.0
    print_s: float = 0.0
    busy_s: float = 0.0
    made: int = 0
    error: dict[str, Any] | None = None

    @classmethod
    def of(cls, task: RowsTask, row: Mapping[str, Any], design: Fetched, bench: RowBench) -> "RowState":
        """A row of a design that was fetched."""
        facts = {
            "tenant": task.tenant,
            "request": row["request"],
            "designs": [{"sha256": design.sha256}],
            "template": row["template"],
            "engine": row["engine"],
        }
        fingerprints = {view: found[0] for view, found in bench.fingerprints(facts).items()}
        suffix = Format(row["request"]["format"]).suffix
        keys = {view: output_key(task.tenant, row["job"], task.token, view + suffix) for view in fingerprints}
        return cls(task, row, design, fingerprints, keys)

    @property
    def left(self) -> list[str]:
        """Views that are not there yet; none of a row that has failed."""
        return [] if self.error else [view for view in self.fingerprints if view not in self.shown]

    def take_kept(self, bench: RowBench) -> None:
        """Copy the views that were made before to where this row's are wanted."""
        found = {
            view: bench.results.take(
                self.task.tenant, [self.design.sha256], [self.fingerprints[view]], self.key_of[view]
            )
            for view in self.left
        }
        kept = {view: one for view, one in found.items() if one is not None}
        if kept:
            bench.check_lease()
        for view, one in kept.items():
            self.show(view, one.sha256, one.size_bytes, cached=True)
            self.renderer, self.device = one.renderer, one.device

    def show(self, view: str, sha256: str, size_bytes: int, *, cached: bool) -> None:
        """A view is there."""
        width_px, height_px = sides_px(self.row["request"])
        self.made += not cached
        self.shown[view] = {
            "view": view,
            "sha256": sha256,
            "size_bytes": size_bytes,
            "width_px": width_px,
            "height_px": height_px,
            "fingerprint": self.fingerprints[view],
            "cached": cached,
        }

    def answer(self, alike: int, *, cold: bool) -> dict[str, Any]:
        """What became of it.

        Args:
            alike: rows that were done together with it.
            cold: whether its process was still warming up to such pictures.
        """
        told = {"i": self.row["i"], "seconds": round(self.seconds, 5)}
        if self.error is not None:
            return {**told, "error": self.error}
        return {
            **told,
            "print_s": round(self.print_s, 5),
            "busy_s": round(self.busy_s, 5),
            "made": self.made,
            "alike": alike,
            "cold": cold,
            "sha256": self.design.sha256,
            "identity": self.design.identity,
            "design_px": self.design_px,
            "renderer": self.renderer,
            "device": self.device,
            "warnings": self.warnings,
            "views": [self.shown[view] for view in self.row["request"]["views"] if view in self.shown],
        }
