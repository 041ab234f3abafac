"""Several nodes' metrics become one document that Prometheus can read."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from farm.adapters.text_meter import TextMeter
from farm.render.metrics import METRICS, Kind
from serve_app.metrics import merged

ONE = """# HELP farm_jobs Jobs by status.
# TYPE farm_jobs gauge
farm_jobs{status="pending",node="a"} 3.0
# HELP farm_view_seconds How long views take.
# TYPE farm_view_seconds histogram
farm_view_seconds_bucket{le="1.0",node="a"} 2.0
farm_view_seconds_sum{node="a"} 1.5
farm_view_seconds_count{node="a"} 2.0
bare_counter 7
"""


def test_each_family_is_described_once_with_the_samples_of_all_nodes() -> None:
    found = merged([ONE, ONE.replace('"a"', '"b"')]).splitlines()
    assert found.count("# TYPE farm_jobs gauge") == found.count("# HELP farm_view_seconds How long views take.") == 1
    start = found.index("# TYPE farm_jobs gauge")
    assert found[start + 1 : start + 3] == [
        'farm_jobs{status="pending",node="a"} 3.0', 'farm_jobs{status="pending",node="b"} 3.0'
    ]  # fmt: skip
    histogram = found[found.index("# TYPE farm_view_seconds histogram") + 1 :][:6]
    assert all(line.startswith("farm_view_seconds_") for line in histogram)
    assert sum(line.startswith("bare_counter") for line in found) == 1


def test_one_document_is_as_it_was_and_none_is_empty() -> None:
    assert merged([ONE]) == ONE
    assert merged([]).strip() == ""


ODD = 'a "quoted" \\ word\nand } a second'


def exported(node: str) -> str:
    """What a node says of itself, written by the library that Ray's agents write with."""
    registry = CollectorRegistry()
    jobs = Gauge("ray_jobs", f"jobs, {ODD}", ["status", "node"], registry=registry)
    views = Counter("ray_views", "views made", ["node"], registry=registry)
    seconds = Histogram("ray_view_seconds", "of a view", ["node"], registry=registry, buckets=(0.5, 1.0))
    Gauge("ray_jobs_queued", "begins as another does", registry=registry).set(1e6)
    jobs.labels(ODD, node).set(float("nan"))
    jobs.labels("pending", node).set(float("inf"))
    views.labels(node).inc(7)
    seconds.labels(node).observe(0.7)
    return generate_latest(registry).decode()


class Parsed(Collector):
    """What the library reads of several texts, of equal series the first."""

    def __init__(self, *texts: str) -> None:
        self._families: dict[str, Metric] = {}
        seen = set()
        for text in texts:
            for family in text_string_to_metric_families(text):
                kept = self._families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    series = sample.name, frozenset(sample.labels.items())
                    if series not in seen:
                        seen.add(series)
                        kept.samples.append(sample)

    def collect(self) -> Iterator[Metric]:
        yield from self._families.values()


def test_what_is_merged_is_byte_for_byte_what_the_library_makes_of_it() -> None:
    texts = [exported("a"), exported("b"), exported("a").replace("7.0", "8.0")]
    registry = CollectorRegistry()
    registry.register(Parsed(*texts))
    assert merged(texts) == generate_latest(registry).decode()


def test_every_gauge_of_the_farm_is_read_as_it_was_told() -> None:
    meter, told = TextMeter(), set()
    for metric in METRICS.values():
        if metric.kind is Kind.GAUGE:
            for value in (3, 0.25):
                labels = dict.fromkeys(metric.labels, f"{ODD} {value}")
                meter.gauge(metric.name, 1.0, **labels)
                meter.gauge(metric.name, value, **labels)
                told.add((metric.name, tuple(sorted(labels.items())), value))
    told = {row for row in told if row[1] or row[2] == 0.25}  # of a gauge without labels the last word counts
    families = list(text_string_to_metric_families(meter.text()))
    assert {(one.name, tuple(sorted(one.labels.items())), one.value) for f in families for one in f.samples} == told
    assert {family.name: family.documentation for family in families} == {
        name: METRICS[name].about for name, _, _ in told
    }
