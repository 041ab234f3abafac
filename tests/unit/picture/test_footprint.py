"""Whether a print shows at all."""

from pathlib import Path

import pytest

from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import Placement
from farm.domain.template import find
from farm.errors import PrintOffCloth
from farm.picture.footprint import Footprint, check_visible, on_cloth, shows

STRIPE = PanelShape(
    name="front",
    bounds=Rect(x_cm=-0.5, y_cm=0, width_cm=1, height_cm=60),
    outline_cm=((-0.5, 0), (0.5, 0), (0.5, 60), (-0.5, 60)),
)
"""A panel narrower than the steps in which a print is looked at."""


def placed(**where: float) -> Footprint:
    return Footprint.of(Placement(**{"x_cm": 0.0, "y_cm": 30.0, "width_cm": 10.0, **where}), 100, 100)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, True),
        ({"x_cm": 5.4}, True),
        ({"x_cm": 5.6}, False),
        ({"x_cm": 6.5, "rotation_deg": 45.0}, True),
        ({"y_cm": 100.0}, False),
        # Nothing of the grid falls on the stripe: its corners do fall into the print.
        ({"x_cm": 4.4, "width_cm": 150.0}, True),
    ],
)
def test_a_print_shows_where_it_meets_the_cloth(where: dict[str, float], expected: bool) -> None:
    assert shows(placed(**where), STRIPE) is expected


def test_only_when_no_print_shows_all_are_refused() -> None:
    beside = (placed(x_cm=60.0), STRIPE)
    check_visible([beside, (placed(), STRIPE)])
    check_visible([])
    with pytest.raises(PrintOffCloth, match=r"10\.0 x 10\.0 cm around x 60, y 30 cm lies beside the front") as refused:
        check_visible([beside, beside])
    assert [fault["pointer"] for fault in refused.value.errors] == ["/placements/0", "/placements/1"]
    assert refused.value.code == "print_off_cloth"


@pytest.mark.parametrize("rotation_deg", [0, 45, 90, 203])
@pytest.mark.parametrize("outline", ["real", "square", "none"])
def test_all_points_at_once_are_judged_as_each_alone(outline: str, rotation_deg: float) -> None:
    """Also where they lie on an edge, or as high as a corner: the square's edges are points of the grid."""
    if outline == "real":
        panels = list(find([Path("templates")], "crew-tee").panels.values())
    else:
        corners = ((-8.0, -8.0), (8.0, -8.0), (8.0, 8.0), (-8.0, 8.0)) if outline == "square" else ()
        bounds = Rect(x_cm=-8, y_cm=-8, width_cm=16, height_cm=16)
        panels = [PanelShape(name="front", bounds=bounds, print_area=None, outline_cm=corners)]
    for panel in panels:
        for width_cm, y_cm in ((16, 0), (32, 0), (9, 5), (4, -60)):
            placement = Placement(panel="front", x_cm=0, y_cm=y_cm, width_cm=width_cm, rotation_deg=rotation_deg)
            footprint = Footprint.of(placement, 500, 500)
            steps = [i / 16 for i in range(17)]
            each = [panel.contains(*footprint.point_cm(u, v)) for u in steps for v in steps]
            assert on_cloth(footprint, panel).tolist() == each
