"""A PostgreSQL of a test's own: own data folder, a loopback port, a user other than root, a password made up now."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tests.contract.medusa.child import child
from tests.ports import free_port

_NAME = "shop"
"""Of the database and of its owner."""


def programs() -> Path | None:
    """The folder of PostgreSQL's server programs; Debian keeps them off the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgres(saved: Path, *, save: bool = False) -> Iterator[str]:
    """The address of a database, for the length of the block.

    Args:
        saved: an archive of a cluster; where it is there, the database is as it was saved, else it is empty.
        save: whether to write ``saved`` when the block ends well.

    Raises:
        ServerDidNotStart: with the end of its log.
    """
    bin_folder = programs()
    if bin_folder is None:
        raise FileNotFoundError("PostgreSQL's initdb; install the package postgresql")
    folder = Path(mkdtemp(prefix="farm-pg-", dir="/tmp"))  # its Unix socket's path must be short
    try:
        user = _other_user()
        data, password_file = folder / "data", folder / "password"
        if saved.exists():
            subprocess.run(["tar", "-xf", saved, "-C", folder], check=True)
        else:
            password_file.write_text(secrets.token_hex(16), "utf-8")
        _hand_over(folder, user)
        if not saved.exists():
            subprocess.run(
                [bin_folder / "initdb", "-D", data, "-U", _NAME, "-A", "scram-sha-256", "--pwfile", password_file,
                 "-N", "-E", "UTF8", "--locale", "C"],
                check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder,
            )  # fmt: skip
        password, port = password_file.read_text("utf-8"), free_port()
        command: list[str | Path] = [
            bin_folder / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
            "-c", "max_connections=60", "-c", "shared_buffers=32MB",
        ]  # fmt: skip
        address = ["-h", "127.0.0.1", "-p", str(port), "-U", _NAME]

        def is_up() -> bool:
            return subprocess.run([bin_folder / "pg_isready", "-q", *address], check=False).returncode == 0

        # SIGINT is its fast stop; SIGTERM would wait for every client to leave.
        stop_with = signal.SIGINT
        with child(command, log=folder / "log", is_up=is_up, within_s=60, user=user, stop_with=stop_with):
            if not saved.exists():
                subprocess.run(
                    [bin_folder / "createdb", *address, _NAME], check=True, env={**os.environ, "PGPASSWORD": password}
                )
            yield f"postgres://{_NAME}:{password}@127.0.0.1:{port}/{_NAME}"
        if save:
            unfinished = saved.with_suffix(".new")
            subprocess.run(["tar", "-cf", unfinished, "-C", folder, "data", "password"], check=True)
            unfinished.replace(saved)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> str | None:
    """Whom the server runs as: it refuses to be root's."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _hand_over(folder: Path, user: str | None) -> None:
    if user is None:
        return
    group = pwd.getpwnam(user).pw_gid
    for path in [folder, *folder.rglob("*")]:
        shutil.chown(path, user, group)
