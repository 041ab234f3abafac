"""Print pictures: decoded, premultiplied, averaged in linear light."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blender.protocol import PanelPrint, ProtocolError
from blender.texture import linear_color, linear_to_srgb, load_print, srgb_to_linear


def _print(path: Path, width_cm: float, height_cm: float) -> PanelPrint:
    return PanelPrint(panel="front", path=str(path), x_cm=0, y_cm=0, width_cm=width_cm, height_cm=height_cm)


def test_transfer_curve_is_its_own_inverse() -> None:
    values = np.linspace(0.0, 1.0, 1001)
    assert np.abs(linear_to_srgb(srgb_to_linear(values)) - values).max() < 1e-12


def test_colors_are_linear() -> None:
    assert linear_color("#ff0000") == (1.0, 0.0, 0.0)
    assert linear_color("#bcbcbc")[0] == pytest.approx(0.503, abs=0.001)


def test_texels_are_linear_and_premultiplied(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 188, 0, 128]]], np.uint8)).save(tmp_path / "a.png")
    texel = load_print(_print(tmp_path / "a.png", 1, 1), max_px_per_cm=10)[0, 0]
    assert texel == pytest.approx([128 / 255, 0.503 * 128 / 255, 0.0, 128 / 255], abs=1e-3)


def test_fine_print_is_averaged_in_linear_light(tmp_path: Path) -> None:
    stripes = np.zeros((40, 40, 4), np.uint8)
    stripes[..., 3] = 255
    stripes[:, ::2, :3] = 255
    Image.fromarray(stripes).save(tmp_path / "a.png")
    texels = load_print(_print(tmp_path / "a.png", 1, 2), max_px_per_cm=10)
    assert texels.shape == (20, 10, 4)
    assert np.abs(texels[..., :3] - 0.5).max() < 1e-5


def test_transparent_ink_does_not_bleed(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[..., 0] = 255
    picture[:4, :, 1] = 255
    picture[:4, :, 3] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    texel = load_print(_print(tmp_path / "a.png", 1, 1), max_px_per_cm=1)[0, 0]
    assert texel == pytest.approx([0.5, 0.5, 0.0, 0.5], abs=1e-5)


def test_row_zero_is_the_top(tmp_path: Path) -> None:
    picture = np.full((2, 1, 4), 255, np.uint8)
    picture[1, 0, :3] = 0
    Image.fromarray(picture).save(tmp_path / "a.png")
    texels = load_print(_print(tmp_path / "a.png", 1, 2), max_px_per_cm=10)
    assert texels[0, 0, 0] == 1.0
    assert texels[1, 0, 0] == 0.0


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_only_rgba_is_taken(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(ProtocolError, match="not 8-bit RGBA"):
        load_print(_print(tmp_path / "a.png", 1, 1), max_px_per_cm=1)


def test_truncated_and_missing_files_are_named(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 90).convert("RGBA").save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    for name in ("a.png", "none.png"):
        with pytest.raises(ProtocolError, match=name):
            load_print(_print(tmp_path / name, 1, 1), max_px_per_cm=100)
