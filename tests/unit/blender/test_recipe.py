"""The file a garment is made from: what it may say, and how it is told that it is wrong."""

import dataclasses
from pathlib import Path

import pytest

from blender.pattern import Tee, draft
from blender.recipe import Recipe, read_recipe

ROOT = Path(__file__).parents[3]


def recipe_of(folder: Path, text: str) -> Recipe:
    (folder / "garment.toml").write_text(text, "utf-8")
    return read_recipe(folder)


def test_an_empty_file_is_the_default_garment(tmp_path: Path) -> None:
    assert recipe_of(tmp_path, "") == Recipe()


def test_what_is_named_replaces_the_default_and_nothing_else(tmp_path: Path) -> None:
    text = """
    name = "Long sleeve"
    [pattern]
    sleeve_length_cm = 60
    [figure]
    shoulder_cm = [16.0, -9]
    torso = [[-10.0, 15, 8, 9, 3.5, 2.5], [-80.0, 15, 8, 8, 3.5, 2.5]]
    [back]
    top_cm = 7.0
    """
    recipe = recipe_of(tmp_path, text)
    assert recipe.pattern == dataclasses.replace(Tee(), sleeve_length_cm=60.0)
    assert recipe.figure.shoulder_cm == (16.0, -9.0)
    assert recipe.figure.torso == ((-10.0, 15.0, 8.0, 9.0, 3.5, 2.5), (-80.0, 15.0, 8.0, 8.0, 3.5, 2.5))
    assert (recipe.front.top_cm, recipe.back.top_cm, recipe.back.width_cm) == (6.0, 7.0, 30.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pattern]\nsleve_length_cm = 60", "unknown 'sleve_length_cm'; known are armhole_depth_cm"),
        ("[pattern]\nlength_cm = 'long'", "pattern: length_cm: 'long' should look like 71.0"),
        ("pattern = 3", "pattern: 3 should look like"),
        ("seed = 1.5", "seed: 1.5 should look like 7"),
        ("[figure]\nshoulder_cm = [1.0]", "shoulder_cm"),
        ("[figure]\ntorso = [[1.0, 2.0], [3.0, 4.0]]", "torso"),
        ("name =", "not TOML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe_of(tmp_path, text)


def test_a_folder_without_a_recipe_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"garment\.toml: No such file.*an empty one is a crew-neck tee"):
        read_recipe(tmp_path)


@pytest.mark.parametrize("folder", sorted(path.parent for path in ROOT.glob("templates/*/garment.toml")))
def test_every_garment_of_the_repository_can_be_drafted(folder: Path) -> None:
    assert draft(read_recipe(folder).pattern).rib_length_cm > 0
