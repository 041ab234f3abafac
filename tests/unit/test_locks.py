"""The locks fit pyproject.toml, pin every package by hash, and name no server."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import farm
from farm.doctor import machine

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock")


def packages(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)(?:\[[\w,-]+\])?==([^ ;\\]+)", text, re.MULTILINE))


def group(name: str) -> list[str]:
    rows = PROJECT["dependency-groups"][name]
    return [text for row in rows for text in (group(row["include-group"]) if isinstance(row, dict) else [row])]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_hash_and_no_server_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(packages(lock)) > 0
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"https?:|index-url|find-links|file:", text) == []


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", [*PROJECT["project"]["dependencies"], *group("dev")]),
    ],
)
def test_the_lock_has_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    locked = packages(lock)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[requirement.name]), requirement


def test_both_locks_agree() -> None:
    dev = packages("requirements-dev.lock")
    assert {name: dev.get(name) for name in packages("requirements.lock")} == packages("requirements.lock")


def test_versions_that_are_written_twice_agree() -> None:
    assert farm.__version__ == PROJECT["project"]["version"]
    assert packages("requirements.lock")["ray"].startswith(f"{machine.RAY_RELEASE}.")
