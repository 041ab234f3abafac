"""What ``farm template list`` and ``show`` say."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from blender.seal import seal
from farm.cli.swatches import card, cards_table, details, template_sheet
from farm.settings import Settings
from farm.wardrobe.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(settings=Settings.load({"FARM_HOME": str(tmp_path)}))


def shown(renderable: object, width: int = 110) -> str:
    written = io.StringIO()
    Console(width=width, file=written).print(renderable)
    return written.getvalue()


def test_the_garment_of_the_farm_is_the_default_and_whole(shelf: Shelf) -> None:
    row = card(shelf, shelf.get("crew-tee"))
    assert (row["default"], row["active"], row["added"], row["problems"]) == (True, True, False, [])
    assert len(row["presets"]) == 12
    text = shown(cards_table([row]))
    assert all(word in text for word in ("crew-tee (default)", "Crew-neck tee, M", " farm ", "whole"))


def test_every_garment_of_the_farm_takes_one_line(shelf: Shelf) -> None:
    rows = [card(shelf, found) for found in shelf.all()]
    lines = shown(cards_table(rows), width=80).splitlines()
    assert len(lines) == 1 + len(rows)
    assert "presets" in lines[0]
    assert all(f"{row['name']}, M" in line and "whole" in line for row, line in zip(rows, lines[1:], strict=True))


def test_an_altered_and_a_broken_garment_stand_out(shelf: Shelf, tmp_path: Path) -> None:
    for name in ("altered", "broken"):
        folder = tmp_path / "templates" / name
        folder.mkdir(parents=True)
        (folder / "mesh.npz").write_bytes(b"mesh")
        seal(folder, {"id": name, "version": "1", "name": name.title(), "panels": {}, "presets": {}})
    (tmp_path / "templates" / "altered" / "mesh.npz").write_bytes(b"hsem")
    (tmp_path / "templates" / "broken" / "template.json").write_text("{")
    rows = {row["id"]: row for row in (card(shelf, found) for found in shelf.all())}
    assert (rows["altered"]["active"], rows["altered"]["added"]) == (False, True)
    assert rows["altered"]["problems"] == ["mesh.npz is not the file the template was built with"]
    assert not rows["broken"]["active"]
    text = shown(cards_table(list(rows.values())))
    assert "altered" in text.splitlines()[1]
    assert "broken" in text


def test_a_sheet_tells_centimetres_licence_and_hash(shelf: Shelf) -> None:
    found = shelf.get("crew-tee")
    text = shown(template_sheet(card(shelf, found), details(found)))
    for word in ("sleeve_left", "30 × 40", "chest-large", "22.5 × 32 cm", "back_180deg", "Apache-2.0", found.hash[:40]):
        assert word in text, word
