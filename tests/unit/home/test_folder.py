import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import farm
from farm.errors import Conflict, InvalidSettings
from farm.home import process
from farm.home.folder import Home, Need, Order, settings_digest
from farm.home.join import check_same, differing
from farm.home.state import HostState, Phase
from farm.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def host_state(settings: Settings, **changes: object) -> HostState:
    state = HostState(
        process=str(process.identity()), version=farm.__version__, started_at_s=0.0, settings=settings_digest(settings)
    )
    return replace(state, **changes)  # type: ignore[arg-type]  # fields of the state


@pytest.fixture
def settings(home: Home) -> Settings:
    return Settings.load({"FARM_HOME": str(home.path)})


def test_a_state_survives_being_written_and_read(home: Home, settings: Settings) -> None:
    state = host_state(settings, phase=Phase.RAY, seconds={"store": 0.31}, store_url="unix:///tmp/s.sock", stay=True)
    state.write(home.state_file)
    assert HostState.read(home.state_file) == state
    assert home.host() == state
    assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', '{"phase": "asleep"}'])
def test_a_state_that_is_none_is_no_host(home: Home, content: str) -> None:
    home.state_file.write_text(content)
    assert home.host() is None


def test_a_dead_host_is_no_host(home: Home, settings: Settings) -> None:
    host_state(settings, process=f"{os.getpid()}:1").write(home.state_file)
    assert home.host() is None


def test_an_order_is_obeyed_once_and_only_by_the_host_it_is_for(home: Home, settings: Settings) -> None:
    host = host_state(settings)
    home.order(host, Order.DOWN)
    assert home.take_order(replace(host, process="1:1")) is None
    home.order(host, Order.DOWN)
    assert home.take_order(host) is Order.DOWN
    assert home.take_order(host) is None


def test_clients_are_counted_while_they_live(home: Home) -> None:
    with home.present(Need.STORE), home.present(Need.FARM):
        assert sorted(home.needs()) == [Need.FARM, Need.STORE]
    assert home.needs() == []


def test_a_killed_client_is_forgotten(home: Home) -> None:
    program = (
        "import sys, os; from pathlib import Path; from farm.home.folder import Home, Need\n"
        "with Home(Path(sys.argv[1])).present(Need.FARM):\n"
        "    print(len(Home(Path(sys.argv[1])).needs()), flush=True)\n"
        "    os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(home.path)]
    killed = subprocess.run(command, cwd=Path(farm.__file__).parents[1], stdout=subprocess.PIPE, check=False)
    assert (killed.returncode, killed.stdout) == (-9, b"1\n")
    assert len(list(home.clients.iterdir())) == 1
    assert home.needs() == []
    assert list(home.clients.iterdir()) == []


def test_one_passes_the_gate_at_a_time(home: Home) -> None:
    with home.try_gate() as first, home.try_gate() as second:
        assert (first, second) == (True, False)
    with home.try_gate() as again:
        assert again


@pytest.fixture
def locked_folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "home"


def test_a_home_that_cannot_be_made_names_the_setting(locked_folder: Path) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Home(locked_folder).create()
    assert refused.value.variable == "FARM_HOME"


def test_sockets_lie_where_their_paths_are_short_whatever_the_home(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("d" * 200))
    assert (
        len(str(deep.short_folder / "ray" / "session_2026-11-23_20-10-57_123456_1234567" / "sockets" / "plasma_store"))
        < 104
    )
    assert deep.short_folder != Home(tmp_path).short_folder


def test_a_farm_of_another_version_is_refused_with_what_to_do(settings: Settings) -> None:
    with pytest.raises(Conflict, match=r"version 0\.0\.9 is up .* end it with `farm down`"):
        check_same(host_state(settings, version="0.0.9"), settings)


def test_a_farm_that_looks_elsewhere_is_refused_naming_the_variable(settings: Settings) -> None:
    host = host_state(settings)
    check_same(host, settings)
    with pytest.raises(InvalidSettings) as refused:
        check_same(host, replace(settings, storage_url="file:///elsewhere"))
    assert refused.value.variable == "FARM_STORAGE_URL"


def test_other_settings_are_told_but_not_refused(settings: Settings) -> None:
    own = replace(settings, render_slots=3, failpoints="create_job.before=raise")
    check_same(host_state(settings), own)
    assert differing(host_state(settings), own) == [("FARM_RENDER_SLOTS", 3, 0)]


def test_the_password_of_the_store_is_nowhere_in_the_state(home: Home, settings: Settings) -> None:
    own = replace(settings, redis_url="redis://:hunter2@db")
    host_state(own).write(home.state_file)
    assert "hunter2" not in home.state_file.read_text()
    assert json.loads(home.state_file.read_text())["settings"]["redis_url"].startswith("sha256:")
    with pytest.raises(InvalidSettings):
        check_same(host_state(own), replace(settings, redis_url="redis://:other@db"))


def test_a_host_gets_neither_drills_nor_the_mark_of_another_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_FAILPOINTS", "create_job.before=raise")
    monkeypatch.setenv("FARM_HOST_HOME", "/elsewhere")
    environment = home.host_environment()
    assert {"FARM_FAILPOINTS", "FARM_HOST_HOME"} & set(environment) == set()
    assert environment["FARM_HOME"] == str(home.path)
