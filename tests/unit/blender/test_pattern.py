"""The sewing pattern's arithmetic: seams that meet must be equally long, and sizes must be the measures'."""

import dataclasses

import numpy as np
import pytest

from blender.garment import loops, mesh_half, open_edges, sew
from blender.pattern import Tee, bezier, draft, length_cm, resample, solve_cap_height_cm
from blender.protocol import PANELS


@pytest.mark.parametrize("bicep_width_cm", [34.0, 36.5, 38.0, 41.0])
def test_sleeve_cap_is_as_long_as_the_armhole(bicep_width_cm: float) -> None:
    pattern = draft(Tee(bicep_width_cm=bicep_width_cm))
    cap, armhole = length_cm(pattern.sleeve.edges["cap"]), length_cm(pattern.front.edges["armhole"])
    assert cap == pytest.approx(armhole, abs=1e-6)
    assert length_cm(pattern.back.edges["armhole"]) == pytest.approx(armhole, abs=1e-9)


def test_wider_sleeve_has_a_flatter_cap() -> None:
    armhole_cm = 22.5
    narrow = solve_cap_height_cm(Tee(bicep_width_cm=34.0), armhole_cm)
    wide = solve_cap_height_cm(Tee(bicep_width_cm=40.0), armhole_cm)
    assert wide < narrow


def test_sleeve_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="no sleeve cap"):
        draft(Tee(bicep_width_cm=60.0))


def test_measures_that_contradict_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="must grow"):
        draft(Tee(neck_width_cm=50.0))


def test_a_waist_takes_the_side_in_and_the_seams_still_match() -> None:
    fitted = draft(Tee(chest_width_cm=46.0, shoulder_width_cm=39.0, waist_width_cm=41.0, hem_width_cm=47.0))
    side = fitted.front.edges["side"]
    assert side[:, 0].min() == pytest.approx(20.5)
    assert side[side[:, 0].argmin(), 1] == pytest.approx(44.0 - 10.5, abs=0.1)
    assert length_cm(side) == pytest.approx(length_cm(fitted.back.edges["side"]), abs=1e-9)
    sew(fitted, edge_cm=2.5, rib_rows=2)
    with pytest.raises(ValueError, match="waist must lie"):
        draft(Tee(waist_width_cm=41.0, waist_depth_cm=20.0))


def test_a_dipped_hem_is_lower_in_the_middle() -> None:
    hem = draft(Tee(hem_dip_cm=2.0)).front.edges["hem"]
    assert hem[-1, 1] - hem[0, 1] == pytest.approx(2.0)


def test_a_long_sleeve_is_a_measure() -> None:
    pattern = draft(Tee(sleeve_length_cm=60.0, sleeve_opening_cm=22.0))
    assert np.ptp(pattern.sleeve.outline_cm()[:, 1]) == pytest.approx(60.0)
    sew(pattern, edge_cm=2.5, rib_rows=2)


def test_extents_are_the_measures() -> None:
    measures = Tee()
    pattern = draft(measures)
    front, back, sleeve = (half.outline_cm() for half in (pattern.front, pattern.back, pattern.sleeve))
    assert np.ptp(front[:, 0]) == pytest.approx(measures.chest_width_cm)
    assert front[:, 1].min() == pytest.approx(-measures.front_drop_cm)
    assert front[:, 1].max() == pytest.approx(measures.length_cm - measures.front_drop_cm)
    assert back[:, 1].max() == pytest.approx(measures.length_cm - measures.back_drop_cm)
    assert sleeve[:, 1].max() == pytest.approx(measures.sleeve_length_cm)
    assert np.ptp(sleeve[:, 0]) == pytest.approx(measures.bicep_width_cm)


def test_origin_is_the_middle_of_the_collar_seam() -> None:
    pattern = draft(Tee())
    for half, edge in ((pattern.front, "neck"), (pattern.back, "neck"), (pattern.sleeve, "cap")):
        assert half.edges[edge][0].tolist() == [0.0, 0.0]


def test_rib_is_shorter_than_the_neckline() -> None:
    measures = Tee()
    pattern = draft(measures)
    neckline = 2 * (length_cm(pattern.front.edges["neck"]) + length_cm(pattern.back.edges["neck"]))
    assert pattern.rib_length_cm == pytest.approx(measures.rib_ratio * neckline)


def test_resample_keeps_ends_and_spaces_evenly() -> None:
    corners = [np.array(point) for point in ((0.0, 0.0), (0.0, 5.0), (8.0, 9.0), (9.0, 0.0))]
    line = resample(bezier(corners[0], corners[1], corners[2], corners[3]), 40)
    steps = np.hypot(*np.diff(line, axis=0).T)
    assert line[0].tolist() == [0.0, 0.0]
    assert line[-1].tolist() == [9.0, 0.0]
    assert steps.max() / steps.min() < 1.01


def test_mesh_covers_its_panel_and_faces_outwards() -> None:
    half = draft(Tee()).front
    mesh = mesh_half(half, edge_cm=2.5)
    a, b, c = (mesh.points_cm[mesh.faces[:, corner]] * (1, -1) for corner in range(3))
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    x, y = half.outline_cm().T
    panel_area = abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(panel_area, rel=0.01)


def test_mesh_is_its_own_mirror_image() -> None:
    mesh = mesh_half(draft(Tee()).back, edge_cm=2.5)
    points = {(round(x, 6), round(y, 6)) for x, y in mesh.points_cm.tolist()}
    assert {(-x + 0.0, y) for x, y in points} == {(x + 0.0, y) for x, y in points}


def test_sewn_garment_has_four_openings() -> None:
    cloth = sew(draft(Tee()), edge_cm=2.5, rib_rows=2)
    assert len(loops(open_edges(cloth.welded_faces))) == 4
    assert set(cloth.face_panel.tolist()) == set(range(len(PANELS)))


def test_wearers_left_sleeve_has_its_front_on_the_left_as_seen_from_outside() -> None:
    cloth = sew(draft(Tee()), edge_cm=2.5, rib_rows=2)
    front = set(cloth.weld[cloth.panel == PANELS.index("front")].tolist())
    back = set(cloth.weld[cloth.panel == PANELS.index("back")].tolist())
    for sleeve, sign in (("sleeve_left", -1.0), ("sleeve_right", 1.0)):
        mine = np.flatnonzero(cloth.panel == PANELS.index(sleeve))
        on_front = [i for i in mine if int(cloth.weld[i]) in front and int(cloth.weld[i]) not in back]
        assert on_front
        assert (np.sign(cloth.flat_cm[on_front, 0]) == sign).all()


def test_a_seam_of_unequal_edges_is_refused() -> None:
    pattern = draft(Tee())
    longer = draft(dataclasses.replace(Tee(), length_cm=80.0))
    torn = dataclasses.replace(pattern, back=longer.back)
    with pytest.raises(ValueError, match="a seam joins"):
        sew(torn, edge_cm=2.5, rib_rows=2)
