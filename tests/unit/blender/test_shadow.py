"""The shadow lies under the garment from every side, ends before the picture does, and looks the same both ways."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blender.output import write_picture
from blender.protocol import ProtocolError, ViewOrder
from blender.shadow import DARKEST, FloorShadow, Shade, floor_shadow, shade_of
from blender.template import load_template
from blender.views import Camera

TEMPLATE = Path(__file__).parents[3] / "templates" / "crew-tee"
SIDE_PX = 240


@pytest.fixture(scope="module")
def floor() -> FloorShadow:
    template = load_template(TEMPLATE)
    return floor_shadow(template.mesh().points_cm, Camera.of(template.facts["camera"]))


@pytest.mark.parametrize("azimuth", [0.0, 37.0, 90.0, 180.0, 315.0])
@pytest.mark.parametrize("size", [(SIDE_PX, SIDE_PX), (320, 180), (160, 200)])
def test_it_lies_low_in_the_picture_and_fades_before_the_border(
    floor: FloorShadow, azimuth: float, size: tuple[int, int]
) -> None:
    density = floor.seen(azimuth, *size).whole(*size)
    assert density.shape == size[::-1]
    assert 0.3 < density.max() <= DARKEST
    side = min(size)
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    square = density[top : top + side, left : left + side]
    assert density.sum() == pytest.approx(square.sum())
    assert square[: side // 2].max() == 0.0
    assert max(square[-1].max(), square[:, 0].max(), square[:, -1].max()) < 0.06


def inside_px() -> np.ndarray:
    """How far inside the disc each pixel's middle is."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
    depth: np.ndarray = SIDE_PX * 0.42 - np.hypot(x - SIDE_PX / 2, y - SIDE_PX / 2)
    return depth


def picture() -> np.ndarray:
    """A red disc with a soft edge."""
    cover = np.clip(inside_px() + 0.5, 0, 1)
    pixels = np.zeros((SIDE_PX, SIDE_PX, 4), np.uint8)
    pixels[...] = (200, 16, 46, 0)
    pixels[..., 3] = np.round(cover * 255)
    return pixels


def written(out: Path, background: str | None, shade: Shade | None) -> Image.Image:
    whole = (0, 0, SIDE_PX, SIDE_PX)
    write_picture(
        picture(), whole, out, width_px=SIDE_PX, height_px=SIDE_PX, background=background, format="png", shade=shade
    )
    return Image.open(out)


def test_the_ground_is_exact_where_there_is_no_shadow_and_darker_where_there_is(
    floor: FloorShadow, tmp_path: Path
) -> None:
    shade = floor.seen(0.0, SIDE_PX, SIDE_PX)
    density = shade.whole(SIDE_PX, SIDE_PX)
    shown = np.asarray(written(tmp_path / "a.png", "#eeeeee", shade))
    ground = inside_px() < -2
    assert (shown[ground & (density == 0)] == 238).all()
    assert shown[ground & (density > 0.2)].max() < 0.81 * 238
    plain = np.asarray(written(tmp_path / "b.png", "#eeeeee", None))
    assert (shown[inside_px() > 2] == plain[inside_px() > 2]).all()


@pytest.mark.parametrize("color", ["#ffffff", "#eeeeee", "#203040"])
def test_a_transparent_picture_laid_on_a_ground_is_the_picture_on_that_ground(
    floor: FloorShadow, tmp_path: Path, color: str
) -> None:
    shade = floor.seen(45.0, SIDE_PX, SIDE_PX)
    named = np.asarray(written(tmp_path / "a.png", color, shade)).astype(int)
    page = Image.new("RGBA", (SIDE_PX, SIDE_PX), color)
    page.alpha_composite(written(tmp_path / "b.png", None, shade))
    # Edges differ as they do without a shadow: a named ground is mixed in linear light, a page in sRGB.
    sharp = np.abs(inside_px()) > 2
    assert np.abs(named - np.asarray(page)[..., :3])[sharp].max() <= 1


def test_an_order_names_its_shadow() -> None:
    order = ViewOrder(template=str(TEMPLATE), view="back_180deg", out="", width_px=100, height_px=100, shadow="soft")
    shade = shade_of(ViewOrder.from_json(order.to_json()))
    assert shade is not None
    assert shade.density.max() > 0.3
    assert shade_of(ViewOrder(template=str(TEMPLATE), view="back_180deg", out="")) is None
    with pytest.raises(ProtocolError, match="none, soft"):
        ViewOrder(template=str(TEMPLATE), view="back_180deg", out="", shadow="long")


def test_writing_and_judging_share_one_shadow_that_neither_can_change() -> None:
    order = ViewOrder(template=str(TEMPLATE), view="back_180deg", out="", width_px=100, height_px=100, shadow="soft")
    shade, again = shade_of(order), shade_of(replace(order, fabric_color="#101010"))
    assert shade is not None
    assert shade is again
    with pytest.raises(ValueError, match="read-only"):
        shade.density[0] = 0
    other = shade_of(replace(order, view="left_90deg"))
    assert other is not None
    assert other is not shade
