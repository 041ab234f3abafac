"""What files add to the contract: links, power cuts, full and forbidden disks."""

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.adapters.file_store import FileStore
from farm.errors import InvalidRequest, ObjectMissing, StorageForbidden, StorageUnavailable
from farm.render.ports import ObjectInfo

PNG = "image/png"


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "objects")


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_empty_folders_go_with_their_last_object(files: FileStore) -> None:
    files.put("t/shop/jobs/a/out/1", b"", content_type=PNG)
    files.put("t/shop/jobs/b/out/1", b"", content_type=PNG)
    files.delete(["t/shop/jobs/a/out/1"])
    assert everything_below(files.root) == [
        ".incoming", "t", "t/shop", "t/shop/jobs", "t/shop/jobs/b", "t/shop/jobs/b/out", "t/shop/jobs/b/out/1",
    ]  # fmt: skip
    files.delete(["t/shop/jobs/b/out/1"])
    assert everything_below(files.root) == [".incoming"]


def test_deleting_a_folder_or_below_a_file_deletes_nothing(files: FileStore) -> None:
    files.put("t/a", b"a", content_type=PNG)
    files.delete(["t", "t/a/below"])
    assert files.get("t/a") == b"a"


def test_an_object_cannot_lie_below_another(files: FileStore) -> None:
    files.put("t/a", b"a", content_type=PNG)
    for key in ("t/a/b", "t"):
        with pytest.raises(InvalidRequest):
            files.put(key, b"", content_type=PNG)
    assert everything_below(files.root) == [".incoming", "t", "t/a"]


def test_a_link_to_a_folder_leads_nowhere(files: FileStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    files.put("t/a", b"a", content_type=PNG)
    (files.root / "t" / "link").symlink_to(outside)
    with pytest.raises(StorageForbidden):
        files.get("t/link/secret")
    with pytest.raises(StorageForbidden):
        files.put("t/link/new", b"", content_type=PNG)
    with pytest.raises(StorageForbidden):
        files.delete(["t/link/secret"])
    assert [info.key for info in files.list("")] == ["t/a"]
    assert everything_below(outside) == ["secret"]


def test_a_link_to_a_file_is_replaced_not_followed(files: FileStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"outside")
    files.put("t/a", b"a", content_type=PNG)
    (files.root / "t" / "link").symlink_to(outside)
    with pytest.raises(StorageForbidden):
        files.get("t/link")
    assert files.head("t/link") is None
    files.put("t/link", b"object", content_type=PNG)
    assert (files.get("t/link"), outside.read_bytes()) == (b"object", b"outside")


def test_a_pipe_is_no_object_and_hangs_nobody(files: FileStore) -> None:
    files.put("t/a", b"a", content_type=PNG)
    os.mkfifo(files.root / "t" / "pipe")
    with pytest.raises(ObjectMissing):
        files.get("t/pipe")
    assert [info.key for info in files.list("")] == ["t/a"]


def test_what_a_killed_writer_left_is_found_and_swept(files: FileStore) -> None:
    left: list[ObjectInfo] = []
    for _ in range(20):  # until one is killed in the midst of a write, not between two
        if not left:
            _kill_a_writer(files)
            left = list(files.list_incoming())
    assert [info.key.split("/")[0] for info in left] == [".incoming"]
    assert all(info.size_bytes == 20_000_000 for info in files.list(""))
    assert files.sweep_incoming(older_than_s=3600) == 0
    assert files.sweep_incoming(older_than_s=-1) == 1
    assert list(files.list_incoming()) == []


def _kill_a_writer(files: FileStore) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(files,))
    writer.start()
    assert writer.pid is not None
    ends_s = time.monotonic() + 60
    while not list(files.list_incoming()) and time.monotonic() < ends_s:
        time.sleep(0.001)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    writer.close()


def _write_for_ever(files: FileStore) -> None:
    while True:
        files.put("t/a", b"a" * 20_000_000, content_type=PNG)


def test_a_forbidden_place_is_a_clear_refusal() -> None:
    # Not even root may make a folder there.
    with pytest.raises(StorageForbidden) as caught:
        FileStore(Path("/sys/no-place-for-objects")).put("t/a", b"", content_type=PNG)
    assert caught.value.key == "t/a"


_FILL = """
import sys
from collections.abc import Callable
from pathlib import Path
from farm.adapters.file_store import FileStore
from farm.errors import DiskFull
files = FileStore(Path(sys.argv[1]))
files.put("t/a", b"a" * 100_000, content_type="")
try:
    files.put("t/b", b"b" * 2_000_000, content_type="")
except DiskFull as error:
    assert error.what == "t/b", error
else:
    raise SystemExit("the disk took more than it has")
assert [info.key for info in files.list("")] == ["t/a"]
assert not list(files.list_incoming())
files.put("t/c", b"c" * 100_000, content_type="")
"""


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk: user namespaces are off")
    script = 'mount -t tmpfs -o size=1m small "$1" && exec "$2" -W error -c "$3" "$1"'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", str(tmp_path), sys.executable, _FILL],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("instead", ["file", "link"])
def test_a_root_that_is_no_folder_any_more_is_a_store_that_does_not_answer(files: FileStore, instead: str) -> None:
    """As after a lost mount: no key is to blame, and it may come back."""
    files.put("a/b.png", b"one", content_type=PNG)
    aside = files.root.with_name("aside")
    files.root.rename(aside)
    if instead == "file":
        files.root.write_bytes(b"")
    else:
        files.root.symlink_to(aside)
    asked: list[Callable[[], object]] = [
        lambda: files.get("a/b.png"),
        lambda: files.put("a/c.png", b"two", content_type=PNG),
        lambda: files.head("a/b.png"),
        lambda: files.copy("a/b.png", "a/c.png"),
        lambda: files.delete(["a/b.png"]),
        lambda: list(files.list("a/")),
    ]
    for ask in asked:
        with pytest.raises(StorageUnavailable, match="is no folder") as caught:
            ask()
        assert caught.value.retryable
    files.root.unlink()
    aside.rename(files.root)
    assert files.get("a/b.png") == b"one"
    assert [info.key for info in files.list("")] == ["a/b.png"]


def test_a_store_travels_to_another_process(files: FileStore) -> None:
    files.put("t/a", b"a", content_type=PNG)
    copied: FileStore = pickle.loads(pickle.dumps(files))
    assert copied.get("t/a") == b"a"


def test_addresses_of_files(tmp_path: Path) -> None:
    assert FileStore(tmp_path / "my files").url("t/x y") == f"{tmp_path.as_uri()}/my%20files/t/x%20y"
    assert FileStore(tmp_path, public_url="https://cdn.example").url("t/x y") == "https://cdn.example/t/x%20y"
