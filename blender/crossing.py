"""Does the cloth pass through itself: every pair of triangles that are near but do not touch by their corners."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from blender.kernel import kernel


@kernel
def _pierces(points, p, q, a, b, c):  # type: ignore[no-untyped-def]  # compiled
    """Whether the segment from ``p`` to ``q`` passes through the triangle (Moeller and Trumbore, 1997)."""
    d, e1, e2 = points[q] - points[p], points[b] - points[a], points[c] - points[a]
    hx, hy, hz = d[1] * e2[2] - d[2] * e2[1], d[2] * e2[0] - d[0] * e2[2], d[0] * e2[1] - d[1] * e2[0]
    det = e1[0] * hx + e1[1] * hy + e1[2] * hz
    if abs(det) < 1e-14:
        return False
    s = points[p] - points[a]
    u = (s[0] * hx + s[1] * hy + s[2] * hz) / det
    if u < 0.0 or u > 1.0:
        return False
    qx, qy, qz = s[1] * e1[2] - s[2] * e1[1], s[2] * e1[0] - s[0] * e1[2], s[0] * e1[1] - s[1] * e1[0]
    v = (d[0] * qx + d[1] * qy + d[2] * qz) / det
    if v < 0.0 or u + v > 1.0:
        return False
    t = (e2[0] * qx + e2[1] * qy + e2[2] * qz) / det
    return 0.0 <= t <= 1.0


@kernel
def _crossing(points, faces, pairs):  # type: ignore[no-untyped-def]  # compiled
    hit = np.zeros(len(pairs), dtype=np.bool_)
    for row in range(len(pairs)):
        one, other = faces[pairs[row, 0]], faces[pairs[row, 1]]
        touching = False
        for i in range(3):
            for j in range(3):
                touching = touching or one[i] == other[j]
        if touching:
            continue
        for i in range(3):
            if _pierces(points, one[i], one[(i + 1) % 3], other[0], other[1], other[2]) or _pierces(
                points, other[i], other[(i + 1) % 3], one[0], one[1], one[2]
            ):
                hit[row] = True
                break
    return hit


def crossings(faces: NDArray[np.int32], points_cm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the pairs of faces, (N, 2), that pass through each other."""
    corners = points_cm[faces]
    centres = corners.mean(axis=1)
    reach = 2.0 * float(np.linalg.norm(corners - centres[:, None], axis=2).max())
    pairs = cKDTree(centres).query_pairs(reach, output_type="ndarray")
    found: NDArray[np.int64] = pairs[_crossing(points_cm, faces, pairs)]
    return found


def untangled(faces: NDArray[np.int32], points_cm: NDArray[np.float64], *, rounds: int = 24) -> NDArray[np.float64]:
    """Return the points with tiny tangles smoothed out: where layers pass through each other, their folds are opened.

    The points of crossing faces and their neighbours move towards the middle of their own neighbours, again and again,
    until nothing crosses or ``rounds`` are over; what crosses deeply is left, for the check to find.
    """
    points = points_cm.copy()
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    degree = np.bincount(pairs[:, 0], minlength=len(points))
    moved = np.zeros(len(points), dtype=bool)
    for _ in range(rounds):
        found = crossings(faces, points)
        if len(found) == 0:
            break
        moved[faces[found].reshape(-1)] = True
        near = moved.copy()
        for _ in range(2):
            spread = near.copy()
            spread[pairs[near[pairs[:, 0]], 1]] = True
            near = spread
        for _ in range(4):
            total = np.zeros_like(points)
            np.add.at(total, pairs[:, 0], points[pairs[:, 1]])
            points[near] += 0.5 * (total[near] / degree[near, None] - points[near])
    return points
