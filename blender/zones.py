"""Which parts of the cloth are unlike the rest: print areas lie pressed, hems are doubled."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from blender.drape import Growth, Where
from blender.pattern import Pattern
from blender.protocol import PANELS
from blender.recipe import Recipe

HEM_CM = 2.5
FADE_CM = 4.0
INSET_CM = 2.5
"""So far inside its sides and its foot a print area's pressing begins to fade."""
WAVES = 14
ALONG = 0.5
"""How uneven the cloth is along its grain, in shares of how uneven it is across."""
FLANK_CM, CALM_CM, CALM_UNEVEN = 15.0, 28.0, 0.5
"""Where the flanks begin, the height above the body's hem below which cloth is calm, and how uneven it is there."""
PLUMB = 0.7
"""How much of the unevenness along the grain is gone where cloth may be printed: folds hang there, none lies across."""
DRAG = 0.35
"""How far outward for every centimetre upward what is too wide leans: such folds point at the armpits."""
LOOSE_UNEVEN, PRESSED_UNEVEN = 0.33, 0.05
"""How much of the cloth's unevenness is left where it may be printed, unpressed and pressed."""


def printed(recipe: Recipe) -> Where:
    """Return the share of pressing: that of the print areas, fading to 0 over :data:`FADE_CM` round them."""
    return _in_areas(recipe, {name: area.pressed for name, area in recipe.print_areas.items()}, inset_cm=INSET_CM)


def _in_areas(recipe: Recipe, worth: Mapping[str, float], *, inset_cm: float = 0.0) -> Where:
    """Return each print area's worth inside it, fading to 0 over :data:`FADE_CM` round it."""

    def share(panel: NDArray[np.int8], flat_cm: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.zeros(len(panel))
        for name, area in recipe.print_areas.items():
            mine = panel == PANELS.index(name)
            outside_x = np.abs(flat_cm[mine, 0]) - area.width_cm / 2 + inset_cm
            outside_y = flat_cm[mine, 1] - area.top_cm
            outside_y = np.maximum(-outside_y, outside_y - area.height_cm + inset_cm)
            outside = np.hypot(np.maximum(outside_x, 0.0), np.maximum(outside_y, 0.0))
            inside[mine] = worth[name] * np.clip(1.0 - outside / FADE_CM, 0.0, 1.0)
        return inside

    return share


def hemmed(pattern: Pattern) -> Where:
    """Return where hems are turned up: 1 within :data:`HEM_CM` of the hem of body and sleeves."""
    above = above_hem(pattern)

    def share(panel: NDArray[np.int8], flat_cm: NDArray[np.float64]) -> NDArray[np.float64]:
        return (above(panel, flat_cm) < HEM_CM).astype(np.float64)

    return share


def above_hem(pattern: Pattern) -> Where:
    """Return how far above its panel's hem a place lies, in cm; the collar has none and lies infinitely far."""
    halves = {
        "front": pattern.front,
        "back": pattern.back,
        "sleeve_left": pattern.sleeve,
        "sleeve_right": pattern.sleeve,
    }

    def share(panel: NDArray[np.int8], flat_cm: NDArray[np.float64]) -> NDArray[np.float64]:
        above = np.full(len(panel), np.inf)
        for name, half in halves.items():
            mine, line = panel == PANELS.index(name), half.edges["hem"][::-1]
            above[mine] = np.interp(np.abs(flat_cm[mine, 0]), line[:, 0], line[:, 1]) - flat_cm[mine, 1]
        return above

    return share


def washed(recipe: Recipe, pattern: Pattern) -> Growth:
    """Return how unevenly the cloth has shrunk: what makes soft folds begin where they do.

    Smooth noise, of its own on every panel, with wavelengths of a hand's breadth; next to none where prints are
    pressed, less towards the hem of the body, where too much of it would gather.
    """
    calm = _in_areas(
        recipe,
        {
            name: 1.0 - LOOSE_UNEVEN + (LOOSE_UNEVEN - PRESSED_UNEVEN) * area.pressed
            for name, area in recipe.print_areas.items()
        },
    )
    above = above_hem(pattern)
    random = np.random.default_rng(recipe.seed)
    waves = random.normal(size=(len(PANELS), 2, WAVES, 2))
    waves *= (
        2 * np.pi / random.uniform(7.0, 22.0, (len(PANELS), 2, WAVES, 1)) / np.linalg.norm(waves, axis=3, keepdims=True)
    )
    # Across the grain, what is too long is so for a while downwards: such folds hang.
    waves[:, 0, :, 1] *= 0.5
    phases = random.uniform(0.0, 2 * np.pi, (len(PANELS), 2, WAVES))

    def growth(panel: NDArray[np.int8], flat_cm: NDArray[np.float64]) -> NDArray[np.float64]:
        grown = np.zeros((len(panel), 2))
        for number in range(len(PANELS) - 1):
            mine = panel == number
            for axis in range(2):
                here = flat_cm[mine].copy()
                if number < PANELS.index("sleeve_left"):
                    here[:, 0] += DRAG * here[:, 1] * np.tanh(here[:, 0] / FADE_CM)
                turn = here @ waves[number, axis].T + phases[number, axis]
                grown[mine, axis] = np.sin(turn).sum(axis=1) / np.sqrt(WAVES / 2)
        # The cloth's weight pulls its length straight; what is too long hangs down in puddles.
        quiet = calm(panel, flat_cm)
        grown[:, 1] *= ALONG * (1.0 - PLUMB * quiet)
        uneven = recipe.fabric.uneven * (1.0 - quiet)
        height = above(panel, flat_cm)
        flank = np.clip((np.abs(flat_cm[:, 0]) - FLANK_CM) / FADE_CM, 0.0, 1.0)
        middle = np.where(height < CALM_CM, CALM_UNEVEN, 1.0)
        low = flank * np.clip(height / CALM_CM, CALM_UNEVEN, 1.0) + (1.0 - flank) * middle
        grown *= (uneven * np.where(panel < PANELS.index("sleeve_left"), low, 1.0))[:, None]
        return grown

    return growth
