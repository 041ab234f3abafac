"""About how long one core works on pictures, by figures measured on a small machine: good for an order of magnitude."""

from collections.abc import Mapping
from typing import Any

HOUR_S = 3600.0
ROW_S = 0.03
"""Core seconds beside the views: fetching, decoding, composing."""
RELIT_S, RELIT_PX_S = 0.02, 0.35
"""Core seconds of a relit view: fixed, and for the pixels of 1024 x 1024."""
CYCLES_S, CYCLES_PX_SAMPLES_S = 1.5, 0.9
"""Core seconds of a path-traced view: fixed, and for the pixels of 1024 x 1024 with one sample."""
MODEL_S = 5.0
"""Core seconds of an interactive 3D model."""


def core_seconds(engine: str, request: Mapping[str, Any], views: int | None = None) -> float:
    """Core seconds of so many views of a request, by default of all."""
    count, share = len(request["views"]) if views is None else views, (int(request["size"]) / 1024) ** 2
    if engine == "relight":
        return ROW_S + count * (RELIT_S + RELIT_PX_S * share)
    return ROW_S + count * (CYCLES_S + CYCLES_PX_SAMPLES_S * share * int(request["samples"]))
