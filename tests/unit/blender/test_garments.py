"""Every garment that comes with the farm: whole, small, and what its measures say."""

import dataclasses
import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from blender.protocol import VIEW_AZIMUTH_DEG
from blender.recipe import read_recipe
from blender.template import load_template
from blender.views import Camera
from farm.adapters.shipped_light import Light
from farm.domain.template import Template
from farm.domain.view import ALL_VIEWS

TEMPLATES = Path(__file__).parents[3] / "templates"
GARMENTS = sorted(path.parent for path in TEMPLATES.glob("*/template.json"))
MOST_BYTES = 6_000_000
BAKED = ("crew-tee",)
"""Those that come with their light."""
MOST_LIGHT_BYTES = 3_000_000

CUT_APART = {"length_cm", "sleeve_length_cm", "sleeve_opening_cm"}
"""The measures by which the long-sleeve tee's pattern differs from the crew tee's; the code that drafts it is one."""


@pytest.fixture(params=GARMENTS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    garment: Path = request.param
    return garment


def test_it_is_whole_and_small_enough_for_git(folder: Path) -> None:
    template = load_template(folder, verify=True)
    assert template.facts["id"] == folder.name
    files = [path for path in folder.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert {path.name for path in files} == {*template.facts["files"], "template.json"} | {"garment.toml"}


@pytest.mark.parametrize("name", BAKED)
def test_its_light_is_of_this_version_measured_on_every_view_and_small_enough_for_git(name: str) -> None:
    template = Template.load(TEMPLATES / name)
    light = Light.read(template.folder, template.hash)
    assert light is not None
    assert set(light.bake.parts) == set(ALL_VIEWS)
    for part in light.bake.parts.values():
        assert (part.samples >= 64, part.error["delta_e_mean"] < 1.6) == (True, True)
        assert hashlib.sha256(light.files[part.key].read_bytes()).hexdigest() == part.sha256
    assert sum(path.stat().st_size for path in light.files.values()) < MOST_LIGHT_BYTES


def test_two_garments_come_from_one_pattern_code() -> None:
    assert [folder.name for folder in GARMENTS] == ["crew-tee", "long-sleeve-tee"]
    crew, long = (dataclasses.asdict(read_recipe(folder).pattern) for folder in GARMENTS)
    assert {name for name in crew if crew[name] != long[name]} == CUT_APART


def test_its_panels_are_as_long_as_its_recipe_says(folder: Path) -> None:
    cut = tomllib.loads((folder / "garment.toml").read_text("utf-8")).get("pattern", {})
    panels = Template.load(folder).panels
    measured = {str(name): shape.bounds for name, shape in panels.items()}
    assert measured["sleeve_left"].height_cm == pytest.approx(cut["sleeve_length_cm"], abs=0.05)
    assert measured["front"].height_cm == pytest.approx(cut["length_cm"], abs=0.05)


def test_no_view_crops_it_and_it_fills_the_picture(folder: Path) -> None:
    template = load_template(folder)
    camera, points = Camera.of(template.facts["camera"]), template.mesh().points_cm
    for azimuth in VIEW_AZIMUTH_DEG.values():
        seen = camera.project(points, azimuth)[:, :2]
        assert seen.min() > 0.02
        assert seen.max() < 0.98
    front = camera.project(points, 0.0)[:, :2]
    assert np.ptp(front, axis=0).max() > 0.75


def test_its_presets_are_the_ones_that_requests_name(folder: Path) -> None:
    known = set(json.loads((TEMPLATES / "crew-tee" / "template.json").read_text("utf-8"))["presets"])
    assert set(Template.load(folder).presets) == known
