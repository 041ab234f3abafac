"""Where templates are found, and what is told apart."""

import json
from pathlib import Path

import pytest

from blender.seal import seal
from farm.domain.template import Template, every, find
from farm.errors import NotFound, TemplateBroken


def garment(folder: Path, *, version: str = "1", name: str | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "mesh.npz").write_bytes(b"mesh")
    seal(folder, {"id": name or folder.name, "version": version, "name": "Tee", "panels": {}, "presets": {}})
    return folder


def test_a_garment_is_found_in_any_of_the_folders(tmp_path: Path) -> None:
    garment(tmp_path / "one" / "tee")
    garment(tmp_path / "two" / "vest")
    folders = (tmp_path / "one", tmp_path / "two", tmp_path / "none")
    assert [find(folders, name).folder.parent.name for name in ("tee", "vest")] == ["one", "two"]
    assert [folder.name for folder in every(folders)] == ["tee", "vest"]


def test_no_garment_shadows_another_of_its_name(tmp_path: Path) -> None:
    garment(tmp_path / "one" / "tee")
    garment(tmp_path / "two" / "tee", version="2")
    with pytest.raises(TemplateBroken, match=r"one/tee and .*two/tee differ"):
        find((tmp_path / "one", tmp_path / "two"), "tee")


def test_the_same_garment_in_two_folders_is_one(tmp_path: Path) -> None:
    garment(tmp_path / "one" / "tee")
    garment(tmp_path / "two" / "tee")
    assert find((tmp_path / "one", tmp_path / "two"), "tee").version == "1"


def test_a_folder_under_another_name_is_refused(tmp_path: Path) -> None:
    garment(tmp_path / "vest", name="tee")
    with pytest.raises(TemplateBroken, match="calls itself 'tee'"):
        find((tmp_path,), "vest")


@pytest.mark.parametrize("name", ["none", "../tee", "tee/../tee", "", "."])
def test_what_is_not_there_or_outside_is_not_found(tmp_path: Path, name: str) -> None:
    garment(tmp_path / "inner" / "tee")
    garment(tmp_path / "tee")
    with pytest.raises(NotFound):
        find((tmp_path / "inner",), name)


def test_the_seal_covers_every_file_and_the_facts(tmp_path: Path) -> None:
    folder = garment(tmp_path / "tee")
    assert Template.load(folder).broken_seals() == []
    facts = json.loads((folder / "template.json").read_text())
    (folder / "template.json").write_text(json.dumps(facts | {"version": "9"}))
    (folder / "mesh.npz").unlink()
    broken = Template.load(folder).broken_seals()
    assert [sentence.split()[0] for sentence in broken] == ["template.json", "mesh.npz"]
    with pytest.raises(TemplateBroken, match=r"template\.json was changed"):
        Template.load(folder).verify()
