"""A real Medusa on loopback, from ``scripts/medusa.sh install``'s folder, on a database of its own."""

import base64
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.contract.medusa.child import child
from tests.contract.medusa.postgres import postgres, programs
from tests.contract.servers.process import ServerDidNotStart
from tests.ports import free_port

VERSION = "2.21.2"
SERVER = Path(__file__).parent / "server"
_START_S = 180.0
_EMAIL, _PASSWORD = "farm@example.com", "only-for-tests"
_QUIET = {
    "MEDUSA_DISABLE_TELEMETRY": "true",
    "NODE_ENV": "production",
    "NODE_NO_WARNINGS": "1",
    "npm_config_update_notifier": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A running shop."""

    url: str
    api_key: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """An admin call as a person at the shop would make it, past the farm."""
        basic = base64.b64encode(f"{self.api_key}:".encode()).decode()
        return _call(self.url, method, path, body, {"Authorization": f"Basic {basic}"})


def install_folder() -> Path:
    return Path(os.environ.get("FARM_TEST_MEDUSA_DIR") or Path.home() / f".cache/tshirt-farm/medusa-{VERSION}")


def lacking() -> str | None:
    """Why there can be no shop here, ``None`` where there can."""
    if programs() is None:
        return "PostgreSQL is not installed"
    if not (install_folder() / "ready").exists():
        return f"Medusa is not installed in {install_folder()}"
    return None


@contextmanager
def shop() -> Iterator[Shop]:
    """Run a shop with no products for the length of the block."""
    folder = install_folder()
    api_key = (folder / "api-key").read_text("utf-8")
    with postgres(folder / "database.tar") as database_url, _medusa(folder, database_url) as url:
        yield Shop(url=url, api_key=api_key)


@contextmanager
def _medusa(folder: Path, database_url: str) -> Iterator[str]:
    port = free_port()
    cli = folder / "node_modules/@medusajs/cli/cli.js"

    def is_up() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    with TemporaryDirectory(prefix="farm-medusa-") as logs:
        with child(
            [_node(folder), cli, "start", "-p", str(port), "-H", "127.0.0.1"],
            log=Path(logs) / "log",
            is_up=is_up,
            within_s=_START_S,
            folder=folder,
            environment={**_QUIET, "DATABASE_URL": database_url},
        ):
            yield f"http://127.0.0.1:{port}"


def _node(folder: Path) -> str:
    return (folder / "node-program").read_text("utf-8").strip()


def prepare() -> None:
    """Make the database that every `shop` starts from: tables, one user, one secret key. Once per install."""
    folder = install_folder()
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "ready").exists():
            return
        shutil.copy(SERVER / "medusa-config.js", folder)
        with postgres(folder / "database.tar", save=True) as database_url:
            _cli(folder, database_url, "db:migrate", "--skip-scripts")
            _cli(folder, database_url, "user", "-e", _EMAIL, "-p", _PASSWORD)
            with _medusa(folder, database_url) as url:
                token = _call(
                    url, "POST", "/auth/user/emailpass", {"email": _EMAIL, "password": _PASSWORD}, {}
                )["token"]  # fmt: skip
                made = _call(
                    url, "POST", "/admin/api-keys", {"title": "farm", "type": "secret"},
                    {"Authorization": f"Bearer {token}"},
                )  # fmt: skip
                (folder / "api-key").write_text(made["api_key"]["token"], "utf-8")
        (folder / "ready").touch()


def _cli(folder: Path, database_url: str, *arguments: str) -> None:
    done = subprocess.run(
        [_node(folder), folder / "node_modules/@medusajs/cli/cli.js", *arguments],
        cwd=folder,
        env={**os.environ, **_QUIET, "DATABASE_URL": database_url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_START_S,
    )
    if done.returncode != 0:
        raise ServerDidNotStart(f"medusa {arguments[0]} failed:\n{done.stdout[-2000:]}")


def _call(url: str, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url + path, data=data, method=method, headers={"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def main(what: str) -> None:
    """``prepare`` for the script that installs; ``run`` a shop until Ctrl-C, to try a farm with."""
    prepare()
    if what == "run":
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with shop() as running, suppress(KeyboardInterrupt):
            made = running.call(
                "POST", "/admin/products", {"title": "Tee", "options": [{"title": "Size", "values": ["M"]}]}
            )
            print(f"export FARM_SHOP_URL={running.url} FARM_SHOP_API_KEY={running.api_key}")
            print(f"a product: {made['product']['id']}", flush=True)
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
