"""From flat pattern to one welded cloth: panels meshed, seams joined, and the checks a drape must pass.

A garment keeps two vertex lists. *Pattern vertices* live flat on one panel, in centimetres, and are the texture
coordinates. *Cloth vertices* live in space; a seam is a place where several pattern vertices are one cloth vertex.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from blender.pattern import HalfPanel, Pattern, Points, length_cm, resample
from blender.protocol import PANELS

Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatPanel:
    """One meshed panel.

    Attributes:
        points_cm: (N, 2) panel coordinates.
        faces: (M, 3), counter-clockwise seen from outside.
        edges: Seam edge to vertex indices; ``+`` and ``-`` mark the side of x, both run away from the centre.
    """

    points_cm: Points
    faces: Indices
    edges: Mapping[str, Indices]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloth:
    """All panels with their seams welded.

    Attributes:
        flat_cm: (U, 2) float64, panel coordinates of the pattern vertices.
        panel: (U,) int8, index into :data:`~blender.protocol.PANELS`.
        faces: (M, 3) int32, pattern vertices, counter-clockwise seen from outside.
        weld: (U,) int32, the cloth vertex of each pattern vertex.
        count: Number of cloth vertices.
    """

    flat_cm: Points
    panel: NDArray[np.int8]
    faces: Indices
    weld: Indices
    count: int

    @property
    def welded_faces(self) -> Indices:
        """(M, 3) faces over cloth vertices."""
        return self.weld[self.faces]

    @property
    def face_panel(self) -> NDArray[np.int8]:
        """(M,) panel of each face."""
        return self.panel[self.faces[:, 0]]


def _inside(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """Return which (N, 2) points lie inside the closed polygon (even-odd rule)."""
    inside = np.zeros(len(points), dtype=bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _boundary_distance(points: Points, polygon: Points) -> NDArray[np.float64]:
    nearest = np.full(len(points), np.inf)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        along = end - start
        t = np.clip((points - start) @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(*(points - start - t[:, None] * along).T))
    return nearest


def _triangulate(points: Points, polygon: Points) -> Indices:
    faces: Indices = Delaunay(points).simplices.astype(np.int32)
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    kept = (np.abs(area) > 1e-6) & _inside((a + b + c) / 3, polygon)
    faces, area = faces[kept], area[kept]
    # y points down, so a positive area is clockwise to the eye: turn those round.
    faces[area > 0] = faces[area > 0][:, ::-1]
    return faces


def mesh_half(half: HalfPanel, *, edge_cm: float) -> FlatPanel:
    """Mesh half a panel and mirror it, so that left and right are exactly alike.

    Raises:
        ValueError: The outline is too tight for this edge length.
    """
    lines = [resample(edge, max(2, round(length_cm(edge) / edge_cm))) for edge in half.edges.values()]
    centre = np.array([lines[-1][-1], lines[0][0]])
    lines.append(resample(centre, max(2, round(length_cm(centre) / edge_cm))))
    starts = np.cumsum([0] + [len(line) - 1 for line in lines])
    outline = np.concatenate([line[:-1] for line in lines])
    edges = {
        name: np.arange(first, last + 1, dtype=np.int32)
        for name, first, last in zip(half.edges, starts, starts[1:], strict=False)
    }
    low, high = outline.min(axis=0), outline.max(axis=0)
    rows = np.arange(low[1], high[1], edge_cm * np.sqrt(0.75))
    lattice = np.concatenate([_row(edge_cm * (0.75 + 0.5 * (i % 2)), high[0], y, edge_cm) for i, y in enumerate(rows)])
    lattice = lattice[_inside(lattice, outline)]
    lattice = lattice[_boundary_distance(lattice, outline) > 0.6 * edge_cm]
    points = np.concatenate([outline, lattice])
    for _ in range(4):
        faces = _triangulate(points, outline)
        points = _relaxed(points, faces, fixed=len(outline))
    faces = _triangulate(points, outline)
    _check_boundary(faces, len(outline), half.name)
    return _mirrored(points, faces, edges)


def _row(first_cm: float, end_cm: float, y_cm: float, step_cm: float) -> Points:
    x = np.arange(first_cm, end_cm, step_cm)
    return np.stack([x, np.full_like(x, y_cm)], axis=1)


def _relaxed(points: Points, faces: Indices, *, fixed: int) -> Points:
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    total = np.zeros_like(points)
    degree = np.zeros(len(points))
    for ours, theirs in ((0, 1), (1, 0)):
        np.add.at(total, pairs[:, ours], points[pairs[:, theirs]])
        np.add.at(degree, pairs[:, ours], 1.0)
    relaxed = points.copy()
    relaxed[fixed:] = 0.5 * points[fixed:] + 0.5 * total[fixed:] / degree[fixed:, None]
    return relaxed


def _check_boundary(faces: Indices, outline_count: int, name: str) -> None:
    pairs = {tuple(sorted(pair)) for face in faces.tolist() for pair in zip(face, face[1:] + face[:1], strict=True)}
    lost = [i for i in range(outline_count) if tuple(sorted((i, (i + 1) % outline_count))) not in pairs]
    if lost:
        raise ValueError(f"panel {name}: the mesh misses {len(lost)} edges of its outline; use shorter edges")


def _mirrored(points: Points, faces: Indices, edges: Mapping[str, Indices]) -> FlatPanel:
    on_centre = points[:, 0] < 1e-9
    twin = np.full(len(points), -1, dtype=np.int32)
    twin[on_centre] = np.flatnonzero(on_centre)
    twin[~on_centre] = len(points) + np.arange(np.count_nonzero(~on_centre))
    both = {f"{name}+": edge for name, edge in edges.items()}
    both |= {f"{name}-": twin[edge] for name, edge in edges.items()}
    return FlatPanel(
        points_cm=np.concatenate([points, points[~on_centre] * (-1.0, 1.0)]),
        faces=np.concatenate([faces, twin[faces][:, ::-1]]).astype(np.int32),
        edges=both,
    )


def mesh_rib(pattern: Pattern, front: FlatPanel, back: FlatPanel, *, rows: int) -> FlatPanel:
    """Mesh the collar rib as a strip whose columns meet the vertices of the neckline.

    x = 0 is the front centre, y = 0 the collar seam, y < 0 towards the neck; both ends meet at the back centre.
    """
    steps = np.concatenate(
        [
            np.hypot(*np.diff(front.points_cm[front.edges["neck+"]], axis=0).T),
            np.hypot(*np.diff(back.points_cm[back.edges["neck+"]], axis=0).T)[::-1],
        ]
    )
    along = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum() * pattern.rib_length_cm / 2
    x = np.concatenate([-along[:0:-1], along])
    columns = len(along)
    y = -np.linspace(0.0, pattern.measures.rib_width_cm, rows + 1)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    corner = (np.arange(rows)[:, None] * len(x) + np.arange(len(x) - 1)).reshape(-1)
    here, right, up, up_right = corner, corner + 1, corner + len(x), corner + len(x) + 1
    # Diagonals lean towards the centre on both sides, so that the strip is symmetric.
    leans = points[here, 0] + points[right, 0] > 0
    first = np.where(leans[:, None], np.stack([here, right, up_right], 1), np.stack([here, right, up], 1))
    second = np.where(leans[:, None], np.stack([here, up_right, up], 1), np.stack([right, up_right, up], 1))
    seam = np.arange(len(x), dtype=np.int32)
    return FlatPanel(
        points_cm=points,
        faces=np.concatenate([first, second]).astype(np.int32),
        edges={
            "seam+": seam[columns - 1 :],
            "seam-": seam[columns - 1 :: -1],
            "end+": seam[-1] + np.arange(rows + 1, dtype=np.int32) * len(x),
            "end-": np.arange(rows + 1, dtype=np.int32) * len(x),
        },
    )


def sew(pattern: Pattern, *, edge_cm: float, rib_rows: int) -> Cloth:
    """Mesh every panel and weld every seam.

    Raises:
        ValueError: Two edges of a seam have different numbers of vertices.
    """
    front, back = mesh_half(pattern.front, edge_cm=edge_cm), mesh_half(pattern.back, edge_cm=edge_cm)
    sleeve = mesh_half(pattern.sleeve, edge_cm=edge_cm)
    collar = mesh_rib(pattern, front, back, rows=rib_rows)
    panels = dict(zip(PANELS, (front, back, sleeve, sleeve, collar), strict=True))
    offsets = dict(zip(PANELS, np.cumsum([0] + [len(panel.points_cm) for panel in panels.values()]), strict=False))

    def edge(panel: str, name: str) -> Indices:
        return (panels[panel].edges[name] + offsets[panel]).astype(np.int32)

    def neckline(front_side: str, back_side: str) -> Indices:
        return np.concatenate([edge("front", f"neck{front_side}"), edge("back", f"neck{back_side}")[-2::-1]])

    # Seen from behind, x > 0 is the wearer's right; on sleeves it is the back of the left and the front of the right.
    seams = [
        (edge("front", "shoulder+"), edge("back", "shoulder-")),
        (edge("front", "shoulder-"), edge("back", "shoulder+")),
        (edge("front", "side+"), edge("back", "side-")),
        (edge("front", "side-"), edge("back", "side+")),
        (edge("front", "armhole+"), edge("sleeve_left", "cap-")),
        (edge("back", "armhole-"), edge("sleeve_left", "cap+")),
        (edge("front", "armhole-"), edge("sleeve_right", "cap+")),
        (edge("back", "armhole+"), edge("sleeve_right", "cap-")),
        (edge("sleeve_left", "underarm+"), edge("sleeve_left", "underarm-")),
        (edge("sleeve_right", "underarm+"), edge("sleeve_right", "underarm-")),
        (neckline("+", "-"), edge("collar", "seam+")),
        (neckline("-", "+"), edge("collar", "seam-")),
        (edge("collar", "end+"), edge("collar", "end-")),
    ]
    flat_cm = np.concatenate([panel.points_cm for panel in panels.values()])
    weld, count = _weld(len(flat_cm), seams)
    return Cloth(
        flat_cm=flat_cm,
        panel=np.concatenate(
            [np.full(len(panel.points_cm), PANELS.index(name), np.int8) for name, panel in panels.items()]
        ),
        faces=np.concatenate([panel.faces + offsets[name] for name, panel in panels.items()]).astype(np.int32),
        weld=weld,
        count=count,
    )


def _weld(vertices: int, seams: Sequence[tuple[Indices, Indices]]) -> tuple[Indices, int]:
    """Return each pattern vertex's cloth vertex, (vertices,), and how many cloth vertices there are."""
    root = np.arange(vertices)

    def find(vertex: int) -> int:
        while root[vertex] != vertex:
            root[vertex] = root[root[vertex]]
            vertex = int(root[vertex])
        return vertex

    for ours, theirs in seams:
        if len(ours) != len(theirs):
            raise ValueError(f"a seam joins {len(ours)} vertices to {len(theirs)}")
        for one, other in zip(ours.tolist(), theirs.tolist(), strict=True):
            first, second = sorted((find(one), find(other)))
            root[second] = first
    roots = np.array([find(vertex) for vertex in range(vertices)])
    kept, weld = np.unique(roots, return_inverse=True)
    return weld.astype(np.int32), len(kept)


def open_edges(faces: Indices) -> NDArray[np.int64]:
    """Return the (E, 2) edges that belong to one face only, in that face's direction."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    span = int(faces.max()) + 1
    key = np.minimum(directed[:, 0], directed[:, 1]) * span + np.maximum(directed[:, 0], directed[:, 1])
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    alone: NDArray[np.int64] = directed[counts[inverse] == 1]
    return alone


def loops(edges: NDArray[np.int64]) -> list[Indices]:
    """Chain directed edges into closed loops of vertices.

    Raises:
        ValueError: The edges do not close.
    """
    following = dict(edges.tolist())
    if len(following) != len(edges):
        raise ValueError("an open edge forks: a seam is torn")
    found = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex, -1)
            if vertex < 0:
                raise ValueError("an open edge ends in nothing: a seam is torn")
        found.append(np.array(loop, dtype=np.int32))
    return sorted(found, key=lambda loop: (-len(loop), int(loop.min())))
