import os
from pathlib import Path

import pytest

from farm.adapters.memory_store import MemoryStore
from farm.adapters.temp_folders import TempFolders
from farm.adapters.texture_cache import TextureCache
from farm.errors import InfrastructureError
from farm.home.process import identity

ALIVE = str(identity())
DEAD = f"{os.getpid()}:1"


def test_what_the_dead_left_goes_and_what_the_living_need_stays(tmp_path: Path) -> None:
    folders = TempFolders(tmp_path / "root")
    mine = folders.make(folders.attempt("job_a", "t1", "front_0deg", ALIVE))
    theirs = folders.make(folders.attempt("job_a", "t2", "back_180deg", DEAD))
    lonely = folders.make(folders.attempt("job_b", "t3", "front_0deg", DEAD))
    own = folders.make(folders.process(ALIVE))
    gone = folders.make(folders.process(DEAD))
    (theirs / "picture.png").write_bytes(b"x")
    assert folders.sweep_dead() == 3
    assert mine.is_dir()
    assert own.is_dir()
    assert not theirs.exists()
    assert not lonely.parent.exists()
    assert not gone.exists()
    assert list(folders.list()) == [("job_a", mine)]
    assert folders.root.stat().st_mode & 0o777 == 0o700


def test_where_nobody_is_left_nothing_is_left(tmp_path: Path) -> None:
    folders = TempFolders(tmp_path / "root")
    folders.make(folders.attempt("job_a", "t1", "front_0deg", DEAD))
    folders.make(folders.process(DEAD))
    assert folders.sweep_dead() == 2
    assert not folders.root.exists()
    assert folders.sweep_dead() == 0


def test_a_job_is_swept_whole(tmp_path: Path) -> None:
    folders = TempFolders(tmp_path)
    for token in ("t1", "t2"):
        folders.make(folders.attempt("job_a", token, "front_0deg", ALIVE))
    assert folders.sweep("job_a") == 2
    assert folders.sweep("job_a") == 0


def test_textures_are_fetched_once_and_the_cache_stays_within_bounds(tmp_path: Path) -> None:
    store = MemoryStore()
    cache = TextureCache(tmp_path / "textures", max_bytes=250)
    hashes = {key: store.put(key, key.encode() * 100, content_type="image/png") for key in ("a", "b", "c")}
    first = cache.fetch(store, "a", hashes["a"])
    cache.fetch(store, "b", hashes["b"])
    os.utime(first, ns=(2**62, 2**62))  # a was used last
    store.delete(["a"])
    assert cache.fetch(store, "a", hashes["a"]).read_bytes() == b"a" * 100
    cache.fetch(store, "c", hashes["c"])
    assert {path.stem for path in (tmp_path / "textures").iterdir()} == {hashes["a"], hashes["c"]}


def trap(root: Path, kind: str) -> Path:
    """A root that is not this user's alone, with a link in it to a folder that must not be swept."""
    precious = root.parent / "precious"
    (precious / "of a user").mkdir(parents=True)
    real = root.parent / "somebody's" if kind == "link" else root
    real.mkdir(mode=0o700)
    (real / "processes").symlink_to(precious)
    (real / "jobs").mkdir()
    (real / "jobs" / "job_a").symlink_to(precious)
    if kind == "link":
        root.symlink_to(real)
    else:
        real.chmod(0o777)
    return precious / "of a user"


@pytest.mark.parametrize("kind", ["open to others", "link"])
def test_a_root_that_is_not_ours_alone_is_neither_used_nor_swept(tmp_path: Path, kind: str) -> None:
    folders = TempFolders(tmp_path / "root")
    precious = trap(folders.root, kind)
    with pytest.raises(InfrastructureError, match=r"belongs to this user and is closed to all others.*root"):
        folders.make(folders.process(ALIVE))
    assert list(folders.list()) == []
    assert folders.sweep("job_a") == 0
    assert folders.sweep_dead() == 0
    folders.drop(folders.root / "processes" / precious.name)
    assert precious.exists()


def test_a_root_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = TempFolders(tmp_path / "root")
    folders.root.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: folders.root.stat().st_uid + 1)
    with pytest.raises(InfrastructureError, match="belongs to this user"):
        folders.make(folders.process(ALIVE))
