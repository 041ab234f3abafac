"""Gauges as text in Prometheus' format: how things stand at one moment, for whoever asks by HTTP."""

from typing import TYPE_CHECKING

from farm.render.metrics import METRICS, Meter


class TextMeter:
    """See `farm.render.metrics.Meter`. Counts and values belong to a process that lasts; they are not told here."""

    def __init__(self) -> None:
        self._gauges: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        pass

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._gauges.setdefault(name, {})[tuple(sorted(labels.items()))] = value

    def observe(self, name: str, value: float, **labels: str) -> None:
        pass

    def text(self) -> str:
        """All gauges, by name."""
        lines = []
        for name, series in sorted(self._gauges.items()):
            lines += [f"# HELP {name} {METRICS[name].about}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_braced(labels)} {value!r}" for labels, value in sorted(series.items())]
        return "\n".join(lines) + "\n"


def _braced(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


if TYPE_CHECKING:
    _conforms: type[Meter] = TextMeter
