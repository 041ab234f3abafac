"""Cloth on a body: the material, the phases of the fall, and what the solver is told.

Units are centimetres, grams and seconds. Stretch and shear act per triangle against the flat pattern (so the cloth
knows its own grain and not the mesh), bending is the isometric quadratic form over each inner edge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blender.body import Body
from blender.contact import rings
from blender.garment import Cloth
from blender.protocol import PANELS
from blender.solver import advance

Positions = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """Mechanical properties of the cloth.

    Attributes:
        density_g_cm2: Mass per area.
        stretch: Stiffness along the grain, g/s^2.
        shear: Stiffness against shear, g/s^2.
        bend: Bending stiffness, g cm^2/s^2.
        pressed: How many times stiffer the print areas are: a pressed print lies flat, and folds go round it.
        smoothed: How hard pressed cloth is smoothed down on the wearer, in shares of its weight: what is too wide moves
            on to where nothing is pressed, and folds there.
        hem_bend: How many times stiffer the turned hems are.
        rib_stretch: Stretch stiffness of the collar rib.
        rib_bend: Bending stiffness of the collar rib.
        seam_bend: Bending stiffness across a seam.
        friction: Coulomb coefficient, against the body and the cloth itself.
        clearance_cm: Gap kept from the body.
        gap_cm: Gap kept between two layers of cloth.
        uneven: Standard deviation of how much longer or shorter than cut the washed cloth is.
    """

    density_g_cm2: float = 0.018
    stretch: float = 2.0e5
    shear: float = 3.0e4
    bend: float = 11.0
    pressed: float = 12.0
    smoothed: float = 2.2
    hem_bend: float = 2.5
    rib_stretch: float = 2.0e5
    rib_bend: float = 180.0
    seam_bend: float = 60.0
    friction: float = 0.15
    clearance_cm: float = 0.25
    gap_cm: float = 0.3
    uneven: float = 0.085


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of simulated time.

    Attributes:
        seconds: Simulated time.
        gravity: Gravity at its end, in multiples of 981 cm/s^2 (linear from the previous phase).
        shrink_cm: How much thinner the body is at its end (linear from the previous phase).
        damping: Velocity lost per second.
        gap: Gap between layers of cloth, in the fabric's; 0 lets them pass through each other.
        lift_deg: How much further than at rest the arms are lifted at its end.
    """

    seconds: float
    gravity: float
    shrink_cm: float
    damping: float
    gap: float = 0.0
    lift_deg: float = 0.0


Wearer = Mapping[float, Body]
"""The body by how many degrees its arms are lifted; all on one grid."""
Schedule = tuple[Phase, ...]
LIFT_DEG = 40.0
"""How far the arms are lifted to put the garment on: the sleeves start clear of the sides."""
FALL: Schedule = (
    Phase(seconds=0.0, gravity=0.0, shrink_cm=3.0, damping=20.0, lift_deg=LIFT_DEG),
    Phase(seconds=0.5, gravity=0.0, shrink_cm=0.0, damping=20.0, lift_deg=LIFT_DEG),
    Phase(seconds=0.3, gravity=0.6, shrink_cm=0.0, damping=8.0, gap=2.0, lift_deg=LIFT_DEG),
    *(
        Phase(seconds=0.15, gravity=0.6, shrink_cm=0.0, damping=8.0, gap=2.0, lift_deg=LIFT_DEG * (7 - step) / 8)
        for step in range(8)
    ),
    Phase(seconds=0.8, gravity=1.0, shrink_cm=0.0, damping=4.0, gap=2.0),
)
SETTLE: Schedule = (
    Phase(seconds=0.0, gravity=1.0, shrink_cm=0.0, damping=4.0),
    Phase(seconds=0.8, gravity=1.0, shrink_cm=0.0, damping=3.0, gap=1.4),
)
REST: Schedule = (
    Phase(seconds=0.0, gravity=1.0, shrink_cm=0.0, damping=4.0),
    Phase(seconds=0.5, gravity=1.0, shrink_cm=0.0, damping=3.0, gap=1.0),
    Phase(seconds=0.2, gravity=1.0, shrink_cm=0.0, damping=15.0, gap=1.0),
)
STEP_S = 1 / 2200
SPEED_LIMIT_CM_S = 50.0
STEP_EDGE_CM = 1.1
"""Edge length of the mesh :data:`STEP_S` suits; a finer one takes shorter steps, or it would stretch."""
Where = Callable[[NDArray[np.int8], NDArray[np.float64]], NDArray[np.float64]]
"""Panel numbers (N,) and panel coordinates (N, 2) in cm to a share in 0..1, (N,)."""
Growth = Callable[[NDArray[np.int8], NDArray[np.float64]], NDArray[np.float64]]
"""Panel numbers (N,) and panel coordinates (N, 2) in cm to how much longer than cut the cloth is in x and y, (N, 2)."""


def lifted(schedule: Schedule, lift_deg: float) -> Schedule:
    """Return the schedule with the arms lifted by so much instead of :data:`LIFT_DEG`."""
    return tuple(replace(phase, lift_deg=phase.lift_deg * lift_deg / LIFT_DEG) for phase in schedule)


def bend_stencils(cloth: Cloth) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Return one stencil per inner edge.

    Returns:
        Cloth vertices (B, 4), the edge first, then the two opposite corners; their weights and, last, the two
        triangles' area, (B, 5); and the two faces, (B, 2).
    """
    corners = np.concatenate([cloth.faces[:, [0, 1, 2]], cloth.faces[:, [1, 2, 0]], cloth.faces[:, [2, 0, 1]]])
    face = np.tile(np.arange(len(cloth.faces)), 3)
    ends = np.sort(cloth.weld[corners[:, :2]], axis=1).astype(np.int64)
    order = np.lexsort((face, ends[:, 1], ends[:, 0]))
    same = (ends[order][1:] == ends[order][:-1]).all(axis=1)
    first, second = order[:-1][same], order[1:][same]

    def shape(half: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        """Cotangents at the edge's lower and higher cloth vertex, and the area, in the flat panel."""
        swap = cloth.weld[corners[half, 0]] > cloth.weld[corners[half, 1]]
        low = cloth.flat_cm[np.where(swap, corners[half, 1], corners[half, 0])]
        high = cloth.flat_cm[np.where(swap, corners[half, 0], corners[half, 1])]
        apex = cloth.flat_cm[corners[half, 2]]
        edge, side = high - low, apex - low
        doubled = np.abs(edge[:, 0] * side[:, 1] - edge[:, 1] * side[:, 0])
        at_low = (edge * side).sum(1) / doubled
        at_high = (-edge * (apex - high)).sum(1) / doubled
        return at_low, at_high, doubled / 2

    low_1, high_1, area_1 = shape(first)
    low_2, high_2, area_2 = shape(second)
    vertices = np.concatenate(
        [ends[first], cloth.weld[corners[first, 2]][:, None], cloth.weld[corners[second, 2]][:, None]], axis=1
    )
    weights = np.stack([high_1 + high_2, low_1 + low_2, -low_1 - high_1, -low_2 - high_2, area_1 + area_2], axis=1)
    return vertices.astype(np.int32), weights, np.stack([face[first], face[second]], axis=1)


def drape(
    cloth: Cloth,
    start_cm: Positions,
    wearer: Wearer,
    fabric: Fabric,
    *,
    schedule: Schedule = FALL,
    printed: Where | None = None,
    hemmed: Where | None = None,
    growth: Growth | None = None,
    lean_deg: float = 0.0,
) -> Positions:
    """Let the cloth fall onto the body.

    Args:
        cloth: What falls.
        start_cm: (count, 3) where its vertices start.
        wearer: What it falls on.
        fabric: How it behaves.
        schedule: The phases; the first one only sets the starting values.
        printed: Where the cloth is pressed flat.
        hemmed: Where the cloth is doubled.
        growth: Where washing made it longer or shorter than it was cut.
        lean_deg: How far behind the wearer's feet its weight points.

    Returns:
        (count, 3) float64 positions at rest, in cm.
    """
    welded = cloth.welded_faces
    flat = cloth.flat_cm[cloth.faces] * (1.0, -1.0)
    rest = np.stack([flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]], axis=-1)
    area = np.linalg.det(rest) / 2
    if growth is not None:
        rest = rest * (1.0 + growth(cloth.face_panel, cloth.flat_cm[cloth.faces].mean(axis=1)))[:, :, None]
    inverse_rest = np.linalg.inv(rest).reshape(-1, 4)
    doubled = _share(hemmed, cloth)
    mass = np.zeros(cloth.count)
    np.add.at(mass, welded.reshape(-1), np.repeat(area * (1 + doubled) * fabric.density_g_cm2 / 3, 3))
    is_rib = cloth.face_panel == PANELS.index("collar")
    bends, weights, sides = bend_stencils(cloth)
    crosses = cloth.face_panel[sides[:, 0]] != cloth.face_panel[sides[:, 1]]
    stiffer = 1 + (fabric.pressed - 1) * _share(printed, cloth) + (fabric.hem_bend - 1) * doubled
    stiffness = np.where(
        is_rib[sides].all(axis=1),
        fabric.rib_bend,
        np.where(crosses, fabric.seam_bend, fabric.bend * stiffer[sides].mean(axis=1)),
    )
    starts, others = rings(welded, cloth.count)
    cell = float(np.sqrt(area.mean() * 4 / np.sqrt(3)))
    step_s = STEP_S * min(1.0, cell / STEP_EDGE_CM)
    smoothed = np.zeros(cloth.count)
    if printed is not None:
        # Only what lies flat for good: cloth that is pressed a little hangs as it likes.
        flat_for_good = np.maximum(2.0 * printed(cloth.panel, cloth.flat_cm) - 1.0, 0.0)
        np.maximum.at(smoothed, cloth.weld, fabric.smoothed * flat_for_good)
    x, v = start_cm.copy(), np.zeros_like(start_cm)
    for last, phase in pairwise(schedule):
        body, later = wearer[last.lift_deg], wearer[phase.lift_deg]
        advance(
            x, v, 1.0 / mass, welded, inverse_rest, area,
            np.where(is_rib, fabric.rib_stretch, fabric.stretch), np.full(len(area), fabric.shear),
            bends, weights, stiffness.astype(np.float64), starts, others,
            body.distance_cm, later.distance_cm, last.lift_deg != phase.lift_deg,
            body.origin_cm, body.spacing_cm, fabric.clearance_cm, fabric.friction,
            round(phase.seconds / step_s), step_s, 981.0 * last.gravity, 981.0 * phase.gravity,
            np.deg2rad(lean_deg), smoothed,
            last.shrink_cm, phase.shrink_cm, phase.damping, SPEED_LIMIT_CM_S, phase.gap * fabric.gap_cm, cell,
        )  # fmt: skip
    return x


def _share(where: Where | None, cloth: Cloth) -> NDArray[np.float64]:
    """Return ``where`` at every face's centre, (M,)."""
    if where is None:
        return np.zeros(len(cloth.faces))
    return where(cloth.face_panel, cloth.flat_cm[cloth.faces].mean(axis=1))
