"""The documents say what the code does: tables, commands, settings and links are compared with it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from farm.domain.status import table_markdown
from farm.settings import Settings, variable_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OTHER_VARIABLES = {"FARM_HOME", "FARM_SETUP_APT", "FARM_TEST_SCREENSHOTS"}


def named(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def fenced(text: str) -> Iterator[str]:
    """The lines of the shell examples, without their comments."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())


def shell_words(document: Path) -> Iterator[list[str]]:
    for line in fenced(document.read_text("utf-8")):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words:
            yield words


def test_the_status_table_is_the_one_of_the_code() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    found = re.search(r"<!-- status-table -->\n(.*?)<!-- /status-table -->", text, re.DOTALL)
    assert found is not None
    assert found[1].strip() == table_markdown()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named(DOCUMENTS))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    broken = [target for target in targets if not (document.parent / target.partition("#")[0]).exists()]
    assert broken == []
    for target in targets:
        path, _, anchor = target.partition("#")
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (document.parent / path).read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_decision_is_in_the_index_under_its_title() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| \[\d{4}\]\((\S+)\) \| (.+?) \|$", index, re.MULTILINE))
    pages = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    titles = {page.name: page.read_text("utf-8").splitlines()[0] for page in pages}
    assert {name: f"# {name[:4]} {title}" for name, title in rows.items()} == titles
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))


def test_every_decision_has_context_decision_and_consequences() -> None:
    for page in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        headings = re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name


def test_the_glossary_is_in_order_and_defines_each_noun_once() -> None:
    nouns = re.findall(r"^\| \*\*(.+?)\*\* \|", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.MULTILINE)
    assert len(nouns) > 30
    assert nouns == sorted(set(nouns), key=str.lower)


def test_every_page_and_picture_of_the_documents_is_linked_from_another() -> None:
    linked = {
        (document.parent / target.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8"))
        if "://" not in target and not target.startswith("#")
    }
    ours = [path for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".png", ".webp")]
    assert len(ours) > 50
    assert [path.relative_to(ROOT).as_posix() for path in ours if path.resolve() not in linked] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named(DOCUMENTS))
def test_every_setting_exists(document: Path) -> None:
    known = {variable_of(setting) for setting in fields(Settings)} | OTHER_VARIABLES
    found = set(re.findall(r"\bFARM_[A-Z0-9_]+\b", document.read_text("utf-8")))
    assert found - known == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named(DOCUMENTS))
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = document.read_text("utf-8")
    wanted = set(re.findall(r"`make ([a-z]+)`", text)) | set(re.findall(r"^make ([a-z]+)\b", text, re.MULTILINE))
    assert wanted - targets == set()


def test_every_command_in_the_examples_is_one_with_these_options() -> None:
    from farm.cli.app import app

    root = typer.main.get_command(app)
    seen = 0
    for document in DOCUMENTS:
        for words in shell_words(document):
            if words[0] == "farm":
                seen += 1
                _walk(root, words[1:])
    assert seen >= 10


def _walk(command: Any, words: list[str]) -> None:
    """Descend to the command that ``words`` name and compare the options."""
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} - options - {"--help"} == set(), words


@pytest.mark.parametrize("document", DOCUMENTS, ids=named(DOCUMENTS))
def test_every_module_and_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    for dotted in set(re.findall(r"`((?:farm|blender)(?:\.[a-z_]+)+)(?:\(\))?`", text)):
        parts = dotted.split(".")
        places = [ROOT.joinpath(*parts[:length]) for length in range(len(parts), 0, -1)]
        there = next(place for place in places if place.is_dir() or place.with_suffix(".py").exists())
        rest = parts[len(there.relative_to(ROOT).parts) :]
        source = there.with_suffix(".py") if there.with_suffix(".py").exists() else there / "__init__.py"
        assert not rest or (len(rest) == 1 and re.search(rf"\b{rest[0]}\b", source.read_text("utf-8"))), dotted
    for path in set(re.findall(r"`((?:farm|blender|tests|docs|templates)/[\w./-]+)`", text)):
        assert (ROOT / path).exists(), path
