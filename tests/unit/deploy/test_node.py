"""`deploy/node.sh` in a clean folder, with a `ray` and a `farm` that write down what they are told."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.ports import free_port

REPOSITORY = Path(__file__).parents[3]
WRITES_DOWN = """#!{python}
import json, os, sys
with open("{told}", "a") as told:
    told.write(json.dumps({{"command": "{name}", "words": sys.argv[1:], "environment": dict(os.environ)}}) + "\\n")
"""


@dataclass(frozen=True)
class Machine:
    """A fresh machine with the repository on it and a user's home."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def repository(self) -> Path:
        return self.folder / "tshirt-farm"

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        clean = {"HOME": str(self.home), "PATH": os.defpath + ":/usr/bin:/bin", **environment}
        command = [str(self.repository / "deploy" / "node.sh"), *words]
        return subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60, check=False)

    def told(self) -> list[dict[str, Any]]:
        """What was run, but for the ends of what ran before."""
        told = self.folder / "told"
        lines = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        return [line for line in lines if line["words"][0] not in ("stop", "down")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    shutil.copytree(REPOSITORY / "deploy", machine.repository / "deploy")
    (machine.home / ".ray").mkdir(parents=True)
    (machine.home / ".ray" / "auth_token").write_text("t" * 64)
    programs = machine.repository / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ray", "farm"):
        program = programs / name
        program.write_text(WRITES_DOWN.format(python=sys.executable, told=tmp_path / "told", name=name))
        program.chmod(0o755)
    python = programs / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\nexec {programs / "ray"} python "$@"\n')
    python.chmod(0o755)
    return machine


@pytest.fixture
def gcs_redis(machine: Machine) -> Iterator[Machine]:
    """Ends the Redis that the head starts."""
    port = free_port()
    node = machine.repository / "deploy" / "node.sh"
    node.write_text(node.read_text().replace("GCS_REDIS=6390", f"GCS_REDIS={port}"))
    yield machine
    password = (machine.home / "gcs-redis" / "password").read_text()
    with redis.Redis(port=port, password=password, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        client.shutdown(nosave=True)


def test_a_head_has_its_own_redis_and_no_public_dashboard(gcs_redis: Machine) -> None:
    (gcs_redis.home / "gcs-redis").mkdir(mode=0o700)
    (gcs_redis.home / "gcs-redis" / "password").write_text("cut o")  # its writing was; it is not used
    answer = gcs_redis.run("head")
    assert answer.returncode == 0, answer.stderr
    (start,) = gcs_redis.told()
    words = start["words"]
    assert words[:2] == ["start", "--head"]
    assert "--dashboard-host=127.0.0.1" in words
    assert not any(word.startswith("--autoscaling-config") for word in words)
    assert re.fullmatch(r"127\.0\.0\.1:\d+", start["environment"]["RAY_REDIS_ADDRESS"])
    password = (gcs_redis.home / "gcs-redis" / "password").read_text()
    assert f"--redis-password={password}" in words
    assert len(password) == 48
    assert (gcs_redis.home / "gcs-redis" / "password").stat().st_mode & 0o077 == 0
    assert "the farm is not" in answer.stdout
    # The launcher starts Ray again whenever the file changed: the store stays, with what it holds.
    (gcs_redis.home / "ray_bootstrap_config.yaml").write_text("")
    assert gcs_redis.run("head").returncode == 0
    again = gcs_redis.told()[1]
    assert f"--redis-password={password}" in again["words"]
    assert f"--autoscaling-config={gcs_redis.home}/ray_bootstrap_config.yaml" in again["words"]


def test_the_farm_starts_where_its_parts_are_named(machine: Machine) -> None:
    (machine.repository / "farm.env").write_text(
        "FARM_REDIS_URL=redis://journal:6379/0\nFARM_STORAGE_URL=s3://bucket/farm\nRAY_REDIS_ADDRESS=gcs:6379\n"
        "GCS_REDIS_PASSWORD=secret\n"
    )
    answer = machine.run("head")
    assert answer.returncode == 0, answer.stderr
    start, up = machine.told()
    assert start["environment"]["RAY_REDIS_ADDRESS"] == "gcs:6379"
    assert "--redis-password=secret" in start["words"]
    assert not (machine.home / "gcs-redis").exists()
    assert (up["command"], up["words"]) == ("farm", ["up"])
    assert up["environment"]["RAY_ADDRESS"] == "127.0.0.1:6379"
    assert up["environment"]["FARM_STORAGE_URL"] == "s3://bucket/farm"


def test_the_journal_s_redis_is_refused_for_ray(machine: Machine) -> None:
    (machine.repository / "farm.env").write_text("FARM_REDIS_URL=same:6379\nRAY_REDIS_ADDRESS=same:6379\n")
    answer = machine.run("head")
    assert answer.returncode == 1
    assert "use another" in answer.stderr


def test_every_node_knows_what_it_must_before_ray_starts(machine: Machine) -> None:
    from farm.actors.options import node_environment
    from farm.settings import Settings

    answer = machine.run("worker", RAY_HEAD_IP="10.0.0.1", PYTHONDONTWRITEBYTECODE="1")
    assert answer.returncode == 0, answer.stderr
    until_s = time.monotonic() + 20
    while len(machine.told()) < 2 and time.monotonic() < until_s:
        time.sleep(0.05)  # the watch runs beside
    start, watch = machine.told()
    assert start["words"][:2] == ["start", "--address=10.0.0.1:6379"]
    assert watch["words"] == ["python", "-m", "farm.actors.interruption"]
    wanted = node_environment(Settings.load({"FARM_HOME": str(machine.home)}), cores=4)
    wanted["RAY_AUTH_TOKEN_PATH"] = str(machine.home / ".ray" / "auth_token")
    found = {name: start["environment"].get(name) for name in wanted}
    assert found == wanted
    assert "PYTHONDONTWRITEBYTECODE" not in start["environment"]


@pytest.mark.parametrize("kept", [None, "", "\n", "short"])
@pytest.mark.parametrize("kind", ["head", "worker"])
def test_no_node_starts_without_a_strong_token(machine: Machine, kind: str, kept: str | None) -> None:
    token = machine.home / ".ray" / "auth_token"
    token.unlink()
    if kept is not None:
        token.write_text(kept)
    answer = machine.run(kind, RAY_HEAD_IP="10.0.0.1")
    assert answer.returncode == 1
    assert "get-auth-token" in answer.stderr
    assert machine.told() == []


def test_a_worker_must_be_told_its_head(machine: Machine) -> None:
    answer = machine.run("worker")
    assert answer.returncode == 1
    assert "RAY_HEAD_IP" in answer.stderr


def test_set_up_installs_missing_libraries_through_sudo(machine: Machine, tmp_path: Path) -> None:
    """The first set-up finds libraries missing, says which, and the second finds them."""
    scripts = machine.repository / "scripts"
    scripts.mkdir()
    (scripts / "setup.sh").write_text("#!/bin/sh\necho set-up >> done\n[ -e libraries ]\n")
    (scripts / "setup.sh").chmod(0o755)
    python = machine.repository / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\necho libegl1 libgl1\nexit 1\n")
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\necho "$@" >> done\ncase "$*" in *install*) : > libraries;; esac\n')
    sudo.chmod(0o755)
    answer = machine.run("set-up", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert answer.returncode == 0, answer.stderr
    assert (machine.repository / "done").read_text().splitlines() == [
        "set-up",
        "apt-get update -qq",
        "env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libegl1 libgl1",
        "set-up",
    ]
