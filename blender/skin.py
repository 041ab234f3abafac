"""The garment's surface as a viewer has it, compressed with Draco once: no design changes it. Needs no Blender.

The outside is a patch for each panel, with its places over the panel's box, which a print's texture is moved over. The
inside is a skin of its own, the cloth's thickness within the outside, with a rim that joins the two.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import DracoPy
import numpy as np
from numpy.typing import NDArray

from blender.occlusion import openness
from blender.protocol import PANELS
from blender.template import Mesh, load_template

POSITION_BITS, PLACE_BITS, NORMAL_BITS, DRACO_LEVEL = 14, 14, 10, 7
"""0.06 mm on a garment of a metre, for positions and for places on a panel."""
BOUNCED = 0.4
"""Part of the light that a fold's other side throws back."""
THICKNESS_CM = 0.12
_ATTRIBUTE = {0: "POSITION", 1: "NORMAL", 2: "COLOR_0", 3: "TEXCOORD_0"}
"""Draco's own numbers of attribute kinds."""

Points = NDArray[np.float32]
Shades = NDArray[np.uint8]
Rectangle = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Patch:
    """One compressed mesh.

    Attributes:
        data: what Draco made of it.
        vertices: how many a viewer will decode.
        indices: three for each triangle.
        low: least x, y, z that a viewer will decode, m.
        high: most.
        attributes: glTF's names, to Draco's numbers.
    """

    data: bytes
    vertices: int
    indices: int
    low: list[float]
    high: list[float]
    attributes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Skin:
    """All patches of a garment: upright, in metres, the front towards +z, the hem on the ground.

    Attributes:
        panels: the outside by panel; places run over the panel's box, 0..1.
        inside: plain cloth, its faces turned round; has no places.
        triangles: of the outside.
    """

    panels: dict[str, Patch]
    inside: Patch
    triangles: int

    @classmethod
    def of(cls, mesh: Mesh, boxes_cm: dict[str, Rectangle]) -> Self:
        """Compress a garment.

        Args:
            boxes_cm: x, y, width and height of the box that a panel's places run over.
        """
        points = to_gltf(mesh.points_cm)
        normals = smooth_normals(points, mesh.faces)
        shades = [
            _shade(share) for share in openness(points.astype(np.float64) * 100, normals.astype(np.float64), mesh.faces)
        ]
        press = _Press(points)
        panels: dict[str, Patch] = {}
        for number, panel in enumerate(PANELS):
            mine = mesh.face_panel == number
            if not mine.any():
                continue
            corners = np.concatenate(
                [mesh.faces[mine].reshape(-1, 1).astype(np.float64), mesh.corner_cm[mine].reshape(-1, 2)], axis=1
            )
            unique, faces = np.unique(corners, axis=0, return_inverse=True)
            vertices, box = unique[:, 0].astype(int), boxes_cm[panel]
            places = (unique[:, 1:] - box[:2]) / box[2:]
            panels[panel] = press(points[vertices], faces, normals[vertices], shades[0][vertices], places)
        return cls(panels, _inside(mesh, points, normals, shades, press), len(mesh.faces))


@lru_cache(maxsize=2)
def skin_of(folder: Path, sealed: str) -> Skin:
    """Return a template's skin, kept for the designs to come.

    Args:
        folder: the template's.
        sealed: its hash: a template built anew has another skin.

    Raises:
        ProtocolError: The template cannot be read, or has no sewn panels.
    """
    template = load_template(folder)
    boxes = {name: panel["relief"] for name, panel in template.panels.items()}
    return Skin.of(
        template.mesh(),
        {name: (box["x_cm"], box["y_cm"], box["width_cm"], box["height_cm"]) for name, box in boxes.items()},
    )


class _Press:
    """Compresses patches on one grid: vertices that a seam shares stay the same points, and no crack opens."""

    def __init__(self, points: Points) -> None:
        self._low = points.min(axis=0) - np.float32(0.01)
        self._reach_m = float((points.max(axis=0) - self._low).max()) + 0.01

    def __call__(
        self, points: Points, faces: NDArray[Any], normals: Points, shades: Shades, places: NDArray[Any] | None
    ) -> Patch:
        data = DracoPy.encode(
            points,
            faces.reshape(-1, 3).astype(np.uint32),
            quantization_bits=POSITION_BITS,
            quantization_origin=self._low,
            quantization_range=self._reach_m,
            compression_level=DRACO_LEVEL,
            normals=normals.astype(np.float64),
            colors=shades,
            normal_quantization_bits=NORMAL_BITS,
            tex_coord=None if places is None else places.astype(np.float64),
            tex_coord_quantization_bits=None if places is None else PLACE_BITS,
            create_metadata=False,
        )
        # What a viewer will decode: counts and bounds must be those, not the ones before rounding.
        mesh = DracoPy.decode(data)
        return Patch(
            data=data,
            vertices=len(mesh.points),
            indices=int(mesh.faces.size),
            low=mesh.points.min(0).tolist(),
            high=mesh.points.max(0).tolist(),
            attributes={_ATTRIBUTE[each["attribute_type"]]: each["unique_id"] for each in mesh.attributes},
        )


def _inside(mesh: Mesh, points: Points, normals: Points, shades: list[Shades], press: _Press) -> Patch:
    """The inside, the cloth's thickness within the outside, and a rim along the edges that joins the two."""
    count = len(points)
    within = points - np.float32(THICKNESS_CM / 100) * normals
    edges = _open_edges(mesh.faces)
    outer, inner = edges + count, edges + 2 * count
    rim = np.concatenate([np.stack([outer[:, 1], outer[:, 0], inner[:, 0]], axis=1),
                          np.stack([outer[:, 1], inner[:, 0], inner[:, 1]], axis=1)])  # fmt: skip
    whole = np.concatenate([within, points, within])
    used, faces = np.unique(np.concatenate([mesh.faces[:, ::-1], rim]), return_inverse=True)
    across = smooth_normals(whole, rim)
    turned = np.concatenate([-normals, across[count:]])
    shaded = np.concatenate([shades[1], shades[0], shades[0]])
    return press(whole[used], faces, turned[used], shaded[used], None)


def to_gltf(points_cm: Points) -> Points:
    """Garment axes (x to the wearer's left, y back, z up, cm) as glTF's (y up, front to +z, m), hem on the ground."""
    low, high = points_cm.min(axis=0), points_cm.max(axis=0)
    x, y, z = (points_cm - np.array([0.0, (low[1] + high[1]) / 2, low[2]], np.float32)).T
    return np.ascontiguousarray(np.stack([x, z, -y], axis=1) / np.float32(100))


def smooth_normals(points: Points, faces: NDArray[np.integer[Any]]) -> Points:
    """Unit normals of welded vertices, so that shading runs on across seams; weighted by area."""
    a, b, c = (points[faces[:, corner]].astype(np.float64) for corner in range(3))
    across = np.cross(b - a, c - a)
    total = np.stack(
        [
            sum(np.bincount(faces[:, corner], across[:, axis], len(points)) for corner in range(3))
            for axis in range(3)
        ],
        axis=1,
    )  # fmt: skip
    length = np.linalg.norm(total, axis=1, keepdims=True)
    up = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    return np.asarray(np.divide(total, length, out=up, where=length > 0), np.float32)


def _shade(open_share: NDArray[np.float64]) -> Shades:
    """What a vertex keeps of the light, (V, 4): cloth all round throws some of it back into a fold."""
    kept = open_share / (1 - BOUNCED * (1 - open_share))
    return np.repeat(np.rint(kept * 255).astype(np.uint8)[:, None], 4, axis=1) | np.array([0, 0, 0, 255], np.uint8)


def _open_edges(faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """Edges that belong to one face only, (E, 2), in that face's order: neck, sleeves and hem."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    _, index, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    return np.asarray(edges[index[count == 1]])
