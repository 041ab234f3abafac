"""A view's fingerprint: SHA-256 over all that determines its pixels, so that equal work is recognised."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

PICTURE_VERSION = 3
"""Raised when the composer or the renderer changes what the same request looks like."""

MODEL = "model"
"""In the place of a view's name: the interactive 3D model."""
RELIGHT = "relight"
"""The engine whose pictures no number of samples determines."""
_CONCERNS_THE_MODEL = ("placements", "fabric_color", "template")
_CONCERNS_A_VIEW = (
    "placements",
    "fabric_color",
    "background_color",
    "shadow",
    "size",
    "aspect",
    "samples",
    "format",
    "engine",
    "template",
)


def fingerprint(
    *,
    tenant: str,
    view: str,
    designs: Sequence[str],
    request: Mapping[str, Any],
    template_hash: str,
    renderer: str,
    device: str,
) -> str:
    """Hexadecimal SHA-256.

    Args:
        view: its name, `frame_name` of a film's frame, or `MODEL`.
        designs: SHA-256 of each normalised design.
        request: the normalised request (`farm.render.prepare`), placements resolved, ``engine`` the one that made it.
        renderer: name and version of the renderer, such as ``bpy 5.2.3``.
        device: the kind of device; CPU and GPU differ in the last bits.
    """
    concerns: tuple[str, ...] = _CONCERNS_THE_MODEL if view == MODEL else _CONCERNS_A_VIEW
    if request.get("engine") == RELIGHT:
        concerns = tuple(name for name in concerns if name != "samples")
    material = {
        "picture": PICTURE_VERSION,
        "tenant": tenant,
        "view": view,
        "designs": list(designs),
        "request": {name: request.get(name) for name in concerns},
        "template": template_hash,
        "renderer": renderer,
        "device": device,
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def frame_name(azimuth_deg: float) -> str:
    """What stands in place of a view's name for a film's frame; a frame has no alpha, so it is no view's picture."""
    return f"frame at {azimuth_deg % 360.0:.3f}"
