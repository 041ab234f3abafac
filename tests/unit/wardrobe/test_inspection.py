"""What an inspection sees without rendering."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender.seal import seal
from farm.domain.template import Template
from farm.wardrobe.inspection import inspect

CREW_TEE = Path(__file__).parents[3] / "templates" / "crew-tee"


def altered(tmp_path: Path, change: Callable[[Path, dict[str, Any]], None]) -> Template:
    """The crew tee with a change under a seal that holds."""
    folder = tmp_path / "crew-tee"
    shutil.copytree(CREW_TEE, folder, ignore=shutil.ignore_patterns("light"))
    facts = dict(Template.load(folder).facts)
    change(folder, facts)
    seal(folder, facts)
    return Template.load(folder)


def test_the_garment_of_the_farm_is_sound() -> None:
    findings = list(inspect(Template.load(CREW_TEE), render=False))
    assert [(one.name, one.ok) for one in findings] == [
        ("seal", True),
        ("facts", True),
        ("maps", True),
        ("build", True),
        ("light", True),
    ]


def test_a_broken_seal_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "crew-tee"
    shutil.copytree(CREW_TEE, folder)
    (folder / "relief_front.png").write_bytes(b"")
    first = next(iter(inspect(Template.load(folder), render=False)))
    assert (first.ok, "relief_front.png" in first.detail) == (False, True)


def _no_camera(_: Path, facts: dict[str, Any]) -> None:
    facts["cameras"] = {name: camera for name, camera in facts["cameras"].items() if name != "left_90deg"}


def _lost_preset(_: Path, facts: dict[str, Any]) -> None:
    facts["presets"] = {"chest": {"panel": "front", "x_cm": 0, "y_cm": 200, "width_cm": 9, "height_cm": 9}}


def _maps(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with np.load(folder / "verdict.npz") as stored:
        maps = dict(stored)
    change(maps)
    np.savez_compressed(folder / "verdict.npz", **maps)


def _no_map(folder: Path, _: dict[str, Any]) -> None:
    _maps(folder, lambda maps: maps.pop("back_180deg/shade"))


def _empty_map(folder: Path, _: dict[str, Any]) -> None:
    _maps(folder, lambda maps: maps["front_0deg/panel"].fill(-1))


def _not_numbers(folder: Path, _: dict[str, Any]) -> None:
    _maps(folder, lambda maps: maps["front_0deg/shade"].fill(np.nan))


def _no_report(_: Path, facts: dict[str, Any]) -> None:
    del facts["drape"]


@pytest.mark.parametrize(
    ("change", "where", "detail"),
    [
        (_no_camera, "facts", "camera left_90deg"),
        (_lost_preset, "facts", "preset chest"),
        (_no_map, "maps", "back_180deg/shade"),
        (_empty_map, "maps", "show no panel"),
        (_not_numbers, "maps", "numbers that are none"),
        (_no_report, "build", "no report"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, change: Callable[[Path, dict[str, Any]], None], where: str, detail: str
) -> None:
    wrong = [one for one in inspect(altered(tmp_path, change), render=False) if not one.ok]
    assert [one.name for one in wrong] == [where]
    assert detail in wrong[0].detail
