"""The image installs what runs: its lock has all that the product imports, and no tool of the tests."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
PACKAGES = ("farm", "serve_app", "blender")
WITHIN_BPY = {"mathutils"}


def locked(lock: str) -> set[str]:
    text = (ROOT / lock).read_text("utf-8")
    return {
        canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==", text, re.MULTILINE)
    }


def imported() -> set[str]:
    """Top names of all that the product imports when it runs, wherever in its code."""
    found: set[str] = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        waiting: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                waiting += node.orelse
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
            waiting += ast.iter_child_nodes(node)
    return found - set(sys.stdlib_module_names) - set(PACKAGES) - WITHIN_BPY


def test_the_image_is_set_up_from_the_lock_of_what_runs() -> None:
    (run,) = [line for line in DOCKERFILE.splitlines() if line.startswith("RUN") and "setup.sh" in line]
    assert "scripts/setup.sh runtime" in run
    setup = (ROOT / "scripts" / "setup.sh").read_text("utf-8")
    assert re.search(r"runtime\) *LOCK=requirements\.lock", setup)


def test_all_that_the_product_imports_is_in_that_lock() -> None:
    distributions = packages_distributions()
    runs = locked("requirements.lock")
    missing = {
        name for name in imported() if not {canonicalize_name(one) for one in distributions.get(name, [name])} & runs
    }
    assert missing == set()


def test_no_tool_of_the_tests_is_in_that_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = {canonicalize_name(Requirement(one).name) for one in project["project"]["dependencies"]}
    rows = [row for group in project["dependency-groups"].values() for row in group if isinstance(row, str)]
    tools = {canonicalize_name(Requirement(row).name) for row in rows} - needed
    assert {"pytest", "moto", "playwright", "ruff"} <= tools
    assert tools & locked("requirements.lock") == set()


def test_the_bill_of_materials_names_every_locked_package(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    done = subprocess.run(
        ["make", "--old-file", "setup", "sbom", f"SBOM={out}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    bill = json.loads(out.read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert {canonicalize_name(one["name"]) for one in bill["components"]} == locked("requirements.lock")
    assert all(one.get("purl") for one in bill["components"])


def test_advisories_that_were_not_all_asked_for_are_no_good_news(tmp_path: Path) -> None:
    """The auditor is stood in for; what its answers come to is the script's own."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "advisories.sh", tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("one==1\n", "utf-8")
    auditor = tmp_path / ".venv" / "bin" / "pip-audit"
    auditor.parent.mkdir(parents=True)
    for says, status, expected in (
        ("echo 'No known vulnerabilities found' >&2", 0, 0),
        ("echo 'one  Dependency not found and could not be audited: one (1)'", 0, 2),
        ("echo 'ConnectionError' >&2", 1, 2),
        ("echo 'one  1  CVE-1  2'; echo 'Found 1 known vulnerability' >&2", 1, 1),
    ):
        auditor.write_text(f"#!/bin/sh\n{says}\nexit {status}\n", "utf-8")
        auditor.chmod(0o755)
        done = subprocess.run(
            (tmp_path / "scripts" / "advisories.sh",), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == expected, (says, done)
        assert ("NOT CHECKED" in done.stderr) is (expected == 2)
