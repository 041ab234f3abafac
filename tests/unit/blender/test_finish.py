"""What comes after the fall: carried to a finer cloth, checked for crossings, taped, knitted."""

import dataclasses

import numpy as np
import pytest

from blender.body import Figure
from blender.check import check_finish, grid_errors_cm
from blender.contact import find_near, part, rings
from blender.crossing import crossings, untangled
from blender.dress import dress
from blender.finer import carry_over, locate
from blender.garment import Cloth, sew
from blender.knit import TILE_PX, jersey
from blender.pattern import Tee, draft
from blender.protocol import PANELS
from blender.recipe import Recipe
from blender.refine import Draped
from blender.tape import add_tape, neck_seam
from blender.zones import hemmed, printed, washed


@pytest.fixture(scope="module")
def cloth() -> Cloth:
    return sew(draft(Tee()), edge_cm=3.0, rib_rows=2)


@pytest.fixture(scope="module")
def dressed(cloth: Cloth) -> Draped:
    return Draped(cloth=cloth, points_cm=dress(cloth, Tee(), Figure()))


def sheets(apart_cm: float) -> tuple[np.ndarray, np.ndarray]:
    """Two triangles, one over the other and turned, a small one above a large one."""
    large = np.array([[-2.0, -2.0, 0.0], [2.0, -2.0, 0.0], [0.0, 2.0, 0.0]])
    small = np.array([[-0.3, -0.3, apart_cm], [0.3, -0.3, apart_cm], [0.0, 0.3, apart_cm]])
    return np.concatenate([large, small]), np.array([[0, 1, 2], [3, 4, 5]], np.int32)


def test_a_finer_cloth_lies_where_the_coarse_one_does(cloth: Cloth, dressed: Draped) -> None:
    finer = sew(draft(Tee()), edge_cm=2.0, rib_rows=2)
    carried = carry_over(cloth, dressed.points_cm, finer)
    assert np.isfinite(carried).all()
    again = carry_over(finer, carried, cloth)
    assert np.linalg.norm(again - dressed.points_cm, axis=1).mean() < 0.25


def test_a_place_on_a_panel_is_found_in_its_face(cloth: Cloth) -> None:
    places = np.array([[0.0, 20.0], [-14.2, 31.7], [20.0, 55.0]])
    face, share = locate(cloth, PANELS.index("front"), places)
    assert np.einsum("nk,nkx->nx", share, cloth.flat_cm[cloth.faces[face]]) == pytest.approx(places)
    assert (share > -1e-9).all()


def test_crossing_triangles_are_found_and_apart_ones_are_not() -> None:
    points, faces = sheets(0.2)
    assert len(crossings(faces, points)) == 0
    points[3, 2] = -0.2
    assert crossings(faces, points).tolist() == [[0, 1]]


def test_a_small_tangle_is_opened() -> None:
    side = np.arange(12)
    x, y = (each.ravel().astype(float) for each in np.meshgrid(side, side))
    points = np.stack([x, y, np.zeros(144)], axis=1)
    corner = (side[:-1, None] * 12 + side[:-1]).ravel()
    upper, lower = np.stack([corner, corner + 1, corner + 13], 1), np.stack([corner, corner + 13, corner + 12], 1)
    faces = np.concatenate([upper, lower]).astype(np.int32)
    points[5 * 12 + 5] = (8.4, 5.3, 0.3)
    points[5 * 12 + 7, 2] = 0.6
    assert len(crossings(faces, points)) > 0
    opened = untangled(faces, points)
    assert len(crossings(faces, opened)) == 0
    assert np.array_equal(opened[:24], points[:24])


def test_layers_that_come_too_near_are_pushed_apart() -> None:
    points, faces = sheets(0.1)
    starts, others = rings(faces, 6)
    pairs, sides = np.empty((99, 2), np.int64), np.empty(99)
    heads, nexts = np.empty(1024, np.int64), np.empty(6, np.int64)
    near = find_near(points, faces, starts, others, 0.5, 1.0, heads, nexts, pairs, sides)
    assert sorted(pairs[:near].tolist()) == [[3, 0], [4, 0], [5, 0]]
    assert (sides[:near] == 1.0).all()
    before = points.copy()
    for _ in range(40):
        part(points, np.ones(6), faces, pairs, sides, near, 0.3, before, 0.2)
    assert (points[3:, 2] - points[0, 2]).min() > 0.25
    # What was pushed through in between goes back to the side it came from.
    points[3:, 2] = points[0, 2] - 0.05
    for _ in range(40):
        part(points, np.ones(6), faces, pairs, sides, near, 0.3, before, 0.2)
    assert points[3:, 2].min() > points[:3, 2].max()


def test_a_flat_grid_has_no_error_and_a_bent_one_does() -> None:
    grid = np.stack(np.meshgrid(np.arange(31.0), np.arange(41.0)), axis=-1)
    assert grid_errors_cm(grid) == pytest.approx((0.0, 0.0))
    squeezed = grid * (0.9, 1.0)
    assert grid_errors_cm(squeezed)[0] == pytest.approx(0.1)
    bent = grid + np.stack([0.4 * np.sin(np.pi * grid[..., 1] / 30), 0 * grid[..., 1]], axis=-1)
    assert grid_errors_cm(bent)[1] > 0.19
    assert grid_errors_cm(grid @ np.array([[0.96, 0.28], [-0.28, 0.96]]))[1] == pytest.approx(0.0, abs=1e-9)


def test_a_garment_that_passes_through_itself_is_refused(dressed: Draped) -> None:
    points = dressed.points_cm.copy()
    front = dressed.cloth.weld[(dressed.cloth.panel == 0) & (dressed.cloth.flat_cm[:, 1] > 50)]
    points[front, 1] += 25.0
    with pytest.raises(ValueError, match="passes through itself: crossings is"):
        check_finish(dataclasses.replace(dressed, points_cm=points), Recipe())


def test_tape_covers_the_back_of_the_neck_from_inside(dressed: Draped) -> None:
    taped = add_tape(dressed)
    added = taped.points_cm[dressed.cloth.count :]
    seam = dressed.points_cm[neck_seam(dressed.cloth)]
    assert np.ptp(added[:, 0]) == pytest.approx(np.ptp(seam[:, 0]), rel=0.15)
    assert np.linalg.norm(added[:, None] - seam, axis=2).min(axis=1).max() < 1.5
    strip = taped.cloth.faces[len(dressed.cloth.faces) :]
    assert (taped.cloth.panel[strip] == PANELS.index("collar")).all()
    assert taped.cloth.flat_cm[strip][..., 1].min() > 0


def test_jersey_repeats_without_a_seam() -> None:
    tile = jersey(7)
    assert tile.shape == (TILE_PX, TILE_PX)
    assert np.array_equal(tile, jersey(7))
    inside = np.abs(np.diff(tile, axis=0)).mean(), np.abs(np.diff(tile, axis=1)).mean()
    across = np.abs(tile[0] - tile[-1]).mean(), np.abs(tile[:, 0] - tile[:, -1]).mean()
    assert across[0] < 2 * inside[0]
    assert across[1] < 2 * inside[1]


def test_zones_know_print_and_hem() -> None:
    recipe = Recipe()
    pattern = draft(recipe.pattern)
    panel = np.zeros(4, np.int8)
    places = np.array([[0.0, 20.0], [24.0, 30.0], [0.0, 60.0], [14.5, 20.0]])
    assert printed(recipe)(panel, places) == pytest.approx([1.0, 0.0, 0.0, 0.5])
    assert hemmed(pattern)(panel, places).tolist() == [0.0, 0.0, 1.0, 0.0]
    random, growth = np.random.default_rng(1), washed(recipe, pattern)
    sleeve = growth(np.full(1000, 2, np.int8), random.uniform((-15, 5), (15, 20), (1000, 2)))
    assert 0.5 * recipe.fabric.uneven < sleeve[:, 0].std() < 2 * recipe.fabric.uneven
    calm = growth(np.zeros(1000, np.int8), random.uniform((-14, 8), (14, 44), (1000, 2)))
    assert calm.std() < 0.2 * sleeve.std()
