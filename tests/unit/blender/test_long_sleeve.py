"""A long sleeve starts round the whole arm, a short one as before."""

import numpy as np
import pytest

from blender.body import Figure, elbow_and_wrist
from blender.drape import FALL, LIFT_DEG, lifted
from blender.dress import dress
from blender.garment import sew
from blender.pattern import Tee, draft
from blender.protocol import PANELS


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("lift_deg", [0.0, 30.0])
def test_the_arm_is_in_the_middle_of_the_cuff(side: float, lift_deg: float) -> None:
    measures, figure = Tee(sleeve_length_cm=60.0, sleeve_opening_cm=22.0), Figure()
    cloth = sew(draft(measures), edge_cm=3.0, rib_rows=2)
    placed = dress(cloth, measures, figure, lift_deg=lift_deg)
    panel = PANELS.index("sleeve_left" if side > 0 else "sleeve_right")
    cuff = (cloth.panel == panel) & (cloth.flat_cm[:, 1] > measures.sleeve_length_cm - 0.1)
    middle = placed[cloth.weld[cuff]].mean(axis=0) * (side, 1.0, 1.0)
    elbow, wrist = elbow_and_wrist(figure, figure.side_deg(side) + lift_deg)
    forearm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    off = (middle - elbow) - (middle - elbow) @ forearm * forearm
    assert np.linalg.norm(off) < 1.0
    assert 15.0 < (middle - elbow) @ forearm < figure.arm_length_cm + 3.0


def test_arms_are_lifted_as_far_as_the_figure_says() -> None:
    assert lifted(FALL, LIFT_DEG) == FALL
    assert {phase.lift_deg for phase in lifted(FALL, 0.0)} == {0.0}
    assert max(phase.lift_deg for phase in lifted(FALL, 10.0)) == pytest.approx(10.0)
