"""``farm template`` for real: a shop's file becomes a garment, is rendered, and goes again."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.terminal import DESIGN, ROOT, Terminal

SMALL = ("--size", "96", "--samples", "2", "--views", "front_0deg,back_180deg")

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def shop_file(path: Path, change: str = "None") -> Path:
    """A .blend made by a Blender of its own; ``change`` is Python for what is done to its scene."""
    program = f"from pathlib import Path; from tests.blender.shop_file import make; make(Path({str(path)!r}), {change})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    return path


def listed(terminal: Terminal) -> dict[str, bool]:
    return {row["id"]: row["added"] for row in json.loads(terminal.farm("template", "list", "--json").stdout)}


def test_a_shops_file_is_added_rendered_and_removed(terminal: Terminal) -> None:
    file = shop_file(terminal.home.parent / "Our_Shirt.blend")
    added = terminal.farm("template", "add", file, "--name", "Our shirt", "--json")
    assert added.returncode == 0, added.stderr
    assert (json.loads(added.stdout)["id"], json.loads(added.stdout)["active"]) == ("our-shirt", True)
    assert listed(terminal)["our-shirt"]
    shown = terminal.farm("template", "show", "our-shirt").stdout
    assert all(word in shown for word in ("Our shirt", "30.0 cm", "chest-large", "garment.blend", "LicenseRef-shop"))

    done = terminal.farm("render", DESIGN, *SMALL, "--template", "our-shirt", "--product", "tee", "--json", "-o", "out")
    record = json.loads(done.stdout)
    assert (done.returncode, record["status"], record["template"]["id"]) == (0, "completed", "our-shirt"), done.stderr
    with Image.open(terminal.home.parent / "out" / "front_0deg.png") as picture:
        assert picture.size == (96, 96)

    hangs = {"FARM_FAILPOINTS": "compose_design.before=hang"}
    assert terminal.farm("up", environ=hangs).returncode == 0
    job = terminal.farm("render", DESIGN, *SMALL, "--template", "our-shirt", "--detach", environ=hangs).stdout.strip()
    refused = terminal.farm("template", "remove", "our-shirt")
    assert refused.returncode == 1
    assert job in refused.stderr.replace("\n", "")
    assert "our-shirt" in listed(terminal)
    assert terminal.farm("jobs", "cancel", job).returncode == 0
    deadline_s = time.monotonic() + 90
    while json.loads(terminal.farm("jobs", "show", job, "--json").stdout)["status"] != "cancelled":
        assert time.monotonic() < deadline_s
    removed = terminal.farm("template", "remove", "our-shirt")
    assert removed.returncode == 0, removed.stderr
    assert "our-shirt" not in listed(terminal)
    assert terminal.farm("render", DESIGN, "--template", "our-shirt", "--dry-run").returncode == 2


def test_a_file_that_breaks_the_convention_is_refused_with_every_reason(terminal: Terminal) -> None:
    change = "lambda scene: [setattr(thing, 'name', 'x') for thing in list(scene.objects)]"
    file = shop_file(terminal.home.parent / "shirt.blend", change)
    refused = terminal.farm("template", "add", file)
    assert (refused.returncode, "template_refused" in refused.stderr) == (2, True)
    assert refused.stderr.count("there is no camera for the view") == 6
    assert "shirt" not in listed(terminal)
    assert not list((terminal.home / "templates").iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("remove", "crew-tee"), 1, "comes with the farm"),
        (("remove", "none"), 2, "no template 'none'"),
        (("show", "none"), 2, "no template 'none'"),
        (("add", "none.blend"), 2, "no such file"),
        (("add", str(DESIGN), "--id", "logo"), 2, "it is no .blend file"),
        (("add", str(DESIGN), "--id", "Logo Tee"), 2, "--id"),
        (("add", str(ROOT / "templates" / "crew-tee")), 1, "exists already"),
    ],
)
def test_what_cannot_be_is_said(terminal: Terminal, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = terminal.farm("template", *arguments)
    assert answer.returncode == code, answer.stderr
    assert said in answer.stderr
    assert "hint" in answer.stderr


@pytest.mark.parametrize(("garment", "relit"), [("crew-tee", ["relit"]), ("long-sleeve-tee", [])])
def test_every_garment_of_the_farm_is_sound(terminal: Terminal, garment: str, relit: list[str]) -> None:
    """The one that comes with its light is relit beside a trace too."""
    answer = terminal.farm("template", "check", garment, "--json")
    (report,) = json.loads(answer.stdout)
    assert (answer.returncode, report["id"], report["ok"]) == (0, garment, True), report
    looked_at = ["seal", "facts", "maps", "build", "light", "probe"]
    assert [finding["name"] for finding in report["findings"]] == looked_at + relit


def test_all_garments_are_checked_where_none_is_named(terminal: Terminal) -> None:
    report = json.loads(terminal.farm("template", "check", "--no-render", "--json").stdout)
    assert [(row["id"], row["ok"]) for row in report] == [("crew-tee", True), ("long-sleeve-tee", True)]
