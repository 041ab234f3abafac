"""How large the texture square is on the cloth: measured on the printed faces. Imports bpy inside functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.blend.graph import Printed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedFaces:
    """All triangles that carry the print.

    Attributes:
        corners_cm: (F, 3, 3) in the scene's axes.
        uv: (F, 3, 2) texture coordinates.
    """

    corners_cm: Floats
    uv: Floats

    def jacobians(self) -> tuple[Floats, Floats]:
        """Return what one unit of u and of v is on the cloth, (F, 3) cm each; NaN where a triangle has no extent."""
        edges = np.stack([self.corners_cm[:, 1] - self.corners_cm[:, 0], self.corners_cm[:, 2] - self.corners_cm[:, 0]])
        flat = np.stack([self.uv[:, 1] - self.uv[:, 0], self.uv[:, 2] - self.uv[:, 0]])
        determinant = flat[0, :, 0] * flat[1, :, 1] - flat[0, :, 1] * flat[1, :, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            along_u = (edges[0] * flat[1, :, 1:] - edges[1] * flat[0, :, 1:]) / determinant[:, None]
            along_v = (edges[1] * flat[0, :, :1] - edges[0] * flat[1, :, :1]) / determinant[:, None]
        nowhere = np.abs(determinant) < 1e-12
        along_u[nowhere] = along_v[nowhere] = np.nan
        return along_u, along_v

    def areas_cm2(self) -> Floats:
        """Return each triangle's area, (F,)."""
        a, b, c = (self.corners_cm[:, corner] for corner in range(3))
        return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)

    def facing(self, eye_cm: Floats) -> NDArray[np.bool_]:
        """Return which triangles turn their face, whichever of its sides, to a point rather than past it, (F,)."""
        a, b, c = (self.corners_cm[:, corner] for corner in range(3))
        normal, toward = np.cross(b - a, c - a), eye_cm - self.corners_cm.mean(axis=1)
        length = np.linalg.norm(normal, axis=1) * np.linalg.norm(toward, axis=1)
        return np.abs((normal * toward).sum(axis=1)) > 0.5 * np.maximum(length, 1e-12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The texture square on the cloth.

    Attributes:
        width_cm, height_cm: What its sides measure, the median over the area.
        spread: How much that differs over the printed cloth: (95th − 5th percentile) over the median, the worse side's.
        mirrored: Share of the area on which u runs to the left as seen by the camera.
        upside_down: Share of the area on which v runs downwards.
    """

    width_cm: float
    height_cm: float
    spread: float
    mirrored: float
    upside_down: float


def measure(faces: PrintedFaces, right: Floats, up: Floats, weight: Floats) -> Scale | None:
    """Measure the square over the triangles that have weight; None where there are none.

    Args:
        faces: All that carry the print.
        right, up: (3,) as the front camera sees it.
        weight: (F,) area that counts.
    """
    along_u, along_v = faces.jacobians()
    counts = (weight > 0) & np.isfinite(along_u).all(axis=1)
    if not counts.any():
        return None
    weight = weight[counts]
    widths, heights = (np.linalg.norm(one[counts], axis=1) for one in (along_u, along_v))
    bands = [[_weighted(one, weight, share) for share in (0.05, 0.5, 0.95)] for one in (widths, heights)]
    backwards, downwards = along_u[counts] @ right < 0, along_v[counts] @ up < 0
    return Scale(
        width_cm=bands[0][1],
        height_cm=bands[1][1],
        spread=max((high - low) / middle for low, middle, high in bands),
        mirrored=float(weight[backwards].sum() / weight.sum()),
        upside_down=float(weight[downwards].sum() / weight.sum()),
    )


def _weighted(values: Floats, weight: Floats, share: float) -> float:
    order = np.argsort(values)
    along = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(along, share)])


def printed_faces(objects: Sequence[Any], printed: Sequence[Printed], *, cm_per_unit: float) -> PrintedFaces:
    """Collect the triangles that carry a printed material, modifiers applied."""
    found = list(_faces(objects, printed, cm_per_unit))
    if not found:
        return PrintedFaces(corners_cm=np.zeros((0, 3, 3)), uv=np.zeros((0, 3, 2)))
    return PrintedFaces(
        corners_cm=np.concatenate([corners for corners, _ in found]), uv=np.concatenate([uv for _, uv in found])
    )


def _faces(objects: Sequence[Any], printed: Sequence[Printed], cm_per_unit: float) -> Iterator[tuple[Floats, Floats]]:
    import bpy

    maps = {one.material.name: one.uv_map for one in printed}
    graph = bpy.context.evaluated_depsgraph_get()
    for thing in objects:
        evaluated = thing.evaluated_get(graph)
        mesh = evaluated.to_mesh()
        try:
            slots = [slot.material.name if slot.material else "" for slot in evaluated.material_slots] or [""]
            mesh.calc_loop_triangles()
            count = len(mesh.loop_triangles)
            loops, vertices = np.empty(3 * count, np.int32), np.empty(3 * count, np.int32)
            material = np.empty(count, np.int32)
            mesh.loop_triangles.foreach_get("loops", loops)
            mesh.loop_triangles.foreach_get("vertices", vertices)
            mesh.loop_triangles.foreach_get("material_index", material)
            points = np.empty(3 * len(mesh.vertices), np.float32)
            mesh.vertices.foreach_get("co", points)
            matrix = np.array(evaluated.matrix_world, np.float64)
            world = (points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]) * cm_per_unit
            for index, name in enumerate(slots):
                layer = uv_layer(mesh, maps[name]) if name in maps else None
                mine = np.minimum(material, len(slots) - 1) == index
                if layer is None or not mine.any():
                    continue
                flat = np.empty(2 * len(mesh.loops), np.float32)
                layer.uv.foreach_get("vector", flat)
                uv = flat.reshape(-1, 2)[loops.reshape(-1, 3)[mine]].astype(np.float64)
                yield world[vertices.reshape(-1, 3)[mine]], uv
        finally:
            evaluated.to_mesh_clear()


def uv_layer(mesh: Any, name: str) -> Any:
    """Return a mesh's texture coordinates of that name, the active ones without a name, or None."""
    if name:
        return mesh.uv_layers.get(name)
    return next((layer for layer in mesh.uv_layers if layer.active_render), None)
