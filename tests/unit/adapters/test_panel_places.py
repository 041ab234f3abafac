"""Places of a real template: made once for a node, made again when their file is gone or damaged, never too many."""

from pathlib import Path

import numpy as np
import pytest

from blender.template import load_template
from blender.views import Camera
from farm.adapters import panel_places
from farm.adapters.panel_places import PanelPlaces

TEMPLATE = Path(__file__).parents[3] / "templates" / "crew-tee"
SIZE_PX = 64


def window(azimuth_deg: float = 0.0) -> tuple[int, int, int, int]:
    template = load_template(TEMPLATE)
    camera = Camera.of(template.facts["camera"])
    return camera.window(template.mesh().points_cm, azimuth_deg, SIZE_PX, SIZE_PX)


def test_the_middle_of_the_front_view_shows_the_middle_of_the_front(tmp_path: Path) -> None:
    left, top, right, bottom = window()
    found = PanelPlaces(TEMPLATE, tmp_path).at(0.0, SIZE_PX, (left, top, right, bottom))
    assert found["panel"].shape == (bottom - top, right - left)
    row, column = (bottom - top) // 2, SIZE_PX // 2 - left
    assert found["panel"][row, column] == 0, "the front is the first panel"
    extents = found["extents"][0]
    x_cm = extents[0] + found["place"][row, column, 0] / 65535 * extents[2]
    assert abs(x_cm) < 1.5
    assert (found["panel"] == 254).sum() == len(found["mixed_panel"])


def test_places_are_made_once_and_again_when_their_file_is_damaged(tmp_path: Path) -> None:
    first = PanelPlaces(TEMPLATE, tmp_path).at(0.0, SIZE_PX, window())
    [kept] = tmp_path.iterdir()
    before = kept.read_bytes()
    second = PanelPlaces(TEMPLATE, tmp_path).at(360.0, SIZE_PX, window())
    assert kept.read_bytes() == before
    kept.write_bytes(before[:1000])
    third = PanelPlaces(TEMPLATE, tmp_path).at(0.0, SIZE_PX, window())
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array)
        np.testing.assert_array_equal(third[name], array)
    assert kept.read_bytes() == before


def test_the_folder_grows_no_larger_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = PanelPlaces(TEMPLATE, tmp_path)
    places.at(0.0, SIZE_PX, window())
    one_bytes = sum(path.stat().st_size for path in tmp_path.iterdir())
    monkeypatch.setattr(panel_places, "MAX_BYTES", round(2.5 * one_bytes))
    for azimuth_deg in (45.0, 90.0, 180.0, 270.0):
        places.at(azimuth_deg, SIZE_PX, window(azimuth_deg))
    assert len(list(tmp_path.iterdir())) in (2, 3)


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    found = PanelPlaces(TEMPLATE, nowhere / "places").at(0.0, SIZE_PX, window())
    assert found["panel"].any()
