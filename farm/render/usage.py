"""What a job used and what that cost: core seconds and GPU seconds of its pictures, by the prices it was accepted with.

Read from the notes of its journal, so a record's cost never changes after the job's end, whatever the prices do.
Pictures from the result cache cost nothing. An attempt that failed is not counted: nobody was left to say how long it
had a device. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from farm.render.estimate import HOUR_S
from farm.settings import Settings

GPUS = frozenset({"cuda", "optix", "hip", "oneapi"})
"""Devices of Cycles that are priced by the GPU and not by the core."""
_DONE = frozenset({"view_done", "model_done", "frame_done"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of one core, and seconds of one GPU."""

    cpu_s: float = 0.0
    gpu_s: float = 0.0

    @classmethod
    def of(cls, notes: Iterable[Mapping[str, Any]]) -> Self:
        """What the notes of a job's render step tell."""
        cpu_s = gpu_s = 0.0
        for note in notes:
            report = note.get("report") or note
            if note.get("event") not in _DONE or report.get("cached"):
                continue
            seconds = float(report.get("attempt_s") or report.get("total_s") or 0.0)
            if on_gpu(report):
                gpu_s += seconds
            else:
                cpu_s += seconds * cores(report)
        return cls(cpu_s=round(cpu_s, 3), gpu_s=round(gpu_s, 3))

    def cost(self, prices: Mapping[str, float]) -> float:
        """By prices as `prices_of` gives them, in the operator's currency."""
        cost = self.cpu_s * prices.get("cpu_hour", 0.0) + self.gpu_s * prices.get("gpu_hour", 0.0)
        return round(cost / HOUR_S, 8)

    def to_dict(self) -> dict[str, float]:
        """As it stands in the job's record."""
        return asdict(self)


def on_gpu(report: Mapping[str, Any]) -> bool:
    """Whether a picture's report tells of a GPU."""
    return str(report.get("device", "")).lower() in GPUS


def cores(report: Mapping[str, Any]) -> int:
    """Cores that were busy while a picture was made."""
    return max(1, int(report.get("threads") or 1))


def prices_of(settings: Settings) -> dict[str, float]:
    """The operator's prices, as they are journaled with a job that is accepted."""
    return {"cpu_hour": settings.price_cpu_hour, "gpu_hour": settings.price_gpu_hour}
