"""The cameras: names mean what they say, everything is in the picture, the window holds it."""

import json
from pathlib import Path

import numpy as np
import pytest

from blender.protocol import VIEW_AZIMUTH_DEG
from blender.template import load_template
from blender.views import Camera, frame

TEMPLATE = Path(__file__).parents[3] / "templates" / "crew-tee"


def test_left_is_the_wearers() -> None:
    camera = frame(np.array([[x, y, z] for x in (-30.0, 30.0) for y in (-12.0, 12.0) for z in (-70.0, 2.0)]))
    assert camera.position_cm(VIEW_AZIMUTH_DEG["front_0deg"])[1] < -100
    assert camera.position_cm(VIEW_AZIMUTH_DEG["left_90deg"])[0] > 100
    assert camera.position_cm(VIEW_AZIMUTH_DEG["right_270deg"])[0] < -100
    assert camera.position_cm(VIEW_AZIMUTH_DEG["back_180deg"])[1] > 100


def test_all_views_share_distance_and_height() -> None:
    camera = Camera.of(load_template(TEMPLATE).facts["camera"])
    places = [camera.position_cm(azimuth) - (0, camera.axis_y_cm, 0) for azimuth in VIEW_AZIMUTH_DEG.values()]
    distances = [float(np.hypot(place[0], place[1])) for place in places]
    assert np.ptp(distances) < 1e-9
    assert np.ptp([place[2] for place in places]) == 0.0


def test_garment_fills_every_view_alike_and_is_never_cropped() -> None:
    points = load_template(TEMPLATE).mesh().points_cm
    camera = frame(points)
    for azimuth in np.arange(0.0, 360.0, 5.0):
        seen = camera.project(points, azimuth)[:, :2]
        assert seen.min() > 0.04, azimuth
        assert seen.max() < 0.96, azimuth
    for view, azimuth in VIEW_AZIMUTH_DEG.items():
        assert 0.80 <= np.ptp(camera.project(points, azimuth)[:, :2], axis=0).max() <= 0.90, view


@pytest.mark.parametrize("size", [(100, 100), (320, 180), (90, 200)])
def test_window_holds_every_point(size: tuple[int, int]) -> None:
    template = load_template(TEMPLATE)
    camera, points = Camera.of(template.facts["camera"]), template.mesh().points_cm
    left, top, right, bottom = camera.window(points, 45.0, *size)
    pixels = (camera.project(points, 45.0)[:, :2] - 0.5) * min(size) + np.array(size) / 2
    assert (pixels >= (left, top)).all()
    assert (pixels <= (right, bottom)).all()
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_template_is_whole_and_small() -> None:
    load_template(TEMPLATE, verify=True)
    assert sum(path.stat().st_size for path in TEMPLATE.iterdir()) < 8_000_000


def test_presets_lie_inside_their_print_area() -> None:
    facts = json.loads((TEMPLATE / "template.json").read_text())
    assert len(facts["presets"]) == 12
    for name, preset in facts["presets"].items():
        area = facts["panels"][preset["panel"]]["print_area"]
        assert abs(preset["x_cm"]) + preset["width_cm"] / 2 <= area["width_cm"] / 2, name
        bottom = preset["y_cm"] + preset["height_cm"] / 2
        assert bottom <= area["y_cm"] + area["height_cm"] + 1e-9, name


def test_verdict_agrees_with_the_pattern() -> None:
    template = load_template(TEMPLATE)
    with np.load(TEMPLATE / "verdict.npz", allow_pickle=False) as verdict:
        panel, x, y = (verdict[f"front_0deg/{name}"] for name in ("panel", "x_cm", "y_cm"))
        coverage, shade = verdict["front_0deg/coverage"], verdict["front_0deg/shade"]
    assert panel.shape == x.shape == y.shape == coverage.shape == shade.shape == (256, 256)
    assert template.facts["panel_order"][panel[128, 128]] == "front"
    assert abs(x[128, 128]) < 3
    assert 20 < y[128, 128] < 32
    assert y[180, 128] > y[100, 128]
    assert x[128, 150] > x[128, 110]
    solid = coverage > 0.99
    assert (panel[solid] >= 0).mean() > 0.999
    assert (panel[coverage < 0.01] == -1).all()
    assert 0.2 < np.median(shade[solid]) < 0.5
