import numpy as np
import pytest

from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import BlendMode, Placement
from farm.picture.compose import BORDER_PX, Layer, compose
from farm.picture.ink import inspect_ink
from farm.picture.light import linear_rgb
from tests.picture_designs import prints

SHAPE = PanelShape(name="front", bounds=Rect(x_cm=-27, y_cm=-4, width_cm=54, height_cm=74))


def printed(fabric: str, *, underbase: bool) -> np.ndarray:
    """The albedo of cloth under yellow ink, linear."""
    placed = Layer(pixels=prints.flat((255, 255, 0)), placement=Placement(y_cm=20, width_cm=10, underbase=underbase))
    cloth = linear_rgb(fabric)
    pixels = compose([placed], panel=SHAPE, fabric=cloth, px_per_cm=24).pixels
    assert (pixels[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX, 3] == 255).all()
    return np.array(linear_rgb("#" + pixels[80, 80, :3].tobytes().hex()))


@pytest.mark.parametrize("fabric", ["#ffffff", "#1f2a44", "#000000"])
def test_over_its_underbase_ink_is_its_own_colour_on_any_cloth(fabric: str) -> None:
    assert np.allclose(printed(fabric, underbase=True), (1, 1, 0), atol=0.01)


@pytest.mark.parametrize("fabric", ["#ffffff", "#b3b4b8", "#1f2a44", "#000000"])
def test_without_it_ink_dyes_the_cloth(fabric: str) -> None:
    red, green, _ = linear_rgb(fabric)
    assert np.allclose(printed(fabric, underbase=False), (red, green, 0), atol=0.01)


def test_translucent_ink_on_dark_cloth_is_warned_of() -> None:
    bare, covering = Placement(y_cm=20, width_cm=10, underbase=False), Placement(y_cm=20, width_cm=10)
    dyeing = Placement(y_cm=20, width_cm=10, blend=BlendMode.MULTIPLY)
    black, sand = linear_rgb("#161616"), linear_rgb("#dcd2be")
    assert [one.code for one in inspect_ink(bare, black)] == ["print_without_underbase"]
    assert [one.code for one in inspect_ink(dyeing, black)] == ["print_without_underbase"]
    assert inspect_ink(covering, black) == inspect_ink(bare, sand) == ()
