"""What set-up compiled is found by every process, also where nothing can be written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator

LOOP = """
from blender.kernel import kernel


@kernel
def total(count):
    found = 0
    for number in range(count):
        found += number
    return found
"""
ASK = """
import json, loop
print(json.dumps({"total": loop.total(10), "hits": sum(loop.total.stats.cache_hits.values())}))
"""
ROOT = Path(__file__).parents[3]


def ask(folder: Path, **environ: str) -> dict[str, int]:
    """What the loop answers in a process of its own, and whether it was found compiled."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", **environ}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loop.py").write_text(LOOP)
    return tmp_path


def test_a_kernel_is_compiled_once_for_all_processes(folder: Path) -> None:
    assert ask(folder) == {"total": 45, "hits": 0}
    assert ask(folder) == {"total": 45, "hits": 1}


def test_what_lies_beside_the_source_is_found_where_nothing_can_be_written_there(folder: Path, tmp_path: Path) -> None:
    ask(folder)
    # Numba by itself looks into the first place where it could write, and nowhere else.
    assert ask(folder, NUMBA_CACHE_DIR=str(tmp_path / "own")) == {"total": 45, "hits": 1}


def test_what_was_not_compiled_is_kept_in_the_users_own_place_or_in_memory(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert [ask(folder, NUMBA_CACHE_DIR=str(own))["hits"] for _ in range(2)] == [0, 1]
    assert not list(folder.rglob("__pycache__/*.nbi"))
    assert ask(folder, NUMBA_CACHE_LOCATOR_CLASSES="ZipCacheLocator") == {"total": 45, "hits": 0}


def test_compiled_from_another_source_is_compiled_again(folder: Path) -> None:
    ask(folder)
    (folder / "loop.py").write_text(LOOP.replace("found += number", "found += number + 1"))
    assert ask(folder) == {"total": 55, "hits": 0}


def test_no_loop_is_compiled_otherwise() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("blender", "farm", "serve_app")
        for path in (ROOT / package).rglob("*.py")
        if "njit" in path.read_text()
    }
    assert found == {"blender/kernel.py"}


def test_numba_has_the_private_names_that_a_kernel_is_made_with() -> None:
    assert FunctionCache._impl_class is CompileResultCacheImpl
    assert InTreeCacheLocator in CompileResultCacheImpl._locator_classes
    assert hasattr(njit(lambda: 0), "_cache")
