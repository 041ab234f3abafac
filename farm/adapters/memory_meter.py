"""Metrics in memory, strict about the table: a name, a kind or a label that is not in it is an error."""

from collections import defaultdict
from typing import TYPE_CHECKING

from farm.render.metrics import METRICS, Kind, Meter

Labels = frozenset[tuple[str, str]]


class MemoryMeter:
    """See `farm.render.metrics.Meter`."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, Labels], float] = defaultdict(float)
        self.gauges: dict[tuple[str, Labels], float] = {}
        self.observed: dict[tuple[str, Labels], list[float]] = defaultdict(list)

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self.counts[_known(name, Kind.COUNTER, labels)] += amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.gauges[_known(name, Kind.GAUGE, labels)] = value

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.observed[_known(name, Kind.HISTOGRAM, labels)].append(value)

    def told(self, name: str, **labels: str) -> float:
        """The counter or gauge as it stands; of a histogram the number of its values."""
        key = (name, frozenset(labels.items()))
        if key in self.observed:
            return float(len(self.observed[key]))
        return self.gauges[key] if key in self.gauges else self.counts.get(key, 0.0)


def _known(name: str, kind: Kind, labels: dict[str, str]) -> tuple[str, Labels]:
    metric = METRICS[name]
    if metric.kind is not kind or set(labels) != set(metric.labels):
        raise ValueError(f"{name} is a {metric.kind} with the labels {metric.labels}, not {kind} with {sorted(labels)}")
    return name, frozenset((label, str(value)) for label, value in labels.items())


if TYPE_CHECKING:
    _conforms: type[Meter] = MemoryMeter
