"""The folder of an embedded farm: its names, who is present in it, and how its host is started."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import farm
from farm.errors import InvalidSettings
from farm.home import process
from farm.home.state import HostState, write_atomically
from farm.settings import Settings

MARK = "FARM_HOST_HOME"
"""In the environment of everything a host starts, so that the next host finds what a killed one left behind."""

LOG_BYTES = 5_000_000


class Need(StrEnum):
    """What a client needs of the host: reading takes the store alone, jobs that run take everything."""

    STORE = "store"
    FARM = "farm"


class Order(StrEnum):
    """What a client may ask of the host."""

    STAY = "stay"
    DOWN = "down"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of an embedded farm, and the names in it."""

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "host.json"

    @property
    def log_file(self) -> Path:
        return self.path / "host.log"

    @property
    def lock_file(self) -> Path:
        """Locked by the host for its whole life."""
        return self.path / "host.lock"

    @property
    def gate_file(self) -> Path:
        """Locked for a moment by a client that joins, and by a host that decides to end."""
        return self.path / "gate.lock"

    @property
    def clients(self) -> Path:
        return self.path / "clients"

    @property
    def order_file(self) -> Path:
        return self.path / "order.json"

    @property
    def token_file(self) -> Path:
        """Ray's token; whoever reads it may run code in the farm."""
        return self.path / "ray.token"

    @property
    def short_folder(self) -> Path:
        """Where sockets lie: a socket's path may have about 100 characters, a home's often has more."""
        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:10]
        base = "/tmp"  # nosec B108 # what is made in it is made private
        return Path(base) / f"farm-{os.getuid()}-{digest}"

    @property
    def preview_socket(self) -> Path:
        """Where the host takes requests for previews."""
        return self.short_folder / "preview.sock"

    def create(self) -> None:
        """Make the folders.

        Raises:
            InvalidSettings: when ``FARM_HOME`` cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.clients.mkdir(mode=0o700, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "it cannot be written")
        except OSError as error:
            raise InvalidSettings(
                variable="FARM_HOME", value=str(self.path), reason=error.strerror or str(error)
            ) from error

    # --- host and orders --------------------------------------------------------------------------------------------

    def host(self) -> HostState | None:
        """The host that is alive here."""
        state = HostState.read(self.state_file)
        return state if state is not None and state.alive else None

    def order(self, host: HostState, order: Order) -> None:
        """Leave an order for that host; another one will not obey it."""
        write_atomically(self.order_file, json.dumps({"host": host.process, "order": order}).encode())

    def take_order(self, host: HostState) -> Order | None:
        """The order for ``host``, once."""
        try:
            data = json.loads(self.order_file.read_text("utf-8"))
            self.order_file.unlink()
            return Order(data["order"]) if data["host"] == host.process else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def needs(self) -> list[Need]:
        """What the clients that are alive need; marks of dead ones are swept."""
        found = []
        for mark in self.clients.glob("[0-9]*:*-*"):  # not what another client is just writing, which begins with a dot
            if process.alive(mark.name.partition("-")[0]):
                with contextlib.suppress(OSError, ValueError):
                    found.append(Need(mark.read_text("utf-8")))
            else:
                mark.unlink(missing_ok=True)
        return found

    @contextmanager
    def present(self, need: Need) -> Iterator[None]:
        """Be a client that needs ``need``."""
        mark = self.clients / f"{process.identity()}-{secrets.token_hex(4)}"
        write_atomically(mark, need.encode())
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    @contextmanager
    def try_gate(self) -> Iterator[bool]:
        """Pass the gate; yields whether it was free."""
        with self.gate_file.open("ab") as gate:
            try:
                fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    # --- starting ---------------------------------------------------------------------------------------------------

    def start_host(self, settings: Settings, *, stay: bool = False) -> HostState:
        """Start a host in a session of its own; returns at once. Only behind the gate."""
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                self.host_command(stay=stay),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.path,
                env=self.host_environment(),
                start_new_session=True,
            )
        state = HostState(
            process=process.identity(child.pid) or f"{child.pid}:0",
            version=farm.__version__,
            started_at_s=time.time(),
            stay=stay,
            settings=settings_digest(settings),
        )
        state.write(self.state_file)
        return state

    def host_command(self, *, stay: bool, anew: int = 0) -> list[str]:
        """The command line of a host of this home.

        Args:
            anew: how often in a row it has begun anew without being ready; such a host starts everything, unasked.
        """
        command = [sys.executable, "-P", "-m", "farm.actors.host", "--home", str(self.path)]
        return [*command, *(["--stay"] if stay else []), *(["--anew", str(anew)] if anew else [])]

    def host_environment(self) -> dict[str, str]:
        """This environment as a host may have it: drills travel with jobs, they are none of the farm's."""
        environment = {name: value for name, value in os.environ.items() if name not in (MARK, "FARM_FAILPOINTS")}
        environment["FARM_HOME"] = str(self.path)
        # Ray's workers import the farm from here, whatever folder they are started in.
        package_root = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_root, environment.get("PYTHONPATH", "")]))
        return environment

    def log_tail(self, lines: int) -> str:
        """The last lines of the host's log."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - 400 * lines))
                return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""


def settings_digest(settings: Settings) -> dict[str, Any]:
    """All settings as plain values, for comparison; a secret shows its digest only."""
    values = settings.to_dict()
    for setting in fields(Settings):
        if setting.metadata["secret"] and values[setting.name]:
            secret = str(getattr(settings, setting.name)).encode()
            values[setting.name] = "sha256:" + hashlib.sha256(secret).hexdigest()[:12]
    return values
