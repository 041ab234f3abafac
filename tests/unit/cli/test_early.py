"""What the command does ahead of the farm, by the light that comes with the garment; no farm is started here."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from farm.cli.arrivals import Arrivals
from farm.cli.early import Early
from farm.cli.progress import Silence
from farm.domain.request import parse_request
from farm.render.prepare import Prepared, prepare
from farm.settings import Settings

DESIGN = Path(__file__).parents[3] / "examples" / "nordlys.png"
GIVEN = {"views": ["front_0deg", "left_90deg"], "size": 192}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return Settings(home=tmp_path / "home")


def prepared(settings: Settings, **given: Any) -> Prepared:
    return prepare(settings, parse_request(GIVEN | given), [DESIGN.read_bytes()])


def test_pictures_come_and_the_farm_need_not_find_the_places_again(settings: Settings, tmp_path: Path) -> None:
    early, folder = Early(settings), tmp_path / "shirt"
    early.begin(parse_request(GIVEN))
    early.make(prepared(settings), Arrivals(folder, Silence()))
    early.close()
    assert {path.name for path in folder.iterdir()} == {"front_0deg.png", "left_90deg.png"}
    assert len(list((settings.home / "places").glob("*.npz"))) == 2
    assert list((tmp_path / "tmp").iterdir()) == []


def test_where_the_design_is_refused_nothing_is_left(settings: Settings, tmp_path: Path) -> None:
    early = Early(settings)
    early.begin(parse_request(GIVEN))
    early.close()
    assert not settings.home.exists()
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("given", [{"engine": "cycles"}, {"mode": "animation-only"}], ids=str)
def test_what_is_traced_is_left_to_the_farm(settings: Settings, tmp_path: Path, given: dict[str, Any]) -> None:
    early = Early(settings)
    early.begin(parse_request(GIVEN | given))
    early.make(prepared(settings, **given), Arrivals(tmp_path / "shirt", Silence()))
    early.close()
    assert not (tmp_path / "shirt").exists()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_job_that_auto_would_trace_shows_nothing_early(settings: Settings, tmp_path: Path) -> None:
    early, finer = Early(settings), {"samples": 4096}
    early.begin(parse_request(GIVEN | finer))
    early.make(prepared(settings, **finer), Arrivals(tmp_path / "shirt", Silence()))
    early.close()
    assert not (tmp_path / "shirt").exists()
