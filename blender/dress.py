"""Where the cloth starts before it falls: panels bent round the wearer, seams already closed."""

import numpy as np
from scipy.optimize import brentq

from blender.body import Figure, arm_axis, elbow_and_wrist
from blender.drape import Positions
from blender.garment import Cloth
from blender.pattern import Points, Tee
from blender.protocol import PANELS

_HALF_WIDTH, _SQUARENESS = 0.43, 2.6
"""Of the superellipse the body panels are bent round, half width in chest widths; its perimeter is two of them.

Wide and flat in front and behind: what the wearer does not fill then is at the flanks, and so are the folds.
"""
_BEHIND_CM = 2.0
"""So far behind the shoulder line its middle lies."""

STRAIGHT_CM = 22.0
"""So far down a sleeve starts as a straight cone."""


def _torso(flat: Points, drop_cm: float, measures: Tee, facing: float) -> Positions:
    """Bend the front (facing -1) or back (+1) round a superellipse; the shoulder line stays in the middle plane."""
    half_width, around = _HALF_WIDTH * measures.chest_width_cm, measures.chest_width_cm / 2
    angle = np.linspace(0.0, np.pi / 2, 512)
    side, ahead = np.sin(angle) ** (2 / _SQUARENESS), np.cos(angle) ** (2 / _SQUARENESS)

    def arcs(depth_cm: float) -> Points:
        steps = np.hypot(np.diff(half_width * side), np.diff(depth_cm * ahead))
        return np.concatenate([[0.0], np.cumsum(steps)])

    half_depth = float(brentq(lambda depth_cm: arcs(depth_cm)[-1] - around, 0.1, around))
    arc = arcs(half_depth)
    across, down = np.abs(flat[:, 0]), flat[:, 1] + drop_cm
    out, forward = np.interp(across, arc, half_width * side), np.interp(across, arc, half_depth * ahead)
    slope = measures.shoulder_drop_cm / (measures.shoulder_width_cm - measures.neck_width_cm) * 2
    below = down - slope * np.maximum(across - measures.neck_width_cm / 2, 0.0)
    full = np.clip(below / 15.0, 0.0, 1.0) ** 0.7
    x = (1 - full) * across + full * out
    y = facing * full * forward + 1.0 + _BEHIND_CM * full
    return np.stack([-facing * np.sign(flat[:, 0]) * x, y, 1.0 - down], axis=1)


def _sleeve(flat: Points, measures: Tee, side: float, figure: Figure, lift_deg: float) -> Positions:
    """Roll a sleeve round the arm; side is +1 for the wearer's left.

    A short sleeve is a straight cone from the shoulder's point. A long one draws in to the arm before the elbow and
    follows it from there, or the hand would never be inside the cuff.
    """
    arm_deg = figure.side_deg(side) + lift_deg
    axis = arm_axis(arm_deg)
    up = np.array([-axis[2], 0.0, axis[0]])
    half = np.interp(
        flat[:, 1], [0.0, measures.sleeve_length_cm], [measures.bicep_width_cm / 2, measures.sleeve_opening_cm / 2]
    )
    turn, radius = flat[:, 0] / half * np.pi, half / np.pi
    top = np.array([measures.shoulder_width_cm / 2, 1.0, 1.0 - measures.shoulder_drop_cm])
    joint = np.array([figure.shoulder_cm[0], 1.0, figure.shoulder_cm[1]])
    elbow, wrist = elbow_and_wrist(figure, arm_deg)
    forearm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    elbow_cm, above = figure.arm_length_cm - float((top - joint) @ axis), float((top - joint) @ up)
    drawn_in = np.clip((flat[:, 1] - STRAIGHT_CM) / (elbow_cm - STRAIGHT_CM), 0.0, 1.0)
    below = np.maximum(flat[:, 1] - elbow_cm, 0.0)[:, None]
    off = drawn_in * above + (1.0 - drawn_in) * radius
    centre = top + (flat[:, 1:] - below) * axis + below * forearm - off[:, None] * up
    points = centre + radius[:, None] * np.cos(turn)[:, None] * up
    # On the left sleeve x > 0 is towards the back (+y), on the right one towards the front.
    points[:, 1] += side * radius * np.sin(turn)
    placed: Positions = points * (side, 1.0, 1.0)
    return placed


def dress(cloth: Cloth, measures: Tee, figure: Figure, *, lift_deg: float = 0.0) -> Positions:
    """Return the cloth's starting positions, (count, 3) in cm, for arms lifted by so much."""
    positions = np.full((cloth.count, 3), np.nan)
    parts = [cloth.panel == index for index in range(len(PANELS))]
    placed = (
        _torso(cloth.flat_cm[parts[0]], measures.front_drop_cm, measures, -1.0),
        _torso(cloth.flat_cm[parts[1]], measures.back_drop_cm, measures, 1.0),
        _sleeve(cloth.flat_cm[parts[2]], measures, 1.0, figure, lift_deg),
        _sleeve(cloth.flat_cm[parts[3]], measures, -1.0, figure, lift_deg),
    )
    for part, points in zip(parts, placed, strict=False):
        vertices = cloth.weld[part]
        free = np.isnan(positions[vertices, 0])
        positions[vertices[free]] = points[free]
    rib = np.flatnonzero(parts[4])
    flat = cloth.flat_cm[rib]
    seam = rib[flat[:, 1] == 0.0]
    order = np.argsort(cloth.flat_cm[seam, 0], kind="stable")
    along = cloth.flat_cm[seam, 0][order]
    ring = positions[cloth.weld[seam]][order]
    base = np.stack([np.interp(flat[:, 0], along, ring[:, axis]) for axis in range(3)], axis=1)
    rise = -flat[:, 1:] / measures.rib_width_cm
    raised = base * (1.0 - np.array([0.12, 0.12, 0.0]) * rise) + np.array([0.0, 0.0, 1.6]) * rise
    upper = flat[:, 1] < 0.0
    positions[cloth.weld[rib[upper]]] = raised[upper]
    return positions
