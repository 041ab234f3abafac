"""``farm template bake`` and ``farm preview`` for real: Ray, Blender, the host's door, and no host at all."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.terminal import DESIGN, Terminal

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


ONE_VIEW = ("--size", "64", "--views", "front_0deg", "--json")


def relit_retried_forced(terminal: Terminal) -> None:
    """A job by the bake is made once: the same again and its retry take what is kept, force renders."""

    def made(*command: str | Path) -> tuple[str, str, bool, str]:
        answer = terminal.farm(*command)
        assert answer.returncode == 0, answer.stderr
        record = json.loads(answer.stdout)
        [view], [picture] = record["views"], [one for one in record["artifacts"] if one["kind"] == "still"]
        return record["id"], view["engine"], view["cached"], picture["sha256"]

    relight = ("render", DESIGN, "--engine", "relight", *ONE_VIEW)
    first, engine, cached, sha256 = made(*relight)
    assert (engine, cached) == ("relight", False)
    assert made(*relight)[1:] == ("relight", True, sha256)
    assert made("jobs", "retry", first, "--json")[1:] == ("relight", True, sha256)
    assert made("jobs", "retry", first, "--force", "--json")[1:] == ("relight", False, sha256)
    assert made(*relight, "--force")[1:] == ("relight", False, sha256)
    dry = json.loads(terminal.farm("render", DESIGN, "--engine", "auto", *ONE_VIEW, "--dry-run").stdout)
    assert dry["engine"]["chosen"] in ("relight", "cycles")
    assert dry["engine"]["asked"] == "auto"


def test_a_baked_template_is_previewed_with_and_without_a_farm(terminal: Terminal) -> None:
    answer = terminal.farm("preview", DESIGN, "--size", "2560", "-o", "before.png")
    assert answer.returncode == 1
    assert "bake_missing" in answer.stderr, answer.stderr
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
    answer = terminal.farm("preview", DESIGN, "--size", "64", "-o", folder / "up.png", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["farm"]) == (0, True), answer.stderr
    relit_retried_forced(terminal)
    audit = terminal.farm("audit", "--json")
    assert (audit.returncode, json.loads(audit.stdout)["counted"]["bakes"]) == (0, 3)
    assert terminal.farm("down").returncode == 0

    answer = terminal.farm("preview", DESIGN, "--size", "64", "-o", folder / "down.png", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["farm"]) == (0, False), answer.stderr
    assert (folder / "up.png").read_bytes() == (folder / "down.png").read_bytes()
    with Image.open(folder / "up.png") as picture:
        assert (picture.size, picture.mode) == ((64, 64), "RGBA")
