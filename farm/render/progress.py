"""How far a job is: 10 % once composed, views and frames up to 95 %, 100 % at the end. It never runs back.

An attempt that fails takes back nothing of what was told: a view counts by its best attempt until one passes it.
"""

from collections.abc import Mapping
from typing import Any

from farm.domain.fingerprint import MODEL
from farm.domain.status import Phase, Status
from farm.render.tasks.heartbeat import Shares

COMPOSED_PERCENT = 10.0
RENDERED_PERCENT = 95.0
MODEL_WEIGHT = 0.5
"""A model takes a few seconds; a still takes about twice as long on a small machine."""

NOTHING = Shares()

LEFT_OUT_STATUS = "left_out"
"""Of a film or a model that could not be made: the job goes on without it."""


def job_progress(record: Mapping[str, Any], shares: Shares = NOTHING) -> float:
    """Percent done, 0 to 100; of a job that failed or was cancelled: how far it had come.

    Args:
        record: the job's, its views as they were made, undone or not.
        shares: of the views that render now.
    """
    if record["status"] == Status.COMPLETED:
        return 100.0
    if record["rendering_since_s"] is None:
        return 0.0
    return round(COMPOSED_PERCENT + (RENDERED_PERCENT - COMPOSED_PERCENT) * rendered_share(record, shares), 2)


def rendered_share(record: Mapping[str, Any], shares: Shares) -> float:
    """Share of the rendering that is done, 0 to 1; a frame of the film weighs as much as a still, once it is done."""
    parts = [view_share(view, view["view"], shares) for view in record["views"]]
    total, done = float(len(parts)), sum(parts)
    if record["film"] and record["film"].get("status") != LEFT_OUT_STATUS:
        total += record["film"]["frames"]
        done += record["film"]["frames_done"]
    model = record.get("model")
    if model and model["status"] != LEFT_OUT_STATUS:
        total += MODEL_WEIGHT
        done += MODEL_WEIGHT * view_share(model, MODEL, shares)
    return min(1.0, done / total) if total else 0.0


def view_share(view: Mapping[str, Any], name: str, shares: Shares) -> float:
    """How far a view or the model is, 0 to 1, by the best of its attempts."""
    if view["status"] == "done":
        return 1.0
    return max(shares.now.get(name, 0.0), shares.farthest.get(name, 0.0))


def eta_s(record: Mapping[str, Any], shares: Shares, now_s: float) -> float | None:
    """Seconds until the pictures are there, by what the first ones took; ``None`` while nothing can be said."""
    since_s = record["rendering_since_s"]
    if record["status"] != Status.RENDERING or record["phase"] != Phase.FORWARD or since_s is None:
        return None
    # What was taken from the result cache took no time, and says nothing of what is left.
    made = {**record, "views": [view for view in record["views"] if not view.get("cached")]}
    share = rendered_share(made, shares)
    if share < 0.02:
        return None
    return round(max(0.0, now_s - float(since_s)) * (1.0 - share) / share, 1)


def with_shares(record: Mapping[str, Any], shares: Shares, now_s: float) -> dict[str, Any]:
    """A running job's record with what its workers tell this moment: views, model, the whole, and the time left."""
    if record["status"] != Status.RENDERING:
        return {**record, "eta_s": None}
    model = record.get("model")
    return {
        **record,
        "views": [_as_it_is(view, view["view"], shares) for view in record["views"]],
        "model": _as_it_is(model, MODEL, shares) if model else model,
        "progress": job_progress(record, shares),
        "eta_s": eta_s(record, shares, now_s),
    }


def _as_it_is(view: Mapping[str, Any], name: str, shares: Shares) -> dict[str, Any]:
    """A view whose attempt was journaled renders only once a worker has reported; until then it waits for a slot."""
    if view["status"] == "done":
        return dict(view)
    waits = view["status"] == "rendering" and name not in shares.now
    return {
        **view, "status": "waiting" if waits else view["status"], "progress": round(view_share(view, name, shares), 3)
    }  # fmt: skip
