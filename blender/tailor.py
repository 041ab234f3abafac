"""From a recipe to the garment that is rendered: drafted, sewn, draped coarse to fine, checked, finished."""

from collections.abc import Callable
from dataclasses import replace

from blender.body import build_body
from blender.check import check_drape, check_finish
from blender.crossing import untangled
from blender.drape import FALL, REST, SETTLE, Positions, Schedule, drape, lifted
from blender.dress import dress
from blender.finer import carry_over
from blender.garment import Cloth, sew
from blender.pattern import Pattern
from blender.recipe import Recipe
from blender.refine import Draped, crumple, subdivide, turn_hems
from blender.tape import add_tape
from blender.zones import hemmed, printed, washed

LEVELS: tuple[tuple[float | None, int, Schedule], ...] = ((2.2, 2, FALL), (1.1, 3, SETTLE), (None, 4, REST))
"""Edge length in cm (the last one is the recipe's), rows of the rib, how it falls: the coarse cloth finds its place,
the fine one its folds."""
UNEVEN_CM = 0.018
HEM_TURN_CM = 1.6
CLOTH_CM, RIB_CM = 0.16, 0.28


def tailor(
    recipe: Recipe, pattern: Pattern, *, tell: Callable[[str], None] = lambda line: None
) -> tuple[Draped, dict[str, float]]:
    """Sew, drape, check and finish a garment.

    Args:
        recipe: What it is made from.
        pattern: Its sewing pattern.
        tell: Called with a line for a human when a part is done.

    Returns:
        The garment as it is rendered, and what the checks measured.

    Raises:
        ValueError: The drape failed a check.
    """
    levels = [(edge or recipe.edge_cm, rows, lifted(fall, recipe.figure.lift_deg)) for edge, rows, fall in LEVELS]
    lifts = sorted({phase.lift_deg for _, _, schedule in levels for phase in schedule})
    wearer = build_body(recipe.figure, lifts_deg=lifts)
    where = {"printed": printed(recipe), "hemmed": hemmed(pattern)}
    growth = washed(recipe, pattern)
    cloth: Cloth | None = None
    points_cm: Positions | None = None
    for edge_cm, rib_rows, schedule in levels:
        finer = sew(pattern, edge_cm=edge_cm, rib_rows=rib_rows)
        if cloth is None or points_cm is None:
            start = dress(finer, pattern.measures, recipe.figure, lift_deg=schedule[0].lift_deg)
        else:
            start = carry_over(cloth, points_cm, finer)
        fallen = drape(
            finer, start, wearer, recipe.fabric,
            schedule=schedule, growth=growth, lean_deg=recipe.figure.lean_deg, **where,
        )  # fmt: skip
        cloth, points_cm = finer, untangled(finer.welded_faces, fallen)
        tell(f"draped {cloth.count} points {edge_cm} cm apart")
    assert cloth is not None
    assert points_cm is not None
    draped = Draped(cloth=cloth, points_cm=points_cm)
    measured = check_drape(draped, recipe)
    smooth = crumple(subdivide(draped), height_cm=UNEVEN_CM, seed=recipe.seed)
    smooth = replace(smooth, points_cm=untangled(smooth.cloth.welded_faces, smooth.points_cm))
    measured |= check_finish(smooth, recipe)
    tell(f"finished {smooth.cloth.count} points")
    turned = turn_hems(smooth, depth_cm=HEM_TURN_CM, thickness_cm=CLOTH_CM, rib_thickness_cm=RIB_CM)
    return add_tape(turned), measured
