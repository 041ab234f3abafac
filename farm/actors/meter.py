"""Metrics through Ray: each node's agent exports what the processes on it tell, in Prometheus' format."""

import logging
from typing import TYPE_CHECKING, Any

from ray.util import metrics

from farm.render.metrics import METRICS, Kind, Meter, Metric

log = logging.getLogger(__name__)


class RayMeter:
    """See `farm.render.metrics.Meter`; one for each process. What Ray refuses is said once and told no more."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._refused: set[str] = set()

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self._tell(name, "inc", amount, labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._tell(name, "set", value, labels)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self._tell(name, "observe", value, labels)

    def _tell(self, name: str, verb: str, value: float, labels: dict[str, str]) -> None:
        try:
            told = self._told.get(name)
            if told is None:
                told = self._told[name] = _made(METRICS[name])
            getattr(told, verb)(value, labels)
        except Exception as error:  # a figure is never worth a job
            if name not in self._refused:
                self._refused.add(name)
                log.warning("the metric %s cannot be told: %s", name, error)


def _made(metric: Metric) -> Any:
    match metric.kind:
        case Kind.COUNTER:
            return metrics.Counter(metric.name, metric.about, metric.labels)
        case Kind.GAUGE:
            return metrics.Gauge(metric.name, metric.about, metric.labels)
        case Kind.HISTOGRAM:
            return metrics.Histogram(metric.name, metric.about, list(metric.bounds), metric.labels)


if TYPE_CHECKING:
    _conforms: type[Meter] = RayMeter
