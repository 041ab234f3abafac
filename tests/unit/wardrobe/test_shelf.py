"""Garments come and go whole, or not at all."""

import json
from pathlib import Path

import pytest

from blender.seal import digest, facts_hash, seal
from farm.domain.template import Template
from farm.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, TemplateBroken
from farm.settings import Settings
from farm.wardrobe.shelf import Shelf, Wish

FACTS = {"version": "1", "name": "Vest", "panels": {}, "presets": {}, "panel_order": ["front"]}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    garment(tmp_path / "ours" / "tee")
    return Shelf(
        settings=Settings.load({"FARM_HOME": str(tmp_path / "home"), "FARM_TEMPLATES": str(tmp_path / "ours")})
    )


def garment(folder: Path, **facts: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "mesh.npz").write_bytes(b"mesh")
    seal(folder, {**FACTS, "id": folder.name, **facts})
    return folder


def ids(shelf: Shelf) -> list[str]:
    return [one.id for one in shelf.all() if isinstance(one, Template)]


def leftovers(shelf: Shelf) -> list[str]:
    return [path.name for path in shelf.settings.added_templates.iterdir() if path.name.startswith(".")]


def test_a_folder_is_added_with_the_files_it_names_and_no_others(shelf: Shelf, tmp_path: Path) -> None:
    folder = garment(tmp_path / "vest")
    (folder / "notes.txt").write_text("not of the garment")
    with shelf.add(folder, "vest", Wish()) as aside:
        assert aside.id == "vest"
        assert ids(shelf) == ["tee"]
    assert ids(shelf) == ["tee", "vest"]
    vest = shelf.get("vest")
    assert shelf.is_added(vest)
    assert not shelf.is_added(shelf.get("tee"))
    assert sorted(path.name for path in vest.folder.iterdir()) == ["mesh.npz", "template.json"]
    assert leftovers(shelf) == []


def test_what_is_found_wrong_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), shelf.add(garment(tmp_path / "vest"), "vest", Wish()):
        raise ZeroDivisionError
    assert ids(shelf) == ["tee"]
    assert leftovers(shelf) == []


def test_no_name_is_taken_twice(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists), shelf.add(garment(tmp_path / "tee", version="2"), "tee", Wish()):
        raise AssertionError("never reached")
    with (
        pytest.raises(TemplateBroken, match="calls itself 'vest'"),
        shelf.add(garment(tmp_path / "vest"), "best", Wish()),
    ):
        raise AssertionError("never reached")


@pytest.mark.parametrize("name", ["../vest", "Vest", "", "a" * 65, "-vest", "a/b"])
def test_a_name_that_is_none_is_refused(shelf: Shelf, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="no template id"), shelf.add(garment(tmp_path / "vest"), name, Wish()):
        raise AssertionError("never reached")


def test_an_altered_garment_is_not_taken(shelf: Shelf, tmp_path: Path) -> None:
    folder = garment(tmp_path / "vest")
    (folder / "mesh.npz").write_bytes(b"hsem")
    with pytest.raises(TemplateBroken, match=r"mesh\.npz"), shelf.add(folder, "vest", Wish()):
        raise AssertionError("never reached")
    assert leftovers(shelf) == []


@pytest.mark.parametrize("name", ["../secret.npz", "/etc/hostname", "link.npz"])
def test_a_file_outside_the_folder_is_not_taken(shelf: Shelf, tmp_path: Path, name: str) -> None:
    folder = garment(tmp_path / "vest")
    (tmp_path / "secret.npz").write_bytes(b"secret")
    (folder / "link.npz").symlink_to(tmp_path / "secret.npz")
    facts = json.loads((folder / "template.json").read_text())
    facts["files"][name] = digest((folder / name).read_bytes())
    facts["hash"] = facts_hash(facts)
    (folder / "template.json").write_text(json.dumps(facts))
    with pytest.raises(TemplateBroken, match="no plain file"), shelf.add(folder, "vest", Wish()):
        raise AssertionError("never reached")


def test_nothing_there_is_said(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no such file"), shelf.add(tmp_path / "none.blend", "none", Wish()):
        raise AssertionError("never reached")


def test_a_removed_garment_is_gone_and_one_that_is_needed_stays(shelf: Shelf, tmp_path: Path) -> None:
    with shelf.add(garment(tmp_path / "vest"), "vest", Wish()):
        pass

    def refuse() -> None:
        with shelf.set_aside("vest"):
            assert ids(shelf) == ["tee"]
            raise Conflict(reason="a job uses it")

    with pytest.raises(Conflict):
        refuse()
    assert ids(shelf) == ["tee", "vest"]
    with shelf.set_aside("vest"):
        pass
    assert ids(shelf) == ["tee"]
    assert leftovers(shelf) == []


def test_a_garment_of_the_farm_does_not_go(shelf: Shelf) -> None:
    with pytest.raises(Conflict, match="comes with the farm"), shelf.set_aside("tee"):
        raise AssertionError("never reached")
    with pytest.raises(NotFound), shelf.set_aside("none"):
        raise AssertionError("never reached")
    assert ids(shelf) == ["tee"]


def test_a_garment_without_parameters_cannot_be_built(shelf: Shelf) -> None:
    with pytest.raises(Conflict, match=r"no garment\.toml"):
        shelf.build("tee")


def test_a_broken_one_is_listed_as_what_it_is(shelf: Shelf, tmp_path: Path) -> None:
    broken = tmp_path / "ours" / "rag"
    broken.mkdir()
    (broken / "template.json").write_text("{")
    assert [type(one).__name__ for one in shelf.all()] == ["TemplateBroken", "Template"]
