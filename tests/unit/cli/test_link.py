from pathlib import Path

import pytest

import farm
from farm.cli.config import setting_rows
from farm.cli.link import told_otherwise, warn_of_otherwise
from farm.home import process
from farm.home.folder import Home, settings_digest
from farm.home.state import HostState, Phase
from farm.settings import Settings


def up(home: Path, phase: Phase = Phase.READY, **environ: str) -> HostState:
    """A host in ``home``, as it would have written itself: this process."""
    settings = Settings.load({"FARM_HOME": str(home), **environ})
    Home(home).create()
    state = HostState(
        process=str(process.identity()),
        version=farm.__version__,
        started_at_s=0.0,
        phase=phase,
        settings=settings_digest(settings),
    )
    state.write(Home(home).state_file)
    return state


def test_nothing_is_told_without_a_farm_or_of_the_same_settings(tmp_path: Path) -> None:
    settings = Settings.load({"FARM_HOME": str(tmp_path), "FARM_SHARDS": "3"})
    assert told_otherwise(settings) == []
    up(tmp_path, FARM_SHARDS="3")
    assert told_otherwise(settings) == []
    up(tmp_path, Phase.ENDING)
    assert told_otherwise(settings) == [], "the next farm will have them"


def test_what_comes_too_late_is_told_from_the_environment_and_from_farm_toml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = up(tmp_path)
    (tmp_path / "farm.toml").write_text("shards = 3\n")
    environ = {"FARM_HOME": str(tmp_path), "FARM_FETCH_HOSTS": "a.internal"}
    settings = Settings.load(environ)
    told = told_otherwise(settings)
    assert [line.partition(" has no effect on the farm that is up")[0] for line in told] == [
        "FARM_SHARDS=3",
        "FARM_FETCH_HOSTS=a.internal",
    ]
    warn_of_otherwise(settings)
    assert capsys.readouterr().err.count("no effect") == 2
    rows = {row.name: row.up for row in setting_rows(settings, environ, host)}
    assert rows["shards"] == 1
    assert rows["fetch_hosts"] == ""
    assert rows["lease_s"] is None


def test_a_place_that_differs_is_refused_and_not_told_as_well(tmp_path: Path) -> None:
    up(tmp_path)
    assert told_otherwise(Settings.load({"FARM_HOME": str(tmp_path), "FARM_STORAGE_URL": "file:///else"})) == []
