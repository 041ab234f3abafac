"""The cloth in space: what it weighs, how it bends, where it lands, how it is refined."""

import dataclasses
import functools

import numpy as np
import pytest

from blender.body import Body, Figure, build_body
from blender.build import LIGHTS
from blender.check import check_drape, strains
from blender.drape import Fabric, Phase, Positions, bend_stencils, drape
from blender.dress import dress
from blender.garment import Cloth, loops, open_edges, sew
from blender.pattern import Pattern, Tee, draft
from blender.protocol import PANELS
from blender.recipe import Recipe
from blender.refine import Draped, crumple, subdivide, turn_hems
from blender.scene import sky
from blender.zones import printed

BRIEF = (
    Phase(seconds=0.0, gravity=0.0, shrink_cm=3.0, damping=20.0, lift_deg=12.0),
    Phase(seconds=0.4, gravity=0.0, shrink_cm=0.0, damping=20.0, lift_deg=12.0),
    Phase(seconds=0.4, gravity=1.0, shrink_cm=0.0, damping=8.0, gap=2.0),
)


@functools.cache
def wearer() -> dict[float, Body]:
    return build_body(Figure(), lifts_deg=(0.0, 12.0), spacing_cm=1.2)


@pytest.fixture(scope="module")
def pattern() -> Pattern:
    return draft(Tee())


@pytest.fixture(scope="module")
def cloth(pattern: Pattern) -> Cloth:
    return sew(pattern, edge_cm=3.0, rib_rows=2)


@pytest.fixture(scope="module")
def draped(cloth: Cloth) -> Draped:
    figure = Figure()
    start = dress(cloth, Tee(), figure, lift_deg=BRIEF[0].lift_deg)
    return Draped(cloth=cloth, points_cm=fallen(cloth, start))


def fallen(cloth: Cloth, start: Positions, fabric: Fabric = Fabric()) -> Positions:
    return drape(cloth, start, wearer(), fabric, schedule=BRIEF, printed=printed(Recipe()), lean_deg=Figure().lean_deg)


def test_flat_cloth_has_no_wish_to_bend(cloth: Cloth) -> None:
    vertices, weights, faces = bend_stencils(cloth)
    flat = cloth.face_panel[faces[:, 0]] == cloth.face_panel[faces[:, 1]]
    front = flat & (cloth.face_panel[faces[:, 0]] == PANELS.index("front"))
    place = np.zeros((cloth.count, 2))
    mine = cloth.panel == PANELS.index("front")
    place[cloth.weld[mine]] = cloth.flat_cm[mine]
    pull = np.einsum("bi,bix->bx", weights[front, :4], place[vertices[front]])
    assert np.abs(weights[:, :4].sum(axis=1)).max() < 1e-9
    assert np.abs(pull).max() < 1e-9


def test_body_is_symmetric_and_has_an_inside() -> None:
    body = build_body(Figure(arm_uneven_deg=0.0), spacing_cm=2.0)[0.0]
    assert np.abs(body.distance_cm - body.distance_cm[::-1]).max() < 1e-4
    assert body.distance_cm.min() < -6
    assert body.distance_cm[0].min() > 0


def test_drape_hangs_on_its_shoulders_with_every_seam_closed(draped: Draped) -> None:
    measured = check_drape(draped, Recipe())
    assert measured["print_strain_p99"] < 0.06
    assert abs(measured["top_cm"]) < 4


def test_what_is_pressed_is_smoothed_down_on_the_wearer(cloth: Cloth, draped: Draped) -> None:
    start = dress(cloth, Tee(), Figure(), lift_deg=BRIEF[0].lift_deg)
    loose = fallen(cloth, start, Fabric(smoothed=0.0))
    flat = (cloth.panel == PANELS.index("front")) & (printed(Recipe())(cloth.panel, cloth.flat_cm) > 0.9)
    body = wearer()[0.0]
    off = []
    for points in (draped.points_cm, loose):
        at = np.round((points[cloth.weld[flat]] - body.origin_cm) / body.spacing_cm).astype(int)
        off.append(float(body.distance_cm[at[:, 0], at[:, 1], at[:, 2]].mean()))
    assert off[0] < 0.6
    assert off[1] > 2 * off[0]


def test_same_start_gives_the_same_drape(cloth: Cloth, draped: Draped) -> None:
    start = dress(cloth, Tee(), Figure(), lift_deg=BRIEF[0].lift_deg)
    again = fallen(cloth, start)
    assert np.array_equal(again, draped.points_cm)


def test_check_refuses_a_stretched_and_a_fallen_garment(draped: Draped) -> None:
    stretched = dataclasses.replace(draped, points_cm=draped.points_cm * (1.2, 1.0, 1.0))
    with pytest.raises(ValueError, match="stretched"):
        check_drape(stretched, Recipe())
    fallen = dataclasses.replace(draped, points_cm=draped.points_cm - (0.0, 0.0, 20.0))
    with pytest.raises(ValueError, match="slid off"):
        check_drape(fallen, Recipe())
    exploded = dataclasses.replace(draped, points_cm=draped.points_cm * np.nan)
    with pytest.raises(ValueError, match="exploded"):
        check_drape(exploded, Recipe())


def test_strain_is_measured_against_the_pattern(draped: Draped) -> None:
    doubled = dataclasses.replace(draped, points_cm=draped.points_cm * 2)
    assert strains(doubled) == pytest.approx(2 * strains(draped) + 1)


def test_refining_keeps_seams_closed_and_panels_whole(draped: Draped) -> None:
    finer = subdivide(draped)
    assert len(finer.cloth.faces) == 4 * len(draped.cloth.faces)
    assert len(loops(open_edges(finer.cloth.welded_faces))) == 4
    for panel in range(len(PANELS)):
        before, after = (each.cloth.flat_cm[each.cloth.panel == panel] for each in (draped, finer))
        assert np.ptp(after, axis=0) == pytest.approx(np.ptp(before, axis=0), rel=0.02)


def test_hems_are_turned_inside(draped: Draped) -> None:
    turned = turn_hems(draped, depth_cm=1.6, thickness_cm=0.16, rib_thickness_cm=0.28)
    hem_y = draped.cloth.flat_cm[draped.cloth.panel == 0][:, 1].max()
    assert 1.0 < turned.cloth.flat_cm[turned.cloth.panel == 0][:, 1].max() - hem_y < 3.0
    assert len(loops(open_edges(turned.cloth.welded_faces))) == 4
    assert turned.points_cm[:, 2].min() > draped.points_cm[:, 2].min() - 0.3


def test_crumple_is_slight(draped: Draped) -> None:
    moved = np.linalg.norm(crumple(draped, height_cm=0.03, seed=1).points_cm - draped.points_cm, axis=1)
    assert 0.005 < moved.mean() < 0.06


def test_key_light_comes_from_the_viewers_upper_left() -> None:
    light = sky(LIGHTS)
    assert light.shape == (64, 128, 4)
    azimuths = -2 * np.pi * ((np.arange(128) + 0.5) / 128 - 0.5)
    # What stands behind the garment only draws its outline.
    row, column = np.unravel_index(np.argmax(light[..., 0] * (np.sin(azimuths) < 0)), light.shape[:2])
    assert np.cos(azimuths[column]) < 0
    assert np.pi * (0.5 - (row + 0.5) / 64) > 0
