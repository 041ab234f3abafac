"""The garment as the camera model sees it: from a place in the picture to the cloth, and back."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.protocol import PANELS, VIEW_AZIMUTH_DEG
from blender.template import Mesh, load_template
from blender.views import Camera


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of the cloth: in space, and on its panel."""

    point_cm: NDArray[np.float64]
    panel: str
    x_cm: float
    y_cm: float


@dataclass(frozen=True)
class Surface:
    """The template's mesh before the six cameras."""

    mesh: Mesh
    camera: Camera

    @classmethod
    def of(cls, folder: Path) -> "Surface":
        template = load_template(folder)
        return cls(template.mesh(), Camera.of(template.facts["camera"]))

    @cached_property
    def _tree(self) -> Any:
        from mathutils.bvhtree import BVHTree

        return BVHTree.FromPolygons(self.mesh.points_cm.tolist(), self.mesh.faces.tolist())

    def look(self, view: str, x_px: float, y_px: float, side_px: int) -> Spot | None:
        """The cloth under a place in a square picture; ``x_px, y_px`` count from its left top corner."""
        import bpy  # noqa: F401  # mathutils comes with it, and pictures that are there already did not need it
        from mathutils import Vector

        azimuth, pitch = VIEW_AZIMUTH_DEG[view], self.camera.sensor_mm / self.camera.focal_mm / side_px
        axes = self.camera.axes(azimuth)
        across, down = (x_px - side_px / 2) * pitch, (y_px - side_px / 2) * pitch
        direction = axes[:, 0] * across - axes[:, 1] * down - axes[:, 2]
        hit, _, face, _ = self._tree.ray_cast(Vector(self.camera.position_cm(azimuth)), Vector(direction))
        if face is None:
            return None
        point = np.array(hit)
        a, b, c = self.mesh.points_cm[self.mesh.faces[face]].astype(np.float64)
        weights = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), point - a, rcond=None)[0]
        corners = self.mesh.corner_cm[face].astype(np.float64)
        x_cm, y_cm = corners[0] + weights[0] * (corners[1] - corners[0]) + weights[1] * (corners[2] - corners[0])
        return Spot(point, PANELS[self.mesh.face_panel[face]], float(x_cm), float(y_cm))

    def point_cm(self, panel: str, x_cm: float, y_cm: float) -> NDArray[np.float64]:
        """Where a point of a panel hangs in space, (3,).

        Raises:
            ValueError: the panel has no such point.
        """
        faces = np.flatnonzero(self.mesh.face_panel == PANELS.index(panel))
        a, b, c = np.moveaxis(self.mesh.corner_cm[faces].astype(np.float64), 1, 0)
        area = _cross(b - a, c - a)
        at = np.array([x_cm, y_cm])
        v, w = _cross(at - a, c - a) / area, _cross(b - a, at - a) / area
        inside = np.minimum(np.minimum(v, w), 1 - v - w)
        best = int(np.argmax(inside))
        if inside[best] < -1e-3:
            raise ValueError(f"the {panel} has no point at {x_cm}, {y_cm} cm")
        corners = self.mesh.points_cm[self.mesh.faces[faces[best]]].astype(np.float64)
        return np.asarray([1 - v[best] - w[best], v[best], w[best]] @ corners)

    def place_px(self, view: str, point_cm: NDArray[np.float64], side_px: int) -> tuple[float, float]:
        """Where a point in space lands in a square picture."""
        x, y, _ = self.camera.project(point_cm[None], VIEW_AZIMUTH_DEG[view])[0]
        return float(x * side_px), float(y * side_px)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def area_strain(mesh: Mesh, panel: str, left_cm: float, top_cm: float, right_cm: float, bottom_cm: float) -> Any:
    """Each face's area on the garment over its area on the pattern, minus one, within a rectangle of a panel."""
    mine = mesh.face_panel == PANELS.index(panel)
    centre = mesh.corner_cm.mean(axis=1)
    mine &= (centre[:, 0] > left_cm) & (centre[:, 0] < right_cm) & (centre[:, 1] > top_cm) & (centre[:, 1] < bottom_cm)
    flat, hung = mesh.corner_cm[mine].astype(np.float64), mesh.points_cm[mesh.faces[mine]].astype(np.float64)
    cut = np.abs(_cross(flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]))
    worn = np.linalg.norm(np.cross(hung[:, 1] - hung[:, 0], hung[:, 2] - hung[:, 0]), axis=1)
    return worn / cut - 1
