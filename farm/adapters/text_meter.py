"""Gauges as text in Prometheus' format: how things stand at one moment, for whoever asks by HTTP."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from farm.render.metrics import METRICS, Meter


class TextMeter:
    """See `farm.render.metrics.Meter`. Counts and values belong to a process that lasts; they are not told here."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        pass

    def gauge(self, name: str, value: float, **labels: str) -> None:
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, METRICS[name].about, METRICS[name].labels, registry=self._registry)
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        pass

    def text(self) -> str:
        """All gauges, in the order in which they were told."""
        return generate_latest(self._registry).decode()


if TYPE_CHECKING:
    _conforms: type[Meter] = TextMeter
