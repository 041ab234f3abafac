"""The tape that covers the collar seam inside the back of the neck, from shoulder to shoulder."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from blender.garment import Cloth, Indices
from blender.protocol import PANELS
from blender.refine import Draped, vertex_normals
from blender.relief import TAPE_CM, TAPE_TOP_CM

ABOVE_CM = 0.35
"""How far it reaches over the seam onto the collar."""
_LIFT_CM = 0.11
_ROWS = ((0.0, 0.35), (0.02, 0.9), (0.06, 1.0), (0.5, 1.0), (0.94, 1.0), (0.98, 0.9), (1.0, 0.35))
"""Across the tape: where, in tape widths, and how high above the cloth, in lifts."""


def neck_seam(cloth: Cloth) -> Indices:
    """Return the cloth vertices of the seam between back and collar, from the wearer's right to the left, in order.

    Raises:
        ValueError: The seam is torn.
    """
    ends = {}
    for panel in ("back", "collar"):
        faces = cloth.welded_faces[cloth.face_panel == PANELS.index(panel)]
        directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        ends[panel] = {tuple(edge) for edge in directed.tolist()}
    following = {start: end for start, end in ends["back"] if (end, start) in ends["collar"]}
    first = set(following) - set(following.values())
    if len(first) != 1:
        raise ValueError("the seam between back and collar is torn")
    line = [first.pop()]
    while line[-1] in following:
        line.append(following[line[-1]])
    return np.array(line, dtype=np.int32)


def add_tape(draped: Draped) -> Draped:
    """Sew the tape in: a strip over the inside of the seam, raised by its own thickness, its edges rounded off.

    Its faces look outwards as the cloth's do, so a print never shows on it, and belong to the collar.
    """
    cloth, points = draped.cloth, draped.points_cm
    seam = neck_seam(cloth)
    normals = vertex_normals(cloth.welded_faces, points)[seam]
    here = points[seam]
    along = np.gradient(here, axis=0)
    down = np.cross(normals, along)
    down *= np.sign((down * (0.0, 0.0, -1.0)).sum(axis=1, keepdims=True).sum())
    for smoothed in (normals, down):
        for _ in range(8):
            smoothed[1:-1] = (smoothed[:-2] + 2 * smoothed[1:-1] + smoothed[2:]) / 4
        smoothed /= np.linalg.norm(smoothed, axis=1, keepdims=True)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(here, axis=0), axis=1))])
    flats, count, columns = len(cloth.flat_cm), cloth.count, len(seam)
    rows, flat = [], []
    for across, lift in _ROWS:
        rows.append(here + (across * TAPE_CM - ABOVE_CM) * down - lift * _LIFT_CM * normals)
        flat.append(np.stack([length - length[-1] / 2, np.full(columns, across * TAPE_CM + TAPE_TOP_CM)], axis=1))
    number = np.arange(columns * len(_ROWS)).reshape(len(_ROWS), columns)
    faces = []
    for upper, lower in pairwise(number):
        a, b, c, d = upper[:-1], upper[1:], lower[:-1], lower[1:]
        faces += [np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)]
    strip = np.concatenate(faces)
    placed = np.concatenate(rows)
    facing = np.cross(placed[strip[:, 1]] - placed[strip[:, 0]], placed[strip[:, 2]] - placed[strip[:, 0]])
    if float((facing * normals.mean(axis=0)).sum()) < 0:
        strip = strip[:, ::-1]
    sewn = replace(
        cloth,
        flat_cm=np.concatenate([cloth.flat_cm, *flat]),
        panel=np.concatenate([cloth.panel, np.full(number.size, PANELS.index("collar"), np.int8)]),
        faces=np.concatenate([cloth.faces, strip + flats]).astype(np.int32),
        weld=np.concatenate([cloth.weld, np.arange(number.size) + count]).astype(np.int32),
        count=count + number.size,
    )
    return Draped(cloth=sewn, points_cm=np.concatenate([points, placed]))
