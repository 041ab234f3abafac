"""The invisible wearer: a torso, neck and arms as one signed-distance grid, in centimetres.

Axes: x to the wearer's left, y to the wearer's back, z up; z = 0 at the point where neck and shoulder meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Field = NDArray[np.float64]
Section = tuple[float, float, float, float, float, float]
"""Height z, half width, depth in front and behind, squareness in front and behind (2 = an ellipse)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A signed distance sampled on a regular grid.

    Attributes:
        distance_cm: (X, Y, Z) float32, negative inside.
        origin_cm: (3,) position of the first sample.
        spacing_cm: Distance between samples.
    """

    distance_cm: NDArray[np.float32]
    origin_cm: NDArray[np.float64]
    spacing_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Measures of the wearer.

    Attributes:
        torso: Horizontal cross sections from the chest's top downwards.
        shoulder_cm: Centre of the shoulder joint, x (from the middle) and z.
        shoulder_radius_cm: How thick the shoulder is there.
        neck_radius_cm: Of the neck's base.
        arm_deg: Angle of the upper arms from the vertical.
        arm_uneven_deg: How much more the left arm is lifted than the right one: nobody hangs symmetrically.
        lift_deg: How much further both are lifted to put the garment on; long sleeves need less, or the arms would
            leave them on their way down.
        arm_radius_cm: Of the upper arm, above the elbow.
        arm_length_cm: From shoulder to elbow, and again from elbow to wrist.
        elbow_deg: How much steeper the lower arm hangs than the upper one.
        wrist_radius_cm: Of the wrist.
        lean_deg: How far the wearer leans back: cloth then lies on the chest and hangs clear of the back.
    """

    torso: tuple[Section, ...] = (
        (-11.0, 16.4, 7.2, 9.2, 4.0, 2.6),
        (-17.0, 17.8, 8.4, 10.4, 4.2, 2.8),
        (-23.0, 18.4, 8.8, 10.6, 4.4, 2.8),
        (-31.0, 18.6, 8.6, 9.2, 4.5, 2.8),
        (-42.0, 18.6, 8.3, 7.6, 4.5, 2.8),
        (-52.0, 18.6, 7.9, 8.0, 4.5, 2.8),
        (-58.0, 18.4, 7.1, 8.6, 4.0, 2.8),
        (-80.0, 17.5, 5.8, 8.6, 3.5, 2.8),
    )
    shoulder_cm: tuple[float, float] = (17.2, -8.5)
    shoulder_radius_cm: float = 5.3
    neck_radius_cm: float = 6.3
    arm_deg: float = 32.5
    arm_uneven_deg: float = 1.5
    lift_deg: float = 40.0
    arm_radius_cm: float = 4.6
    arm_length_cm: float = 31.0
    elbow_deg: float = 10.0
    wrist_radius_cm: float = 3.0
    lean_deg: float = 3.0

    def side_deg(self, side: float) -> float:
        """Return the angle of the left (side +1) or right (-1) upper arm from the vertical."""
        return self.arm_deg + 0.5 * side * self.arm_uneven_deg


def arm_axis(arm_deg: float) -> NDArray[np.float64]:
    """Return the unit vector from the wearer's left shoulder to the elbow, (3,)."""
    angle = np.deg2rad(arm_deg)
    return np.array([np.sin(angle), 0.0, -np.cos(angle)])


def _cone(points: Field, start: tuple[float, ...], end: tuple[float, ...], r0: float, r1: float) -> Field:
    a, axis = np.array(start), np.array(end) - np.array(start)
    t = np.clip((points - a) @ axis / (axis @ axis), 0.0, 1.0)
    distance: Field = np.linalg.norm(points - a - t[..., None] * axis, axis=-1) - (r0 + (r1 - r0) * t)
    return distance


def _torso(points: Field, sections: tuple[Section, ...]) -> Field:
    """Superellipses stacked along z; value over gradient approximates the distance."""
    table = np.array(sections)[::-1]
    height = np.clip(points[..., 2], table[0, 0], table[-1, 0])
    columns = (PchipInterpolator(table[:, 0], table[:, column])(height) for column in range(1, 6))
    width, front, back, front_power, back_power = columns
    in_front = points[..., 1] < _MIDDLE_Y_CM
    depth, power = np.where(in_front, front, back), np.where(in_front, front_power, back_power)
    across = np.abs(points[..., 0]) / width + 1e-9
    along = np.abs(points[..., 1] - _MIDDLE_Y_CM) / depth + 1e-9
    value = (across**power + along**power) ** (1 / power)
    slope = np.hypot((across / value) ** (power - 1) / width, (along / value) ** (power - 1) / depth)
    around = (value - 1.0) / slope
    above = points[..., 2] - table[-1, 0]
    return -_blend(-around, -above, 3.0)


_MIDDLE_Y_CM = 1.2


def _blend(one: Field, other: Field, radius: float) -> Field:
    """Polynomial smooth minimum."""
    h = np.clip(0.5 + 0.5 * (other - one) / radius, 0.0, 1.0)
    return other + (one - other) * h - radius * h * (1.0 - h)


def elbow_and_wrist(figure: Figure, arm_deg: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where elbow and wrist of the wearer's left arm are, its upper part so far from the vertical."""
    elbow = np.array([figure.shoulder_cm[0], 1.0, figure.shoulder_cm[1]]) + figure.arm_length_cm * arm_axis(arm_deg)
    return elbow, elbow + figure.arm_length_cm * arm_axis(arm_deg - figure.elbow_deg) - (0.0, 2.0, 0.0)


def _arm(points: Field, figure: Figure, side: float, lift_deg: float) -> Field:
    """Upper and lower arm of the wearer's left (+1) or right (-1)."""
    mirror = np.array([side, 1.0, 1.0])
    shoulder = np.array([figure.shoulder_cm[0], 1.0, figure.shoulder_cm[1]])
    elbow, wrist = elbow_and_wrist(figure, figure.side_deg(side) + lift_deg)
    radii = figure.shoulder_radius_cm, figure.arm_radius_cm, figure.wrist_radius_cm
    upper = _cone(points, tuple(shoulder * mirror), tuple(elbow * mirror), *radii[:2])
    return _blend(upper, _cone(points, tuple(elbow * mirror), tuple(wrist * mirror), *radii[1:]), 2.0)


def _trunk(points: Field, figure: Figure) -> Field:
    """Torso, neck and shoulders, without the arms."""
    shoulder_x, shoulder_z = figure.shoulder_cm
    folded = points.copy()
    folded[..., 0] = np.abs(points[..., 0])
    neck, radius = figure.neck_radius_cm, figure.shoulder_radius_cm
    distance = _blend(_torso(points, figure.torso), _cone(folded, (0, 1.8, -3), (0, 0.8, 12), neck, neck - 0.5), 3.0)
    yoke = _cone(folded, (4.0, 1.6, -6.0), (shoulder_x - 0.4, 1.2, shoulder_z - 0.1), neck - 0.1, radius)
    return _blend(distance, yoke, 4.0)


def build_body(figure: Figure, *, lifts_deg: Sequence[float] = (0.0,), spacing_cm: float = 0.8) -> dict[float, Body]:
    """Sample the wearer's signed distance, once for every lift of the arms, all on one grid."""
    reach = figure.shoulder_cm[0] + 2 * figure.arm_length_cm + 4.0
    # A sample lies on the middle plane, so that both sides are sampled alike.
    reach = spacing_cm * np.ceil(reach / spacing_cm)
    low, high = np.array([-reach, -18.0, -86.0]), np.array([reach, 18.0, 10.0])
    counts = np.ceil((high - low) / spacing_cm - 1e-9).astype(int) + 1
    axes = [low[i] + spacing_cm * np.arange(counts[i]) for i in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    trunk, bodies = _trunk(points, figure), {}
    for lift_deg in lifts_deg:
        distance = trunk
        for side in (1.0, -1.0):
            distance = _blend(distance, _arm(points, figure, side, lift_deg), 1.2)
        bodies[lift_deg] = Body(distance_cm=distance.astype(np.float32), origin_cm=low, spacing_cm=spacing_cm)
    return bodies
