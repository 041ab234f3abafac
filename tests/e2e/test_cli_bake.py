"""``farm template bake`` and ``farm preview`` for real: Ray, Blender, the host's door, and no host at all."""

import json

import pytest
from PIL import Image

from tests.e2e.terminal import DESIGN, Terminal

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


def test_a_baked_template_is_previewed_with_and_without_a_farm(terminal: Terminal) -> None:
    answer = terminal.farm("preview", DESIGN, "-o", "before.png")
    assert answer.returncode == 1
    assert "bake_missing" in answer.stderr
    assert "farm template bake" in answer.stderr

    assert terminal.farm("up").returncode == 0
    command = ("template", "bake", "--size", "64", "--samples", "1", "--views", "front_0deg")
    answer = terminal.farm(*command, "--json")
    assert answer.returncode == 0, answer.stderr
    parts = json.loads(answer.stdout)["parts"]
    assert set(parts) == {"front_0deg"}
    assert parts["front_0deg"]["error"]["delta_e_mean"] > 0
    again = json.loads(terminal.farm(*command, "--json").stdout)
    assert again["parts"] == parts, "it is baked once"

    folder = terminal.home.parent
    answer = terminal.farm("preview", DESIGN, "-o", folder / "up.png", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["farm"]) == (0, True), answer.stderr
    audit = terminal.farm("audit", "--json")
    assert (audit.returncode, json.loads(audit.stdout)["counted"]["bakes"]) == (0, 3)
    assert terminal.farm("down").returncode == 0

    answer = terminal.farm("preview", DESIGN, "-o", folder / "down.png", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["farm"]) == (0, False), answer.stderr
    assert (folder / "up.png").read_bytes() == (folder / "down.png").read_bytes()
    with Image.open(folder / "up.png") as picture:
        assert (picture.size, picture.mode) == ((64, 64), "RGBA")
