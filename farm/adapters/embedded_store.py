"""The embedded store: a real Valkey server of the farm's own, on a Unix socket, its data in the farm's folder.

The socket lies beside the data where its path is short enough: a folder that somebody cleans (``/run/user`` at log-out)
is no place for it. A server whose socket was removed all the same is ended and started again: it cannot make another.

The server runs in a session of its own, so that Ctrl-C in a terminal does not end it before the sagas are undone. It
holds a lock on its data folder for as long as it lives (an inherited file lock, which the kernel takes back when the
process dies, however it dies): there is never a second server on the same data, and a socket left behind by a crash is
known for what it is.
"""

import fcntl
import hashlib
import json
import os
import signal
import socket
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import redis
from redis.exceptions import RedisError

from farm.adapters.private_folder import is_private, private_folder
from farm.adapters.valkey_binary import valkey_binary
from farm.errors import StoreUnavailable

SOCKET_PATH_MAX_BYTES = 100
"""A Unix socket's address holds 108 bytes on Linux, 104 elsewhere."""
_POLL_S = 0.02
_LOG_TAIL_BYTES = 600
_LISTENS_WITHIN_S = 10.0
"""A server older than this has made its socket; if there is none it was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStore:
    """A running server.

    Attributes:
        url: for any Redis client.
        pid: of the server; a number is used again, so ``started_ticks`` goes with it.
    """

    url: str
    pid: int
    started_ticks: int

    @classmethod
    def start(cls, home: Path, *, ready_within_s: float = 20.0) -> "EmbeddedStore":
        """The server of this home: started now, or the one that runs already. Blocks until it answers.

        Every acknowledged write is on disk (``appendfsync always``).

        Raises:
            StoreUnavailable: when it does not answer in time; the reason ends with what it logged last.
            MissingLibrary: when there is no server for this machine.
        """
        deadline_s = time.monotonic() + ready_within_s
        folder = _folder(home)
        while True:
            with (folder / "lock").open("a+b") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    # A server runs, or is starting, or its last forked child is about to end.
                    pass
                else:
                    store = _spawn(folder, _socket_path(home), lock.fileno())
                    store._wait_until_ready(folder, deadline_s)
                    return store
            running = cls.connect(home)
            if running is not None and running.age_s > _LISTENS_WITHIN_S and not running.has_socket:
                running.stop()  # nobody can reach it any more
            elif running is not None:
                try:
                    running._wait_until_ready(folder, deadline_s)
                    return running
                except StoreUnavailable:
                    if running.alive and running.has_socket:
                        raise
                    # it was just about to end, or lost its socket
            if time.monotonic() > deadline_s:
                raise StoreUnavailable(reason=f"{folder} is locked by a server that does not answer")
            time.sleep(_POLL_S)

    @classmethod
    def connect(cls, home: Path) -> "EmbeddedStore | None":
        """The server that runs for this home, ``None`` when there is none."""
        try:
            store = cls(**json.loads((_folder(home) / "server.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return store if store.alive else None

    @property
    def alive(self) -> bool:
        """Whether that very process runs."""
        return started_ticks(self.pid) == self.started_ticks

    @property
    def has_socket(self) -> bool:
        """Whether the socket is there by which it is reached; a process that lives may have lost it."""
        try:
            return stat.S_ISSOCK(Path(self.url.removeprefix("unix://")).stat().st_mode)
        except OSError:
            return False

    @property
    def age_s(self) -> float:
        """How long ago it was started."""
        up_s = float(Path("/proc/uptime").read_text("utf-8").split()[0])
        return up_s - self.started_ticks / os.sysconf("SC_CLK_TCK")

    def stop(self, *, within_s: float = 15.0) -> None:
        """End it and see it gone. Harmless when it is gone already; blocks.

        Raises:
            StoreUnavailable: when it does not end in time.
        """
        deadline_s = time.monotonic() + within_s
        if self.alive:
            with suppress(RedisError), self._client() as client:
                client.shutdown(nosave=True, now=True)
        asked = False
        while self.alive:
            _reap(self.pid)
            if time.monotonic() > deadline_s:
                raise StoreUnavailable(reason=f"the embedded server (pid {self.pid}) does not end")
            if not asked and (not self.has_socket or time.monotonic() > deadline_s - within_s / 2):
                asked = True
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGTERM)
            time.sleep(_POLL_S)
        _reap(self.pid)

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5.0, socket_connect_timeout=5.0)

    def _wait_until_ready(self, folder: Path, deadline_s: float) -> None:
        reason = "no answer yet"
        while self.alive and time.monotonic() < deadline_s:
            if self.age_s > _LISTENS_WITHIN_S and not self.has_socket:
                reason = "its socket was removed"
                break
            try:
                with self._client() as client:
                    client.ping()
                return
            except RedisError as error:  # not listening yet, or loading its data
                reason = str(error)
            time.sleep(_POLL_S)
        if not self.alive:
            _reap(self.pid)
            reason = "it ended"
        tail = (folder / "valkey.log").read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        raise StoreUnavailable(reason=f"the embedded server did not come up ({reason}): {tail.strip()}")


def _spawn(folder: Path, door: Path, lock_fd: int) -> EmbeddedStore:
    door.unlink(missing_ok=True)  # we hold the lock, so whoever listened there is no more
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(door),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
    }
    binary = valkey_binary()
    arguments = [str(binary), *(part for name, value in options.items() for part in (f"--{name}", value))]
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    # posix_spawn and not subprocess: the server outlives this process on purpose, and nothing here should mind.
    pid = os.posix_spawn(
        binary,
        arguments,
        {"PATH": os.defpath, "LC_ALL": "C"},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, lock_fd, 3),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / "valkey.log"), log_flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    store = EmbeddedStore(url=f"unix://{door}", pid=pid, started_ticks=started_ticks(pid) or 0)
    written = folder / "server.json.new"
    written.write_text(json.dumps(asdict(store)), "utf-8")
    written.replace(folder / "server.json")
    return store


def _folder(home: Path) -> Path:
    folder = home / "store"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _socket_path(home: Path) -> Path:
    """Beside the data where that is short enough, ours alone and can hold a socket; else short whatever the home is.

    The same for every process of the home, and at every start: those who knew the server before find it again.
    """
    own = _folder(home.resolve()) / "valkey.sock"
    if len(os.fsencode(own)) <= SOCKET_PATH_MAX_BYTES and is_private(own.parent) and _takes_sockets(own.parent):
        return own
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16] + ".sock"
    for base in ("/tmp", tempfile.gettempdir()):  # nosec B108 # what is made there is checked to be ours alone
        if not os.access(base, os.W_OK | os.X_OK):
            continue
        folder = Path(base) / f"tshirt-farm-{os.getuid()}"
        if len(os.fsencode(folder / name)) > SOCKET_PATH_MAX_BYTES:
            continue
        # In a folder that all may write to, somebody else may have made this one first.
        with suppress(PermissionError):
            return private_folder(folder) / name
    raise StoreUnavailable(reason="there is no private folder with a short path for the socket; set TMPDIR to one")


def _takes_sockets(folder: Path) -> bool:
    """Whether the file system holds sockets: some that are shared between machines do not."""
    probe = folder / "probe.sock"
    try:
        with socket.socket(socket.AF_UNIX) as door:
            probe.unlink(missing_ok=True)
            door.bind(str(probe))
        probe.unlink()
    except OSError:
        return False
    return True


def started_ticks(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; ``None`` when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    state, *values = text[text.rindex(")") + 1 :].split()  # the name stands in brackets and may hold anything
    return None if state in "ZX" else int(values[18])


def _reap(pid: int) -> None:
    # Only its parent has to; to everybody else it is no child.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
