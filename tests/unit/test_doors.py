"""The table of what comes from outside (docs/reliability.md) leaves no door out, and what it names exists."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from farm.errors import every_error
from farm.settings import Settings, variable_of
from serve_app.api import build_api
from serve_app.problems import OWN_CODES

ROOT = Path(__file__).parents[2]
_TEXT = (ROOT / "docs" / "reliability.md").read_text("utf-8")
_LINES = _TEXT.partition("<!-- doors -->\n")[2].partition("<!-- /doors -->")[0].splitlines()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in _LINES[2:] if line]
_ADDRESSES = re.compile(r"\w+_(url|hosts|address|folder)|home|templates")
_READ = re.compile(r"""headers\.get\("([A-Za-z-]+)"|request\.headers\["([A-Za-z-]+)"\]""")
_FILES = frozenset({"MANIFEST", "FILE", "DIR", "PATH"})


def named(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def doors() -> set[str]:
    return {name for row in ROWS for name in named(row[0]) | named(row[1])}


def test_every_line_says_what_limits_it_what_answers_it_and_which_test() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row


def test_the_tests_that_it_names_exist() -> None:
    for row in ROWS:
        assert named(row[3]), row
        for name in named(row[3]) - {"make fuzz"}:
            path, _, test = name.partition("::")
            text = (ROOT / path).read_text("utf-8")
            assert not test or re.search(rf"^(async )?def {test}\(", text, re.MULTILINE), name


def test_the_codes_that_it_names_are_codes() -> None:
    codes = {kind.code for kind in every_error()} | set(OWN_CODES)
    told = {name for row in ROWS for name in named(row[2]) if re.fullmatch(r"[a-z]+(_[a-z]+)*", name)}
    assert told - codes == set()


def test_every_operation_and_every_parameter_of_the_api_is_in_it(tmp_path: Path) -> None:
    def never() -> Any:
        raise AssertionError("nothing is served here")

    document = build_api(Settings.load({"FARM_HOME": str(tmp_path)}), never).openapi()
    known = {name.lower() for name in doors()}
    paths = set(document["paths"])
    parameters = {
        parameter["name"].lower()
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
    }
    assert paths - known == set()
    assert parameters - known == set()


def test_every_header_that_is_read_is_in_it() -> None:
    known = {name.lower() for name in doors()}
    read = {
        name.lower()
        for path in (ROOT / "serve_app").rglob("*.py")
        for found in _READ.findall(path.read_text("utf-8"))
        for name in found
        if name
    }
    assert len(read) > 5
    assert read - known == set()


def test_every_setting_that_is_an_address_or_a_place_is_in_it() -> None:
    wanted = {variable_of(setting) for setting in fields(Settings) if _ADDRESSES.fullmatch(setting.name)}
    assert {"FARM_REDIS_URL", "FARM_FETCH_HOSTS", "FARM_HOME"} <= wanted
    assert wanted - doors() == set()


def test_every_command_that_takes_a_file_is_in_it() -> None:
    from farm.cli.app import app

    wanted = {f"farm {name}" for name in _taking_files(typer.main.get_command(app), "")}
    assert {"farm render", "farm restore", "farm catalog run"} <= wanted
    assert wanted - doors() == set()


def _taking_files(command: Any, name: str) -> Iterator[str]:
    for word, below in getattr(command, "commands", {}).items():
        yield from _taking_files(below, f"{name} {word}".strip())
    for parameter in command.params:
        if parameter.metavar in _FILES or parameter.type_descriptor.annotation is Path:
            yield name
