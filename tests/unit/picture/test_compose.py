"""Composing keeps colours exact, averages light rather than numbers, and measures in centimetres."""

from typing import Any

import numpy as np
import pytest

from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import BlendMode, Fit, Panel, Placement
from farm.errors import LowResolution
from farm.picture.compose import BORDER_PX, Layer, PanelTexture, compose
from farm.picture.light import linear_rgb, to_linear, to_srgb
from tests.picture_designs import prints

FRONT = PanelShape(
    name="front",
    bounds=Rect(x_cm=-27, y_cm=-4, width_cm=54, height_cm=74),
    print_area=Rect(x_cm=-15, y_cm=6, width_cm=30, height_cm=40),
)
WHITE = (1.0, 1.0, 1.0)


def layer(pixels: prints.Pixels, **fields: Any) -> Layer:
    return Layer(pixels=pixels, placement=Placement(**({"y_cm": 26.0, "width_cm": 4.0} | fields)))


def made(
    *layers: Layer, fabric: tuple[float, float, float] = WHITE, px_per_cm: float = 30.0, **more: Any
) -> PanelTexture:
    return compose(layers, panel=FRONT, fabric=fabric, px_per_cm=px_per_cm, **more)


def inner(texture: PanelTexture) -> prints.Pixels:
    return texture.pixels[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]


def albedo(texture: PanelTexture, fabric: tuple[float, float, float]) -> np.ndarray:
    alpha = texture.pixels[..., 3:] / 255
    return np.asarray(np.array(fabric) * (1 - alpha) + to_linear(texture.pixels[..., :3] / 255) * alpha)


def codes(texture: PanelTexture) -> list[str]:
    return [notice.code for notice in texture.warnings]


def test_a_design_at_its_own_density_keeps_its_very_pixels() -> None:
    design = prints.noise(120, 160)
    design[..., 3] |= 128
    texture = made(layer(design))
    assert np.abs(inner(texture).astype(int) - design).max() <= 1
    opaque = design.copy()
    opaque[..., 3] = 255
    assert np.array_equal(inner(made(layer(opaque))), opaque)


def test_the_texture_covers_the_layer_and_a_transparent_rim() -> None:
    texture = made(layer(prints.flat((9, 9, 9))))
    height, width = texture.pixels.shape[:2]
    assert (width, height) == (120 + 2 * BORDER_PX, 160 + 2 * BORDER_PX)
    assert texture.width_cm == pytest.approx(width / 30)
    assert texture.x_cm == pytest.approx(-2 - BORDER_PX / 30)
    assert texture.y_cm == pytest.approx(26 - 160 / 60 - BORDER_PX / 30)
    rim = texture.pixels.copy()
    rim[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX, 3] = 0
    assert not rim[..., 3].any()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 16, 46), (1, 2, 3), (254, 128, 7)])
@pytest.mark.parametrize("alpha", [255, 128, 17])
@pytest.mark.parametrize("density", [11.3, 24.0, 29.9, 55.0])
def test_flat_colours_survive_every_scale(colour: tuple[int, int, int], alpha: int, density: float) -> None:
    texture = made(layer(prints.flat(colour, 120, 160, alpha)), px_per_cm=density)
    middle = inner(texture)[1:-1, 1:-1].astype(int)
    assert np.abs(middle[..., 3] - alpha).max() == 0
    assert np.abs(middle[..., :3] - colour).max() <= 1


def test_flat_colours_survive_rotation_and_magnification() -> None:
    for fields in ({"rotation_deg": 31.0}, {"width_cm": 20.0}, {"width_cm": 20.0, "rotation_deg": 200.0}):
        texture = made(layer(prints.flat((200, 16, 46)), **fields))
        solid = texture.pixels[texture.pixels[..., 3] == 255]
        assert len(solid) > 1000
        assert np.abs(solid[:, :3].astype(int) - (200, 16, 46)).max() <= 1


def test_light_is_averaged_not_numbers() -> None:
    texture = made(layer(prints.checker(400, 400)), px_per_cm=25.0)
    middle = inner(texture)[10:-10, 10:-10, :3]
    assert np.abs(middle.astype(int) - 188).max() <= 2


def test_transparent_colours_do_not_bleed_in() -> None:
    design = prints.flat((255, 0, 0), 400, 400)
    design[:, ::2] = (0, 255, 0, 0)
    texture = made(layer(design), px_per_cm=25.0)
    middle = inner(texture)[10:-10, 10:-10].astype(int)
    assert (middle[..., :3] == (255, 0, 0)).all()
    assert np.abs(middle[..., 3] - 128).max() <= 2


def test_no_halo_around_white_on_black() -> None:
    design = prints.flat((40, 40, 40), 600, 600)
    design[200:400, 200:400, :3] = 220
    pixels = inner(made(layer(design), px_per_cm=37.7))[..., :3]
    assert pixels.min() >= 39
    assert pixels.max() <= 221


def test_texels_beside_the_print_carry_its_colour_with_alpha_zero() -> None:
    pixels = made(layer(prints.flat((200, 16, 46)))).pixels
    assert pixels[BORDER_PX - 1, 40].tolist() == [200, 16, 46, 0]
    assert pixels[0, 0].tolist() == [0, 0, 0, 0]


def blended(mode: BlendMode, below: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The W3C's formulas, written down again."""
    formulas: dict[BlendMode, np.ndarray] = {
        BlendMode.NORMAL: colour,
        BlendMode.MULTIPLY: below * colour,
        BlendMode.SCREEN: 1 - (1 - below) * (1 - colour),
        BlendMode.OVERLAY: np.where(below <= 0.5, 2 * below * colour, 1 - 2 * (1 - below) * (1 - colour)),
    }
    return formulas[mode]


@pytest.mark.parametrize("mode", list(BlendMode))
@pytest.mark.parametrize("fabric", ["#ffffff", "#161616", "#c8102e", "#808080"])
def test_the_texture_over_the_fabric_is_the_wanted_albedo(mode: BlendMode, fabric: str) -> None:
    cloth = linear_rgb(fabric)
    low, high = prints.noise(60, 80, 1), prints.noise(60, 80, 2)
    texture = made(
        layer(low, width_cm=2.0, opacity=0.9), layer(high, width_cm=2.0, blend=mode, opacity=0.6), fabric=cloth
    )
    wanted = np.broadcast_to(np.array(cloth), (80, 60, 3))
    for pixels, how, opacity in ((low, BlendMode.NORMAL, 0.9), (high, mode, 0.6)):
        colour, alpha = to_linear(pixels[..., :3] / 255), pixels[..., 3:] / 255 * opacity
        wanted = wanted * (1 - alpha) + blended(how, wanted, colour) * alpha
    got = albedo(texture, cloth)[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    assert np.abs(to_srgb(got) - to_srgb(wanted)).max() * 255 < 2.5


def test_quarter_turns_are_exact_and_clockwise() -> None:
    design = prints.quadrants()
    for turns in range(4):
        texture = made(layer(design, rotation_deg=90.0 * turns))
        assert np.array_equal(inner(texture), np.rot90(design, -turns)), turns


def test_a_slanted_layer_agrees_with_the_quarter_turn_beside_it() -> None:
    design = prints.photo(120, 160)
    straight = made(layer(design, rotation_deg=90.0))
    slanted = made(layer(design, rotation_deg=89.999))
    for texture in (straight, slanted):
        assert texture.pixels[..., 3].max() == 255
    shift_x = round((straight.x_cm - slanted.x_cm) * 30)
    shift_y = round((straight.y_cm - slanted.y_cm) * 30)
    window = slanted.pixels[shift_y:, shift_x:][: straight.pixels.shape[0], : straight.pixels.shape[1]]
    difference = np.abs(inner(straight)[3:-3, 3:-3].astype(int) - window[5:-5, 5:-5])
    assert difference.mean() < 3


def test_contain_keeps_the_shape_and_cover_fills_the_box() -> None:
    design = prints.quadrants(120, 160)
    contained = made(layer(design, width_cm=4.0, height_cm=4.0), px_per_cm=40.0)
    covered = made(layer(design, width_cm=4.0, height_cm=4.0, fit=Fit.COVER), px_per_cm=30.0)
    assert inner(contained).shape[:2] == (160, 120)
    assert inner(covered).shape[:2] == (120, 120)
    assert np.array_equal(inner(covered), design[20:140])


def test_a_coarse_design_is_magnified_so_that_its_rim_stays_sharp() -> None:
    texture = made(layer(prints.flat((10, 200, 30), 1, 1), width_cm=10.0))
    assert inner(texture).shape[:2] == (240, 240)
    assert (inner(texture) == (10, 200, 30, 255)).all()


def test_extreme_shapes_compose() -> None:
    for width, height in ((30_000, 10), (10, 30_000), (1, 1)):
        texture = made(layer(prints.flat((10, 200, 30), width, height), width_cm=30.0, height_cm=40.0))
        assert max(texture.pixels.shape) <= 4096
        assert texture.pixels[..., 3].any()


def test_the_long_side_has_a_limit() -> None:
    texture = made(layer(prints.flat((1, 2, 3), 3000, 4000), width_cm=30.0), px_per_cm=1000.0, max_side_px=512)
    assert max(texture.pixels.shape) <= 512
    assert texture.height_cm == pytest.approx(40, abs=0.5)


def test_what_lies_beyond_the_panel_is_not_kept() -> None:
    texture = made(layer(prints.flat((1, 2, 3)), width_cm=150.0))
    assert texture.width_cm < 58
    beside = made(layer(prints.flat((1, 2, 3)), x_cm=90.0))
    assert codes(beside)[-1] == "print_off_panel"
    assert not beside.pixels[..., 3].any()


def test_two_layers_far_apart_share_one_texture() -> None:
    texture = made(
        layer(prints.flat((255, 0, 0)), y_cm=10.0),
        layer(prints.flat((0, 0, 255)), x_cm=8.3, y_cm=30.0, rotation_deg=10.0),
    )
    solid = texture.pixels[texture.pixels[..., 3] == 255][:, :3]
    assert {tuple(colour) for colour in np.unique(solid, axis=0)} == {(255, 0, 0), (0, 0, 255)}
    red = np.argwhere((texture.pixels == (255, 0, 0, 255)).all(axis=2))
    centre_y, centre_x = red.mean(axis=0) + 0.5
    assert texture.x_cm + centre_x / 30 == pytest.approx(0, abs=0.02)
    assert texture.y_cm + centre_y / 30 == pytest.approx(10, abs=0.02)


def test_equal_inputs_give_equal_bytes_whatever_the_threads() -> None:
    layers = layer(prints.noise(300, 400)), layer(prints.noise(100, 100, 1), rotation_deg=33.0, blend=BlendMode.SCREEN)
    one, many = (made(*layers, px_per_cm=50.0, threads=threads) for threads in (1, 7))
    assert np.array_equal(one.pixels, many.pixels)


def test_warnings_and_the_operators_floor() -> None:
    fine = made(layer(prints.flat((1, 2, 3), 600, 800), width_cm=10.0))
    assert codes(fine) == []
    assert codes(made(layer(prints.flat((1, 2, 3)), width_cm=10.0))) == ["print_low_dpi"]
    assert codes(made(layer(prints.flat((1, 2, 3), 600, 800), x_cm=12.0, width_cm=10.0))) == ["print_leaves_area"]
    over = codes(made(layer(prints.flat((1, 2, 3), 600, 800), x_cm=25.0, width_cm=10.0)))
    assert over == ["print_leaves_area", "print_crosses_seam"]
    with pytest.raises(LowResolution) as caught:
        made(layer(prints.flat((1, 2, 3)), width_cm=10.0), floor_dpi=72.0)
    assert caught.value.dpi == pytest.approx(30.48)


def test_the_seam_follows_the_outline_not_the_bounds() -> None:
    triangle = PanelShape(
        name="front", bounds=FRONT.bounds, print_area=FRONT.print_area, outline_cm=((0, 0), (20, 40), (-20, 40))
    )
    texture = compose(
        [layer(prints.flat((1, 2, 3), 600, 800), y_cm=10.0, width_cm=6.0)], panel=triangle, fabric=WHITE, px_per_cm=20.0
    )
    assert "print_crosses_seam" in codes(texture)
    low = compose(
        [layer(prints.flat((1, 2, 3), 600, 800), y_cm=35.0, width_cm=6.0)], panel=triangle, fabric=WHITE, px_per_cm=20.0
    )
    assert codes(low) == []


def test_a_sleeve_has_no_print_area_and_says_so() -> None:
    sleeve = PanelShape.from_template(
        "sleeve_left",
        {"x_min_cm": -20, "x_max_cm": 20, "y_min_cm": 0, "y_max_cm": 22, "print_area": None, "outline_cm": []},
    )
    placed = layer(prints.flat((1, 2, 3), 600, 600), panel=Panel.SLEEVE_LEFT, y_cm=10.0)
    assert codes(compose([placed], panel=sleeve, fabric=WHITE, px_per_cm=20.0)) == ["print_leaves_area"]


def test_layers_of_another_panel_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="front"):
        made(layer(prints.flat((1, 2, 3)), panel=Panel.BACK))
    with pytest.raises(ValueError, match="front"):
        made()
