import numpy as np
import pytest
from numpy.typing import NDArray

from farm.errors import BakeBroken, BakeTooSmall
from farm.picture.baked_view import BakedView
from farm.picture.light import linear_rgb, to_srgb
from farm.picture.relight import printed, relight_view
from farm.picture.texture import PanelTexture
from tests.unit.picture.baked import GAIN, PER_CM, flat_bake


def texture(pixels: NDArray[np.uint8], *, x_cm: float, y_cm: float, width_cm: float) -> PanelTexture:
    height_cm = width_cm * pixels.shape[0] / pixels.shape[1]
    return PanelTexture(panel="front", pixels=pixels, x_cm=x_cm, y_cm=y_cm, width_cm=width_cm, height_cm=height_cm)


def solid(*colour: int, side: int = 16) -> NDArray[np.uint8]:
    return np.full((side, side, 4), colour, np.uint8)


def byte(albedo: NDArray[np.float64], around: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.round(to_srgb(0.02 + albedo * (0.8 + around * 0.1)) * 255))


def test_plain_cloth_shows_fabric_times_light() -> None:
    pixels, window = relight_view(BakedView.read(flat_bake()), [], "#336699", width_px=64, height_px=64)
    assert window == (8, 8, 56, 56)
    cloth = np.array(linear_rgb("#336699")) * GAIN
    np.testing.assert_allclose(pixels[..., :3].reshape(-1, 3), np.tile(byte(cloth, cloth), (48 * 48, 1)), atol=1)
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize("size_px", [64, 48, 32, 20, 16])
def test_a_print_lies_where_its_centimetres_say_at_every_size(size_px: int) -> None:
    red = texture(solid(200, 16, 46, 255), x_cm=5.0, y_cm=6.0, width_cm=5.0)
    baked = BakedView.read(flat_bake())
    pixels, window = relight_view(baked, [red], "#ffffff", width_px=size_px, height_px=size_px)
    whole = np.zeros((size_px, size_px, 4), np.uint8)
    whole[window[1] : window[3], window[0] : window[2]] = pixels
    inked = whole[..., 1] < 128
    inked &= whole[..., 3] > 0
    rows, columns = np.nonzero(inked)
    per_cm = PER_CM * size_px / 64
    assert columns.min() == pytest.approx(5.0 * per_cm, abs=0.8)
    assert columns.max() + 1 == pytest.approx(10.0 * per_cm, abs=0.8)
    assert rows.min() == pytest.approx(6.0 * per_cm, abs=0.8)
    assert rows.max() + 1 == pytest.approx(11.0 * per_cm, abs=0.8)


def test_an_edge_is_filtered_as_the_path_tracer_filters_it() -> None:
    """Black ink from x = 8 cm on: the light across its edge is the running sum of a Blackman-Harris window."""
    ink = texture(solid(0, 0, 0, 255, side=256), x_cm=8.0, y_cm=-8.0, width_cm=32.0)
    baked = BakedView.read(flat_bake(specular=0.0, mutual=0.0, diffuse=1.0))
    pixels, window = relight_view(baked, [ink], "#ffffff", width_px=64, height_px=64)
    line = pixels[20, :, 0].astype(np.float64)
    edge = 8.0 * PER_CM - window[0]
    fine = np.linspace(-1.5, 1.5, 30_001)
    phase = 2 * np.pi * (fine / 3 + 0.5)
    height = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
    running = np.cumsum(height) / height.sum()
    wanted = [
        to_srgb(GAIN * (1 - np.interp(x + 0.5 - edge, fine, running, left=0.0, right=1.0))) * 255
        for x in range(len(line))
    ]
    # The interpolation of the texels, half a millimetre wide, softens the edge a little more.
    assert np.abs(line - wanted).max() < 14
    assert np.abs(line - wanted).mean() < 1


def test_white_ink_on_white_cloth_is_not_seen() -> None:
    baked = BakedView.read(flat_bake())
    bare, _ = relight_view(baked, [], "#ffffff", width_px=64, height_px=64)
    inked, _ = relight_view(
        baked,
        [texture(solid(255, 255, 255, 255), x_cm=4.0, y_cm=4.0, width_cm=6.0)],
        "#ffffff",
        width_px=64,
        height_px=64,
    )
    assert np.abs(bare.astype(int) - inked).max() <= 1


def test_a_dark_print_darkens_the_cloth_beside_it() -> None:
    baked = BakedView.read(flat_bake(mutual=0.3))
    bare, _ = relight_view(baked, [], "#ffffff", width_px=64, height_px=64)
    inked, _ = relight_view(
        baked, [texture(solid(0, 0, 0, 255), x_cm=2.0, y_cm=2.0, width_cm=6.0)], "#ffffff", width_px=64, height_px=64
    )
    beside = (26, 40 - 8)  # pixels: within a centimetre of the print's edge
    far = (46, 46)
    assert (inked[beside][:3] < bare[beside][:3]).all()
    np.testing.assert_array_equal(inked[far], bare[far])


def test_threads_change_nothing() -> None:
    random = np.random.default_rng(1).integers(0, 256, (40, 40, 4), np.uint8)
    baked = BakedView.read(flat_bake(size_px=256))
    prints = [texture(random, x_cm=10.0, y_cm=9.0, width_cm=30.0)]
    one, _ = relight_view(baked, prints, "#202020", width_px=256, height_px=256, threads=1)
    four, _ = relight_view(baked, prints, "#202020", width_px=256, height_px=256, threads=4)
    np.testing.assert_array_equal(one, four)


def test_the_printed_part_of_a_view_is_known() -> None:
    inside = printed(
        BakedView.read(flat_bake()),
        [texture(solid(0, 0, 0, 255), x_cm=5.0, y_cm=6.0, width_cm=5.0)],
        width_px=64,
        height_px=64,
    )
    assert inside.sum() == (5 * PER_CM) ** 2


@pytest.mark.parametrize(("width_px", "height_px"), [(96, 64), (64, 91), (40, 32), (33, 32)])
def test_a_picture_that_is_not_square_shows_more_studio(width_px: int, height_px: int) -> None:
    baked = BakedView.read(flat_bake())
    side = min(width_px, height_px)
    pixels, (left, top, right, bottom) = relight_view(baked, [], "#ffffff", width_px=width_px, height_px=height_px)
    assert (left + right) / 2 == pytest.approx(width_px / 2, abs=1)
    assert (top + bottom) / 2 == pytest.approx(height_px / 2, abs=1)
    assert right - left == pytest.approx(side * 48 / 64, abs=2)
    assert min(left, top) >= 0
    assert (right <= width_px, bottom <= height_px) == (True, True)
    assert pixels.shape[:2] == (bottom - top, right - left)


def test_no_picture_is_made_larger_than_the_bake() -> None:
    with pytest.raises(BakeTooSmall) as raised:
        relight_view(BakedView.read(flat_bake()), [], "#ffffff", width_px=65, height_px=65)
    assert raised.value.baked_px == 64


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 half a zip", flat_bake()[:2000]])
def test_a_damaged_bake_is_told(data: bytes) -> None:
    with pytest.raises(BakeBroken):
        BakedView.read(data)
