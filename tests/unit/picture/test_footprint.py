"""Whether a print shows at all."""

import pytest

from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import Placement
from farm.errors import PrintOffCloth
from farm.picture.footprint import Footprint, check_visible, shows

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
