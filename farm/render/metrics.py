"""Every metric of the farm in one table, and the port by which they are told.

None has a job's id for a label, nor anything else that grows with the work: a label's values are a handful of words, or
the nodes that are up. Ray puts ``ray_`` before each name when it exports them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        labels: their names; each use gives a value for every one.
        bounds: upper bounds of a histogram's buckets.
    """

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def exported(self) -> tuple[str, ...]:
        """The names of its series as Prometheus sees them."""
        name = f"ray_{self.name}"
        return (f"{name}_bucket", f"{name}_sum", f"{name}_count") if self.kind is Kind.HISTOGRAM else (name,)


FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""Seconds of one question to a store or a shop."""
WORK = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds of a view or a step."""
JOB = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)

_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM


def _metric(name: str, kind: Kind, about: str, *labels: str, bounds: tuple[float, ...] = ()) -> Metric:
    return Metric(name=name, kind=kind, about=about, labels=labels, bounds=bounds)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        # What there is: asked of the store every few seconds, by the farm's host alone.
        _metric("farm_jobs", _G, "jobs in the store by status", "status"),
        _metric("farm_jobs_queued", _G, "jobs that wait for a coordinator, by priority", "priority"),
        _metric("farm_queue_oldest_seconds", _G, "age of the job that has waited longest of those that are next"),
        _metric("farm_jobs_leased", _G, "jobs that a coordinator drives"),
        _metric("farm_leases_lapsed", _G, "jobs whose coordinator has gone silent and that nobody took over yet"),
        _metric("farm_compensation_pending", _G, "failed jobs that are not wholly undone and wait for a person"),
        _metric("farm_coordinators", _G, "coordinators that told of themselves lately"),
        _metric("farm_store_up", _G, "1 while the journal's store answers the host"),
        _metric("farm_store_seconds", _H, "time of a question to the journal's store", bounds=FAST),
        _metric("farm_store_bytes", _G, "memory the journal's store uses"),
        _metric("farm_disk_free_bytes", _G, "free space on the disk of FARM_HOME on the host's node"),
        # What happens: told by coordinators as they journal it.
        _metric(
            "farm_jobs_ended_total", _C, "jobs that ended, by status and the code of their error", "status", "code"
        ),
        _metric("farm_job_seconds", _H, "time of a job from its acceptance to its end", "status", bounds=JOB),
        _metric("farm_step_seconds", _H, "time of a step, retries included", "step", bounds=WORK),
        _metric("farm_step_failures_total", _C, "failed attempts of steps", "step", "code"),
        _metric("farm_compensations_total", _C, "jobs that began to undo, by reason", "reason"),
        _metric("farm_compensation_failures_total", _C, "failed attempts to undo a step", "step"),
        _metric(
            "farm_leases_reaped_total",
            _C,
            "jobs taken over in the middle, from a coordinator that stopped or went silent",
        ),
        _metric("farm_append_seconds", _H, "time of an append to the journal", bounds=FAST),
        _metric("farm_views_total", _C, "attempts of views, by how they ended and by engine", "outcome", "engine"),
        _metric("farm_view_seconds", _H, "time of a view's successful attempt", "engine", bounds=WORK),
        _metric("farm_view_retries_total", _C, "attempts of views that followed a failed one"),
        _metric("farm_cache_hits_total", _C, "views that were taken from the result cache"),
        _metric("farm_worker_memory_bytes", _G, "highest memory of the process that rendered last on a node", "node"),
        # What is under way: told by each coordinator.
        _metric("farm_render_slots", _G, "views the cluster can render at once"),
        _metric("farm_views_running", _G, "views that render", "shard"),
        _metric("farm_views_waiting", _G, "views that wait for a slot", "shard"),
        _metric("farm_nodes_avoided", _G, "nodes that a coordinator leaves alone after failures", "shard"),
        # Others that the coordinators speak to.
        _metric("farm_storage_seconds", _H, "time of a question to the object store", "operation", bounds=FAST),
        _metric("farm_storage_errors_total", _C, "questions the object store refused or failed", "operation", "code"),
        _metric("farm_shop_answers_total", _C, "answers of the shop, by what was asked", "operation", "outcome"),
        _metric("farm_shop_seconds", _H, "time of a question to the shop", "operation", bounds=FAST),
        _metric("farm_webhook_deliveries_total", _C, "attempts to deliver a webhook, by outcome", "outcome"),
    )
}


class Meter(Protocol):
    """Where metrics are told; never raises, never waits."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        ...

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Say how it stands."""
        ...

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        ...


class NoMeter:
    """Tells nobody."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        pass

    def gauge(self, name: str, value: float, **labels: str) -> None:
        pass

    def observe(self, name: str, value: float, **labels: str) -> None:
        pass
