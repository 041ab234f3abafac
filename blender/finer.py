"""From a coarse drape to a finer cloth of the same pattern: every vertex goes where its place on the panel lies."""

import numpy as np
from scipy.spatial import cKDTree

from blender.drape import Positions
from blender.garment import Cloth, Indices
from blender.pattern import Points
from blender.protocol import PANELS

_CANDIDATES = 12


def _weights(points: Points, corners: Points) -> Points:
    """Return barycentric weights, (N, K, 3), of (N, 2) points in (N, K, 3, 2) triangles."""
    a, b, c = corners[:, :, 0], corners[:, :, 1], corners[:, :, 2]
    p = points[:, None, :]
    area = (b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0]
    v = ((p - a)[..., 0] * (c - a)[..., 1] - (p - a)[..., 1] * (c - a)[..., 0]) / area
    w = ((b - a)[..., 0] * (p - a)[..., 1] - (b - a)[..., 1] * (p - a)[..., 0]) / area
    return np.stack([1 - v - w, v, w], axis=-1)


def locate(cloth: Cloth, panel: int, points: Points) -> tuple[Indices, Points]:
    """Return, for each (N, 2) place on a panel, its face (N,) and the weights (N, 3) of that face's corners.

    A place just outside the outline gets its nearest face, and weights that reach beyond it.
    """
    mine = np.flatnonzero(cloth.face_panel == panel)
    corners = cloth.flat_cm[cloth.faces[mine]]
    near = cKDTree(corners.mean(axis=1)).query(points, k=min(_CANDIDATES, len(mine)))[1]
    weights = _weights(points, corners[near])
    best = weights.min(axis=2).argmax(axis=1)
    rows = np.arange(len(points))
    share = np.clip(weights[rows, best], -0.5, 1.5)
    return mine[near[rows, best]].astype(np.int32), share / share.sum(axis=1, keepdims=True)


def carry_over(coarse: Cloth, points_cm: Positions, fine: Cloth) -> Positions:
    """Return where the vertices of ``fine`` lie on the draped ``coarse``, (fine.count, 3) in cm.

    A vertex just outside the coarse outline is carried along its nearest triangle; welded vertices meet in the middle.
    """
    total, shares = np.zeros((fine.count, 3)), np.zeros(fine.count)
    for panel in range(len(PANELS)):
        mine = np.flatnonzero(fine.panel == panel)
        face, share = locate(coarse, panel, fine.flat_cm[mine])
        there = points_cm[coarse.weld[coarse.faces[face]]]
        np.add.at(total, fine.weld[mine], np.einsum("nk,nkx->nx", share, there))
        np.add.at(shares, fine.weld[mine], 1.0)
    return total / shares[:, None]
