"""The embedded store's server: one per home, private, found again, survivor of its starter."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from farm.adapters import embedded_store
from farm.adapters.embedded_store import EmbeddedStore
from farm.errors import StoreUnavailable


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    # Longer than a socket's address may be, and not only letters.
    home = tmp_path / ("a home of – some length" * 8)
    yield home
    if (running := EmbeddedStore.connect(home)) is not None:
        running.stop()


def test_it_starts_answers_and_stops(home: Path) -> None:
    assert EmbeddedStore.connect(home) is None
    store = EmbeddedStore.start(home)
    with redis.Redis.from_url(store.url) as client:
        assert client.ping()
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        assert client.config_get("port") == {"port": "0"}
    store.stop()
    assert not store.alive
    assert EmbeddedStore.connect(home) is None
    store.stop()


def test_it_is_private_and_in_a_session_of_its_own(home: Path) -> None:
    store = EmbeddedStore.start(home)
    socket = Path(store.url.removeprefix("unix://"))
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "store").stat().st_mode) == 0o700
    assert os.getsid(store.pid) == store.pid != os.getsid(0)


def test_whoever_starts_it_gets_the_one_that_runs(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = set(pool.map(lambda _: EmbeddedStore.start(home), range(8)))
    assert len(stores) == 1
    assert EmbeddedStore.connect(home) in stores


def test_after_a_crash_it_starts_again_with_its_data(home: Path) -> None:
    first = EmbeddedStore.start(home)
    with redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")
    os.kill(first.pid, signal.SIGKILL)
    second = EmbeddedStore.start(home)
    assert second.pid != first.pid
    assert not first.alive
    with redis.Redis.from_url(second.url) as client:
        assert client.get("kept") == b"yes"


def test_it_outlives_the_process_that_started_it(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from farm.adapters.embedded_store import EmbeddedStore; "
        "print(EmbeddedStore.start(Path(sys.argv[1])).pid)"
    )
    pid = int(subprocess.run([sys.executable, "-c", program, home], check=True, capture_output=True, text=True).stdout)
    found = EmbeddedStore.connect(home)
    assert found is not None
    assert found.pid == pid
    found.stop()
    assert not found.alive


def test_a_reused_process_number_is_not_taken_for_the_server(home: Path) -> None:
    store = EmbeddedStore.start(home)
    store.stop()
    state = home / "store" / "server.json"
    state.write_text(json.dumps({"url": store.url, "pid": os.getpid(), "started_ticks": store.started_ticks}))
    assert EmbeddedStore.connect(home) is None
    assert EmbeddedStore.start(home).pid != os.getpid()


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    data = home / "store" / "data" / "appendonlydir"
    data.mkdir(parents=True)
    (data / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StoreUnavailable, match=r"(?i)manifest"):
        EmbeddedStore.start(home)


@pytest.fixture
def short_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="home-", dir="/tmp"))
    yield home
    if (running := EmbeddedStore.connect(home)) is not None:
        running.stop()
    shutil.rmtree(home)


def test_the_socket_lies_beside_the_data_and_not_where_it_is_removed_at_log_out(
    short_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = short_home / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    store = EmbeddedStore.start(short_home)
    shutil.rmtree(runtime)
    assert store.url == f"unix://{short_home}/store/valkey.sock"
    with redis.Redis.from_url(store.url) as client:
        assert client.ping()


def test_a_socket_never_lies_in_a_folder_that_others_may_enter(short_home: Path) -> None:
    (short_home / "store").mkdir(mode=0o700)
    (short_home / "store").chmod(0o755)
    store = EmbeddedStore.start(short_home)
    assert str(short_home) not in store.url
    assert stat.S_IMODE(Path(store.url.removeprefix("unix://")).parent.stat().st_mode) == 0o700


def test_a_server_that_lost_its_socket_is_started_again_with_its_data(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process lives and looks well, and nobody reaches it."""
    first = EmbeddedStore.start(home)
    with redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")
    Path(first.url.removeprefix("unix://")).unlink()
    looks_well = first.alive
    assert looks_well
    assert not first.has_socket
    monkeypatch.setattr(embedded_store, "_LISTENS_WITHIN_S", 0.5)
    second = EmbeddedStore.start(home)
    assert not first.alive
    assert second.url == first.url, "whoever knew it finds it again"
    with redis.Redis.from_url(second.url) as client:
        assert client.get("kept") == b"yes"
