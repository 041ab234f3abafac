"""From the draped simulation mesh to the mesh that is rendered: finer, softly uneven, with turned hems."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blender.drape import Positions
from blender.garment import Cloth, Indices, loops, open_edges
from blender.protocol import PANELS

_COLLAR = PANELS.index("collar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draped:
    """A cloth in space.

    Attributes:
        cloth: Panels, seams and texture coordinates.
        points_cm: (cloth.count, 3) float64.
    """

    cloth: Cloth
    points_cm: Positions


def vertex_normals(faces: Indices, points: Positions) -> Positions:
    """Return area-weighted unit normals, (V, 3)."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    normals = np.zeros_like(points)
    np.add.at(normals, faces.reshape(-1), np.repeat(np.cross(b - a, c - a), 3, axis=0))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _edge_ids(faces: Indices) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return unique edges (E, 2), each face's three edge numbers (M, 3), and faces per edge (E,)."""
    ends = np.sort(np.stack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]], axis=1).reshape(-1, 2), axis=1)
    edges, inverse, counts = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    return edges.astype(np.int64), inverse.reshape(-1, 3), counts


def _loop_points(faces: Indices, points: Positions) -> tuple[Positions, NDArray[np.int64]]:
    """Return Loop's new positions (old vertices first, then one per edge) and each face's edge numbers."""
    edges, of_face, counts = _edge_ids(faces)
    opposite = np.zeros((len(edges), 3))
    for corner in range(3):
        np.add.at(opposite, of_face[:, corner], points[faces[:, (corner + 2) % 3]])
    ends = points[edges[:, 0]] + points[edges[:, 1]]
    border = counts == 1
    middle = np.where(border[:, None], 0.5 * ends, 0.375 * ends + 0.125 * opposite)
    around, degree = np.zeros_like(points), np.zeros(len(points))
    rim, on_rim = np.zeros_like(points), np.zeros(len(points), dtype=bool)
    for ours, theirs in ((0, 1), (1, 0)):
        np.add.at(around, edges[:, ours], points[edges[:, theirs]])
        np.add.at(degree, edges[:, ours], 1.0)
        np.add.at(rim, edges[border, ours], points[edges[border, theirs]])
        on_rim[edges[border, ours]] = True
    beta = (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / degree)) ** 2) / degree
    inner = (1 - degree * beta)[:, None] * points + beta[:, None] * around
    kept = np.where(on_rim[:, None], 0.75 * points + 0.125 * rim, inner)
    return np.concatenate([kept, middle]), of_face


def _split(faces: Indices, of_face: NDArray[np.int64], vertices: int) -> Indices:
    a, b, c = faces.T
    ab, bc, ca = (of_face + vertices).T
    quarters = [np.stack(three, axis=1) for three in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.concatenate(quarters).astype(np.int32)


def subdivide(draped: Draped) -> Draped:
    """Split every face in four by Loop's scheme, in space and on the flat panels alike.

    The scheme moves the vertices it keeps; moving them on the panel too keeps prints from wobbling with the mesh.
    """
    cloth = draped.cloth
    points, space_edges = _loop_points(cloth.welded_faces, draped.points_cm)
    flat, flat_edges = _loop_points(cloth.faces, np.pad(cloth.flat_cm, ((0, 0), (0, 1))))
    edges, _, _ = _edge_ids(cloth.faces)
    weld = np.concatenate([cloth.weld, np.zeros(len(edges), np.int32)])
    weld[len(cloth.weld) + flat_edges.reshape(-1)] = cloth.count + space_edges.reshape(-1)
    finer = Cloth(
        flat_cm=flat[:, :2],
        panel=np.concatenate([cloth.panel, cloth.panel[edges[:, 0]]]),
        faces=_split(cloth.faces, flat_edges, len(cloth.flat_cm)),
        weld=weld.astype(np.int32),
        count=len(points),
    )
    return Draped(cloth=finer, points_cm=points)


def turn_hems(draped: Draped, *, depth_cm: float, thickness_cm: float, rib_thickness_cm: float) -> Draped:
    """Fold every open edge to the inside, so that hems and collar have a thickness and a rounded edge.

    The turned cloth continues its panel's coordinates beyond the edge, as the real seam allowance does.
    """
    cloth = draped.cloth
    normals = vertex_normals(cloth.welded_faces, draped.points_cm)
    pattern_edges = open_edges(cloth.faces)
    welded_open = {tuple(pair) for pair in open_edges(cloth.welded_faces).tolist()}
    pattern_edges = np.array(
        [pair for pair in pattern_edges.tolist() if (int(cloth.weld[pair[0]]), int(cloth.weld[pair[1]])) in welded_open]
    )
    points, flat, panel, weld = [draped.points_cm], [cloth.flat_cm], [cloth.panel], [cloth.weld]
    rim = np.unique(cloth.weld[pattern_edges])
    inward, is_rib = _inward(cloth, draped.points_cm, normals), np.zeros(cloth.count, dtype=bool)
    is_rib[cloth.weld[cloth.panel == _COLLAR]] = True
    on_seam = np.zeros(cloth.count, dtype=bool)
    on_seam[cloth.weld[cloth.panel != _COLLAR]] = True
    thick = np.where(is_rib & ~on_seam, rib_thickness_cm, thickness_cm)[rim][:, None]
    here, inside, down = draped.points_cm[rim], -normals[rim], inward[rim]
    profile = (
        here + 0.15 * thick * inside - 0.30 * thick * down,
        here + 0.50 * thick * inside - 0.50 * thick * down,
        here + 0.85 * thick * inside - 0.30 * thick * down,
        here + thick * inside + 0.15 * thick * down,
        here + 0.9 * thick * inside + 0.5 * depth_cm * down,
        here + 0.6 * thick * inside + depth_cm * down,
    )
    flat_rim = np.unique(pattern_edges)
    slot = np.full(len(cloth.weld), -1)
    slot[flat_rim] = np.arange(len(flat_rim))
    place = np.full(cloth.count, -1)
    place[rim] = np.arange(len(rim))
    outward = np.where(cloth.panel[flat_rim] == _COLLAR, -1.0, 1.0)
    rows, beyond = [flat_rim], 0.0
    flats, count = len(cloth.flat_cm), cloth.count
    for ring, row in enumerate(profile):
        beyond += 0.5 * thickness_cm if ring < 4 else 0.5 * depth_cm
        points.append(row)
        flat.append(cloth.flat_cm[flat_rim] + np.stack([np.zeros(len(flat_rim)), outward * beyond], axis=1))
        panel.append(cloth.panel[flat_rim])
        weld.append((count + place[cloth.weld[flat_rim]]).astype(np.int32))
        rows.append(flats + np.arange(len(flat_rim)))
        flats, count = flats + len(flat_rim), count + len(rim)
    faces = [cloth.faces]
    start, end = slot[pattern_edges[:, 0]], slot[pattern_edges[:, 1]]
    for upper, lower in pairwise(rows):
        a, b, c, d = upper[start], upper[end], lower[start], lower[end]
        faces += [np.stack([b, a, c], axis=1), np.stack([b, c, d], axis=1)]
    return Draped(
        cloth=replace(
            cloth,
            flat_cm=np.concatenate(flat),
            panel=np.concatenate(panel),
            faces=np.concatenate(faces).astype(np.int32),
            weld=np.concatenate(weld).astype(np.int32),
            count=count,
        ),
        points_cm=np.concatenate(points),
    )


def _inward(cloth: Cloth, points: Positions, normals: Positions) -> Positions:
    """Return, at open edges, the unit direction along the cloth away from the edge, smoothed round the loop."""
    inward = np.zeros_like(points)
    for loop in loops(open_edges(cloth.welded_faces)):
        along = np.roll(points[loop], -1, axis=0) - np.roll(points[loop], 1, axis=0)
        direction = np.cross(normals[loop], along)
        for _ in range(6):
            direction = (np.roll(direction, 1, axis=0) + 2 * direction + np.roll(direction, -1, axis=0)) / 4
        inward[loop] = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return inward


def crumple(draped: Draped, *, height_cm: float, seed: int) -> Draped:
    """Add the slight unevenness of washed cotton: smooth noise along the normal, from about 1.5 to 6 cm long."""
    random = np.random.default_rng(seed)
    points = draped.points_cm
    relief = np.zeros(len(points))
    for length_cm, share in ((6.0, 1.0), (3.5, 0.6), (1.8, 0.25)):
        waves = random.normal(size=(24, 3))
        waves /= np.linalg.norm(waves, axis=1, keepdims=True)
        waves *= (2 * np.pi / length_cm) * random.uniform(0.6, 1.4, (24, 1))
        phases = random.uniform(0, 2 * np.pi, 24)
        relief += share * np.sin(points @ waves.T + phases).sum(axis=1) / np.sqrt(24)
    normals = vertex_normals(draped.cloth.welded_faces, points)
    return Draped(cloth=draped.cloth, points_cm=points + height_cm * relief[:, None] * normals)
