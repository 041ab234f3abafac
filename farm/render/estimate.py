"""About how long one core works on pictures: by what was learned on this farm, else by figures of a small machine.

What is learned are mean seconds by kind of picture, see `farm.render.catalog.lessons`; what was never made is reckoned
from the kind most like it. Pure.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

HOUR_S = 3600.0
RELIT_S, RELIT_PX_S = 0.03, 0.03
"""Core seconds of a relit view: fixed, and for the pixels of 1024 x 1024."""
SHARED = 0.7
"""What part of that is left where fabrics are shaded together."""
PRINT_S, PRINT_PX_S = 0.08, 0.04
"""Core seconds of a design's decoding and of its textures: fixed, and for pictures of 1024 x 1024."""
CYCLES_S, CYCLES_PX_SAMPLES_S = 1.5, 0.9
"""Core seconds of a path-traced view: fixed, and for the pixels of 1024 x 1024 with one sample."""
MODEL_S = 5.0
"""Core seconds of an interactive 3D model."""
ROW_S = 0.02
"""Core seconds of a row beside its worker: its job, its product."""
JOB_S = 0.5
"""Core seconds of a job of its own: steps, tasks, what they write and read."""
CROWDED = 1.15
"""Cores times seconds of a run for each core second of its rows: the farm works too, and pieces end unevenly."""
START_S = 3.0
"""From a run's beginning to its first row: workers start, light is opened."""
RELIGHT, CYCLES, PRINT = "relight", "cycles", "print"
RUN_SHARE, RUN_START = "run", "start"
"""The names under which the last two are learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of work that takes about as long each time.

    Attributes:
        engine: ``relight`` or ``cycles`` for one view, ``print`` for a design and its textures.
        detail: a relit view's format, a traced one's samples.
        shared: whether the view was shaded together with other fabrics.
    """

    engine: str
    size_px: int
    detail: str = ""
    shared: bool = False

    @classmethod
    def of_view(cls, engine: str, request: Mapping[str, Any], *, shared: bool = False) -> Self:
        """Of a view of a normalised request."""
        if engine == RELIGHT:
            return cls(engine=engine, size_px=int(request["size"]), detail=str(request["format"]), shared=shared)
        return cls(engine=CYCLES, size_px=int(request["size"]), detail=str(request["samples"]))

    def __str__(self) -> str:
        return f"{self.engine}/{self.size_px}/{self.detail}/{'shared' if self.shared else 'alone'}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `str` made; ``None`` of anything else."""
        parts = text.split("/")
        if len(parts) != 4 or not parts[1].isdecimal() or parts[0] not in (RELIGHT, CYCLES, PRINT):
            return None
        return cls(engine=parts[0], size_px=int(parts[1]), detail=parts[2], shared=parts[3] == "shared")

    @property
    def usual_s(self) -> float:
        """Core seconds on a small machine."""
        share = (self.size_px / 1024) ** 2
        if self.engine == PRINT:
            return PRINT_S + PRINT_PX_S * share
        if self.engine == CYCLES:
            return CYCLES_S + CYCLES_PX_SAMPLES_S * share * int(self.detail)
        return (RELIT_S + RELIT_PX_S * share) * (SHARED if self.shared else 1.0)

    def unlike(self, other: "Kind") -> tuple[float, ...]:
        """How little it tells of another kind of the same engine; the smaller the better."""
        samples = abs(math.log(int(self.detail) / int(other.detail))) if self.engine == CYCLES else 0.0
        sizes = abs(math.log(self.size_px / other.size_px))
        return sizes + samples, self.engine != CYCLES and self.detail != other.detail, self.shared != other.shared


@dataclass(frozen=True, slots=True)
class Paces:
    """Mean seconds that were learned, by the name of their kind."""

    learned: Mapping[str, float] = field(default_factory=dict)
    _reckoned: dict[Kind, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    """A plan asks the same for a million rows."""

    def seconds(self, kind: Kind) -> float:
        """Core seconds of one of that kind."""
        if kind not in self._reckoned:
            self._reckoned[kind] = self._reckon(kind)
        return self._reckoned[kind]

    def _reckon(self, kind: Kind) -> float:
        found = [one for one in map(Kind.parse, self.learned) if one is not None and one.engine == kind.engine]
        if not found:
            return kind.usual_s
        nearest = min(found, key=kind.unlike)
        return kind.usual_s * self.learned[str(nearest)] / nearest.usual_s

    def run_s(self, core_s: float, cores: int, rows: int) -> float:
        """Seconds that a run of so much work in its workers, on so many rows, takes on so many cores."""
        if not core_s:
            return 0.0
        share, start_s = self.learned.get(RUN_SHARE, CROWDED), self.learned.get(RUN_START, START_S)
        return start_s + (core_s + rows * ROW_S) * share / max(1, cores)


USUAL = Paces()
"""Nothing was learned yet."""


def core_seconds(
    engine: str,
    request: Mapping[str, Any],
    views: int | None = None,
    *,
    paces: Paces = USUAL,
    shared: bool = False,
    prints: float = 1.0,
) -> float:
    """Core seconds of so many views of a request, by default of all.

    Args:
        shared: its views are shaded together with those of other fabrics.
        prints: how much of the work on the design falls to it.
    """
    count = len(request["views"]) if views is None else views
    if not count:
        return 0.0
    each_s = paces.seconds(Kind.of_view(engine, request, shared=shared))
    return count * each_s + prints * paces.seconds(Kind(engine=PRINT, size_px=int(request["size"])))
