from pathlib import Path

import pytest

from farm.doctor import machine
from farm.doctor.check import GIB

MEMINFO = "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    8388608 kB\n"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text(MEMINFO, "utf-8")
    return tmp_path


def test_this_python_is_the_one() -> None:
    check = machine.check_python()
    assert check.ok
    assert check.detail.startswith("3.13.")


def test_available_memory_is_the_kernels_word_without_a_container(memory: Path) -> None:
    assert machine.available_memory_bytes(memory / "meminfo", memory / "no-cgroup") == 8 * GIB


def test_a_containers_limit_counts_if_it_is_less(memory: Path) -> None:
    (memory / "memory.max").write_text(f"{4 * GIB}\n", "utf-8")
    (memory / "memory.current").write_text(f"{1 * GIB}\n", "utf-8")
    assert machine.available_memory_bytes(memory / "meminfo", memory) == 3 * GIB


def test_a_container_without_a_limit_has_none(memory: Path) -> None:
    (memory / "memory.max").write_text("max\n", "utf-8")
    (memory / "memory.current").write_text("1\n", "utf-8")
    assert machine.available_memory_bytes(memory / "meminfo", memory) == 8 * GIB


def test_forbidden_bytecode_is_a_warning() -> None:
    assert machine.check_bytecode({}).ok
    assert machine.check_bytecode({"PYTHONDONTWRITEBYTECODE": ""}).ok
    check = machine.check_bytecode({"PYTHONDONTWRITEBYTECODE": "1"})
    assert (check.ok, check.fatal, check.hint) == (False, False, "unset PYTHONDONTWRITEBYTECODE")


def test_ray_is_the_release_of_the_lock() -> None:
    check = machine.check_ray({})
    assert check.ok
    assert check.detail.startswith("Ray 2.60.")


@pytest.mark.parametrize("mode", ["disabled", "DISABLED", "none"])
def test_ray_without_authentication_is_refused(mode: str) -> None:
    check = machine.check_ray({"RAY_AUTH_MODE": mode})
    assert (check.ok, check.fatal, check.hint) == (False, True, "unset RAY_AUTH_MODE")


def test_a_blender_that_does_not_load_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another module of that name comes first: what a missing library looks like from here.
    (tmp_path / "bpy.py").write_text("raise ImportError('libXi.so.6: cannot open shared object file')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = machine.check_blender()
    assert not check.ok
    assert "libXi.so.6: cannot open shared object file" in check.detail


def test_a_blender_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bpy.py").write_text("import time\ntime.sleep(60)\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(machine, "BLENDER_IMPORT_S", 0.3)
    check = machine.check_blender()
    assert not check.ok
    assert "longer than 0.3 s" in check.detail
