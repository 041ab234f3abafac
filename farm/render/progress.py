"""How far a job is: 10 % once composed, views and frames up to 95 %, 100 % at the end."""

from collections.abc import Mapping
from typing import Any

from farm.domain.fingerprint import MODEL
from farm.domain.status import Phase, Status

COMPOSED_PERCENT = 10.0
RENDERED_PERCENT = 95.0
MODEL_WEIGHT = 0.5
"""A model takes a few seconds; a still takes about twice as long on a small machine."""


def job_progress(record: Mapping[str, Any], live: Mapping[str, float]) -> float:
    """Percent done, 0 to 100.

    Args:
        record: the job's.
        live: share done, 0 to 1, of the views and frames that render now, by name.
    """
    if record["status"] == Status.COMPLETED:
        return 100.0
    if record["status"] != Status.RENDERING:
        return 0.0
    return round(COMPOSED_PERCENT + (RENDERED_PERCENT - COMPOSED_PERCENT) * rendered_share(record, live), 2)


def rendered_share(record: Mapping[str, Any], live: Mapping[str, float]) -> float:
    """Share of the rendering that is done, 0 to 1; a frame of the film weighs as much as a still."""
    shares = [1.0 if view["status"] == "done" else live.get(view["view"], 0.0) for view in record["views"]]
    total, done = float(len(shares)), sum(shares)
    if record["film"]:
        total += record["film"]["frames"]
        done += record["film"]["frames_done"] + sum(share for name, share in live.items() if name.startswith("frame_"))
    model = record.get("model")
    if model:
        total += MODEL_WEIGHT
        done += MODEL_WEIGHT * (1.0 if model["status"] == "done" else live.get(MODEL, 0.0))
    return min(1.0, done / total) if total else 0.0


def eta_s(record: Mapping[str, Any], live: Mapping[str, float], now_s: float) -> float | None:
    """Seconds until the pictures are there, by what the first ones took; ``None`` while nothing can be said."""
    since_s = record["rendering_since_s"]
    if record["status"] != Status.RENDERING or record["phase"] != Phase.FORWARD or since_s is None:
        return None
    # What was taken from the result cache took no time, and says nothing of what is left.
    made = {**record, "views": [view for view in record["views"] if not view.get("cached")]}
    share = rendered_share(made, live)
    if share < 0.02:
        return None
    return round(max(0.0, now_s - float(since_s)) * (1.0 - share) / share, 1)
