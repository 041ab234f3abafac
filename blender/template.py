"""A garment template: a folder that describes itself, read and checked before it is used."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.protocol import PANELS, VIEW_AZIMUTH_DEG, ProtocolError
from blender.seal import broken_seals

SCHEMA = 1

Box = tuple[float, float, float, float]
"""Left, top, width and height on a panel, in cm; y runs down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """The draped garment as it is rendered.

    Attributes:
        points_cm: (V, 3) float32; x to the wearer's left, y to the back, z up.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        corner_cm: (F, 3, 2) float32, panel coordinates of every face corner.
        face_panel: (F,) int8, index into :data:`~blender.protocol.PANELS`.
    """

    points_cm: NDArray[np.float32]
    faces: NDArray[np.int32]
    corner_cm: NDArray[np.float32]
    face_panel: NDArray[np.int8]


class Kind(StrEnum):
    """What a template was made from."""

    SEWN = "sewn"
    """A sewing pattern of ours, draped."""
    BLEND = "blend"
    """A shop's own ``.blend``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template folder that has been read.

    Attributes:
        folder: Where it lies.
        facts: ``template.json``.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        """Name and version, for messages."""
        return f"{self.facts['id']} {self.facts['version']}"

    @property
    def kind(self) -> Kind:
        """What it was made from."""
        return Kind(self.facts.get("kind", Kind.SEWN))

    @property
    def panels(self) -> dict[str, dict[str, Any]]:
        """Extents, print area and outline of each panel."""
        return dict(self.facts["panels"])

    @property
    def boxes_cm(self) -> tuple[Box, ...]:
        """Left, top, width and height of each panel, in the order of the mesh's numbers."""
        return tuple(
            (one["x_min_cm"], one["y_min_cm"], one["x_max_cm"] - one["x_min_cm"], one["y_max_cm"] - one["y_min_cm"])
            for one in (self.facts["panels"][panel] for panel in PANELS)
        )

    def mesh(self) -> Mesh:
        """Read the mesh.

        Raises:
            ProtocolError: The garment is a shop's own file and has no panels that were sewn.
        """
        if self.kind is not Kind.SEWN:
            raise ProtocolError(f"{self.id} is a .blend file: it has no sewn panels")
        with np.load(self.folder / "mesh.npz", allow_pickle=False) as stored:
            corners = np.cumsum(stored["corners"].reshape(-1), dtype=np.int32).reshape(-1, 3)
            return Mesh(
                points_cm=stored["points_cm"],
                faces=np.cumsum(stored["faces"].reshape(-1), dtype=np.int32).reshape(-1, 3),
                corner_cm=stored["flat_cm"][corners],
                face_panel=stored["face_panel"],
            )


def load_template(folder: Path, *, verify: bool = False) -> Template:
    """Read ``template.json``.

    Args:
        folder: The template's folder.
        verify: Whether to compare every file, and the facts themselves, with the recorded hashes.

    Raises:
        ProtocolError: The folder is no template, is incomplete, of another schema, or altered.
    """
    try:
        facts = json.loads((folder / "template.json").read_bytes())
    except OSError as exc:
        raise ProtocolError(f"template {folder}: {exc.strerror or exc}: template.json") from exc
    except ValueError as exc:
        raise ProtocolError(f"template {folder}: template.json is not JSON: {exc}") from exc
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise ProtocolError(f"template {folder}: not of schema {SCHEMA}")
    for name in facts["files"]:
        if not (folder / name).is_file():
            raise ProtocolError(f"template {folder}: {name} is missing")
    for broken in broken_seals(folder, facts) if verify else ():
        raise ProtocolError(f"template {folder}: {broken}")
    if facts.get("kind", Kind.SEWN) not in set(Kind):
        raise ProtocolError(f"template {folder}: unknown kind {facts['kind']!r}")
    panels = set(facts["panels"])
    whole = panels == set(PANELS) if facts.get("kind", Kind.SEWN) == Kind.SEWN else panels and panels <= set(PANELS)
    if not whole or set(facts["cameras"]) != set(VIEW_AZIMUTH_DEG):
        raise ProtocolError(f"template {folder}: panels or cameras are missing")
    if not math.isfinite(facts["camera"]["distance_cm"]):
        raise ProtocolError(f"template {folder}: the camera has no distance")
    return Template(folder=folder, facts=facts)
