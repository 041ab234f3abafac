"""What holds for every test: a clean environment, a farm home of its own, and no Ray or Blender where none belongs."""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parent
WITHOUT_RAY_OR_BLENDER = ("unit", "property")
_home = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    # A developer's own farm must neither change a test's outcome nor be touched by one.
    for name in list(os.environ):
        if name.startswith(("FARM_", "RAY_")) and not name.startswith("FARM_TEST_"):
            del os.environ[name]
    config.stash[_home] = tempfile.mkdtemp(prefix="farm-tests-")
    os.environ["FARM_HOME"] = config.stash[_home]
    # Children (Ray's processes above all) start several times faster when they may keep what they compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.meta_path.insert(0, _guard)


def pytest_unconfigure(config: pytest.Config) -> None:
    sys.meta_path.remove(_guard)
    shutil.rmtree(config.stash[_home], ignore_errors=True)


class _Guard(MetaPathFinder):
    """Refuses to import Ray or Blender while a test runs that has to do without them."""

    active = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.active and fullname.partition(".")[0] in ("ray", "bpy"):
            raise AssertionError(f"{fullname} is imported in a unit or property test; these run without it")
        return None


_guard = _Guard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> object:
    _guard.active = item.path.is_relative_to(TESTS) and item.path.relative_to(TESTS).parts[0] in WITHOUT_RAY_OR_BLENDER
    try:
        return (yield)
    finally:
        _guard.active = False
