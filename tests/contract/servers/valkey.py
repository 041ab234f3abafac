"""Redis-protocol servers on loopback ports, with whatever options a test wants them to have."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from farm.adapters.valkey_binary import valkey_binary
from tests.contract.servers.process import running
from tests.ports import free_port

DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server.

    Attributes:
        url: for any Redis client; its user is the default one.
    """

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def admin(self) -> Iterator[redis.Redis]:
        with redis.Redis(port=self.port, decode_responses=True, socket_timeout=10.0) as client:
            yield client

    def role(self) -> str:
        with self.admin() as client:
            return str(client.execute_command("ROLE")[0])

    def follow(self, other: "Server | None") -> None:
        """Be a replica of ``other``, or a primary; at once, as an operator would in a hurry."""
        with self.admin() as client:
            client.execute_command("REPLICAOF", *(("127.0.0.1", other.port) if other else ("NO", "ONE")))


@contextmanager
def valkey(folder: Path, *options: str, port: int = 0, binary: str | None = None) -> Iterator[Server]:
    """A server for the length of the block; its data are in ``folder`` and stay there.

    Args:
        options: as on its command line; without any it keeps all on disk.
        binary: of a server other than Valkey.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [
        binary or str(valkey_binary()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder),
        "--save", "", "--daemonize", "no", "--repl-diskless-sync-delay", "0", *(options or DURABLE),
    ]  # fmt: skip

    def is_up() -> bool:
        try:
            with redis.Redis(port=port, socket_timeout=2.0) as client:
                client.ping()
        except (redis.AuthenticationError, redis.ResponseError):
            return True  # it wants a password
        except redis.RedisError:
            return False
        return True

    with running(command, log=folder / "server.log", is_up=is_up) as process:
        yield Server(port=port, pid=process.pid)


@contextmanager
def sentinel(folder: Path, master: Server, *, name: str = "farm", down_after_ms: int = 500) -> Iterator[Server]:
    """A Sentinel that watches ``master`` alone, and fails over on its own word."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "sentinel.conf"
    config.write_text(
        f"bind 127.0.0.1\nport {port}\ndir {folder}\n"
        f"sentinel monitor {name} 127.0.0.1 {master.port} 1\n"
        f"sentinel down-after-milliseconds {name} {down_after_ms}\n"
        f"sentinel failover-timeout {name} 3000\n",
        "utf-8",
    )
    os.chmod(config, 0o600)

    def is_up() -> bool:
        try:
            with redis.Redis(port=port, socket_timeout=2.0) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    command = [str(valkey_binary()), str(config), "--sentinel"]
    with running(command, log=folder / "server.log", is_up=is_up) as process:
        yield Server(port=port, pid=process.pid)


def in_step(primary: Server, *, within_s: float = 20.0) -> None:
    """Wait until a replica of ``primary`` has what that has now; it may be written to meanwhile."""
    ends_s = time.monotonic() + within_s
    with primary.admin() as admin:
        wanted = int(admin.info("replication")["master_repl_offset"])
        while time.monotonic() < ends_s:
            replica = admin.info("replication").get("slave0", {})
            if replica.get("state") == "online" and int(replica.get("offset", -1)) >= wanted:
                return
            time.sleep(0.02)
    raise TimeoutError(f"no replica of {primary.port} is in step")


def failover(old: Server, new: Server, *, within_s: float = 20.0) -> None:
    """A planned one: ``old`` holds its writers, waits for ``new`` and follows it. Blocks until it is done."""
    ends_s = time.monotonic() + within_s
    with old.admin() as admin:
        admin.incr("test:failovers")  # a primary that never wrote waits for its replica for ever
    in_step(old)
    with old.admin() as admin:
        admin.execute_command("FAILOVER", "TO", "127.0.0.1", new.port)
    while (old.role(), new.role()) != ("slave", "master"):
        if time.monotonic() > ends_s:
            raise TimeoutError(f"the failover from {old.port} to {new.port} does not end")
        time.sleep(0.01)
