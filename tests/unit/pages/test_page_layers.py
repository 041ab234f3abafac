"""What the pages reckon by themselves is what the farm reckons: their scripts in Node.js, on real templates."""

import random
from collections import Counter

from farm.domain.placement import Panel, Placement
from farm.domain.template import Template
from farm.picture.footprint import Footprint, inspect, shows
from farm.settings import Settings
from tests.unit.pages.node import in_node

SIDE_PX = 100


def test_a_page_and_the_farm_agree_on_what_lies_on_the_cloth() -> None:
    template = Template.load(Settings.load({}).templates_folder / "crew-tee")
    rng = random.Random(5)
    cases = []
    for panel in Panel:
        for _ in range(80):
            place = {"x_cm": rng.uniform(-45, 45), "y_cm": rng.uniform(-20, 90), "width_cm": rng.uniform(0.5, 60)}
            turned = {"rotation_deg": rng.choice([0.0, 30.0, -45.0, 90.0]), "fit": rng.choice(["contain", "cover"])}
            box = rng.choice([None, rng.uniform(1, 50)])
            cases.append(Placement(panel=panel, **place, **turned, height_cm=box))
    farm = []
    for placement in cases:
        footprint, shape = Footprint.of(placement, SIDE_PX, 2 * SIDE_PX), template.panels[placement.panel]
        codes = {notice.code for notice in inspect(footprint, shape)}
        farm.append("none" if not shows(footprint, shape) else "part" if "print_crosses_seam" in codes else "all")
    given = {
        "design": {"width": SIDE_PX, "height": 2 * SIDE_PX},
        "panels": {str(name): {"outline_cm": cut.outline_cm} for name, cut in template.panels.items()},
        "layers": [placement.model_dump(mode="json") for placement in cases],
    }
    page = in_node(
        "layers.js",
        "({layers, panels, design}) => layers.map((one) => it.onCloth(panels[one.panel], one, design))",
        given,
    )
    assert page == farm
    assert min(Counter(farm)[kind] for kind in ("all", "part", "none")) > 10


def test_nothing_of_a_request_is_left_out_without_a_word() -> None:
    """Each member of a request has a field in the form, or is kept and named."""
    from farm.domain.request import RenderRequest

    fields = {
        "product_id", "template", "preset", "placements", "fabric_color", "background_color", "mode", "model", "views",
        "size", "quality", "format", "engine",
    }  # fmt: skip
    other = {"media": "append", "aspect": "4:5", "shadow": "soft", "priority": 7, "saga": "simple"}
    asked = {"quality": "draft", "samples": 99, **other}
    beside = in_node("layers.js", "(request) => it.besideForm(request)", asked)
    assert beside["members"] == {**other, "samples": 99}
    assert len(beside["words"]) == len(other) + 1
    assert set(RenderRequest.model_fields) == fields | set(other) | {"samples"}
    usual = RenderRequest().model_dump(mode="json")
    assert in_node("layers.js", "() => it.USUAL", {}) == {name: usual[name] for name in other}
    assert in_node("layers.js", "(request) => it.besideForm(request)", {**usual, "samples": 16}) == {
        "members": {},
        "words": [],
    }


def test_a_layer_in_words() -> None:
    layers = [
        {"panel": "front", "x_cm": 0, "y_cm": 24, "width_cm": 28, "height_cm": None, "rotation_deg": 0},
        {"panel": "sleeve_left", "x_cm": 1.04, "y_cm": 12, "width_cm": 8, "height_cm": 6, "rotation_deg": -5}
        | {"design": 1, "opacity": 0.8, "underbase": False, "blend": "multiply", "fit": "cover"},
    ]  # fmt: skip
    assert in_node("layers.js", "(layers) => layers.map(it.layerWords)", layers) == [
        "Front: 28 cm wide at 0 across, 24 down",
        "Left sleeve: 8 × 6 cm at 1 across, 12 down, turned -5°, covering its box, multiply, 80 % ink, no underbase, "
        "design 2",
    ]
