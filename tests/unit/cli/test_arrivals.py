"""Pictures that come into the output folder before the job has ended, and what becomes of them."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_store import MemoryStore
from farm.cli.arrivals import Arrivals
from farm.cli.download import save_outputs
from farm.domain import keys

FRONT, BACK = "front_0deg", "back_180deg"
KEY = keys.work("default", "job_1", "1")


class Heard:
    """What the command says, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def arrived(self, view: str, what: str) -> None:
        self.lines.append(f"{view}: {what}")

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "renders" / "shirt"


@pytest.fixture
def arrivals(folder: Path, heard: Heard) -> Arrivals:
    return Arrivals(folder, heard)  # type: ignore[arg-type] # of what a command says, the half that it uses


def record(store: MemoryStore, **pictures: bytes) -> dict[str, Any]:
    """A running job in which these views are done."""
    views = []
    for view, data in pictures.items():
        store.put(f"{KEY}{view}.png", data, content_type="image/png")
        views.append({"view": view, "status": "done", "picture": f"{KEY}{view}.png"})
    return {"views": [*views, {"view": BACK, "status": "rendering", "picture": None}], "request": {"format": "png"}}


def test_each_of_the_jobs_pictures_comes_as_it_is_finished(arrivals: Arrivals, folder: Path, heard: Heard) -> None:
    store = MemoryStore()
    arrivals.look(store, record(store))
    assert not folder.exists()
    arrivals.look(store, record(store, front_0deg=b"traced"))
    arrivals.look(store, record(store, front_0deg=b"traced"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"front_0deg.png": b"traced"}
    assert heard.lines == [f"{FRONT}: {folder / 'front_0deg.png'}"]


def test_a_picture_that_is_taken_back_meanwhile_is_passed_over(arrivals: Arrivals, folder: Path) -> None:
    store = MemoryStore()
    told = record(store, front_0deg=b"traced")
    store.delete([f"{KEY}{FRONT}.png"])
    arrivals.look(store, told)
    assert not folder.exists()


def test_early_pictures_are_confirmed_where_the_job_made_the_same_bytes(
    arrivals: Arrivals, folder: Path, heard: Heard
) -> None:
    store = MemoryStore()
    arrivals.early(FRONT, f"{FRONT}.png", b"relit")
    written = (folder / f"{FRONT}.png").stat().st_mtime_ns
    arrivals.look(store, record(store, front_0deg=b"relit"))
    assert heard.lines == [f"{FRONT}: relit here, {folder / 'front_0deg.png'}; the job stores it"]
    assert (folder / f"{FRONT}.png").stat().st_mtime_ns == written
    assert arrivals.keep() == "1 picture shown early is the job's own, byte for byte"
    assert arrivals.undo() == "", "what is kept is not undone"
    assert (folder / f"{FRONT}.png").exists()


def test_the_jobs_picture_takes_the_place_of_one_that_differs_and_it_is_said(
    arrivals: Arrivals, folder: Path, heard: Heard
) -> None:
    store = MemoryStore()
    arrivals.early(FRONT, f"{FRONT}.png", b"relit")
    arrivals.early(BACK, f"{BACK}.png", b"back")
    arrivals.look(store, record(store, front_0deg=b"traced after all"))
    assert (folder / f"{FRONT}.png").read_bytes() == b"traced after all"
    assert heard.lines[-1].startswith(f"{FRONT}: the job's picture differs")
    assert arrivals.keep() == "1 picture shown early is the job's own, byte for byte; replaced: front_0deg.png"


def test_an_early_picture_that_comes_after_the_jobs_own_is_left_out(arrivals: Arrivals, folder: Path) -> None:
    store = MemoryStore()
    arrivals.look(store, record(store, front_0deg=b"the job's"))
    arrivals.early(FRONT, f"{FRONT}.png", b"late")
    assert (folder / f"{FRONT}.png").read_bytes() == b"the job's"


def test_undone_leaves_no_folder_where_there_was_none(arrivals: Arrivals, tmp_path: Path) -> None:
    arrivals.early(FRONT, f"{FRONT}.png", b"relit")
    assert arrivals.undo() == "1 picture shown early is gone again"
    assert list(tmp_path.iterdir()) == []
    arrivals.early(BACK, f"{BACK}.png", b"too late")
    assert list(tmp_path.iterdir()) == []


def test_undone_brings_back_what_lay_there_and_leaves_what_is_somebodys(arrivals: Arrivals, folder: Path) -> None:
    folder.mkdir(parents=True)
    for view in (FRONT, BACK):
        (folder / f"{view}.png").write_bytes(b"of last week")
    (folder / "notes.txt").write_text("mine")
    arrivals.early(FRONT, f"{FRONT}.png", b"relit")
    arrivals.early(BACK, f"{BACK}.png", b"relit")
    (folder / f"{BACK}.png").write_bytes(b"painted over")
    told = arrivals.undo()
    assert "1 former picture is back" in told
    assert f"{BACK}.png" in told
    assert (folder / f"{FRONT}.png").read_bytes() == b"of last week"
    assert (folder / f"{BACK}.png").read_bytes() == b"painted over"
    assert (folder / "notes.txt").read_text() == "mine"


def test_kept_or_left_no_former_picture_lies_about(arrivals: Arrivals, folder: Path, heard: Heard) -> None:
    folder.mkdir(parents=True)
    (folder / f"{FRONT}.png").write_bytes(b"of last week")
    arrivals.early(FRONT, f"{FRONT}.png", b"relit")
    arrivals.leave()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {f"{FRONT}.png": b"relit"}


class Counting(MemoryStore):
    """A store that tells what was fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        self.fetched.append(key)
        return super().get(key, sha256=sha256)


def test_the_download_fetches_what_is_not_there_already(folder: Path) -> None:
    store = Counting()
    folder.mkdir(parents=True)
    artifacts = []
    for view, there in ((FRONT, b"same"), (BACK, b"old!")):
        key = f"t/default/jobs/job_1/out/{view}.glb"
        sha256 = store.put(key, b"same", content_type="")
        sides = {"width_px": 0, "height_px": 0, "size_bytes": 4}
        artifacts.append({"name": f"{view}.glb", "key": key, "sha256": sha256, "kind": "model", "view": None, **sides})
        (folder / f"{view}.glb").write_bytes(there)
        assert hashlib.sha256(b"same").hexdigest() == sha256
    store.put("t/default/jobs/job_1/manifest.json", b"{}", content_type="")
    save_outputs(store, {"id": "job_1", "tenant": "default", "artifacts": artifacts}, folder)
    assert store.fetched[0].endswith(f"{BACK}.glb"), "what lay there was the very file"
    assert {path.name for path in folder.iterdir()} == {f"{FRONT}.glb", f"{BACK}.glb", "manifest.json"}
    assert (folder / f"{BACK}.glb").read_bytes() == b"same"
