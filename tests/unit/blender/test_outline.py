from pathlib import Path

import pytest

from farm.domain.template import Template, find
from farm.picture.footprint import Footprint, inspect

TEMPLATES = Path(__file__).parents[3] / "templates"
TEE = find((TEMPLATES,), "crew-tee")


@pytest.mark.parametrize("preset", sorted(TEE.presets))
def test_no_preset_warns_of_a_good_design(preset: str) -> None:
    placement = TEE.placements(preset, (), 1)[0]
    assert inspect(Footprint.of(placement, 3600, 4800), TEE.panels[placement.panel]) == ()


def test_the_shipped_template_is_whole() -> None:
    template = Template.load(TEMPLATES / "crew-tee")
    template.verify()
    front = template.panels[next(iter(template.panels))]
    for x_cm in (front.bounds.x_cm, front.bounds.right_cm):
        corner = min(abs(x - x_cm) + abs(y - front.bounds.bottom_cm) for x, y in front.outline_cm)
        assert corner < 0.5, "a hem corner was cut off"
