import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm import libraries
from farm.doctor import machine

SAID_BY_LDD = """\
\tlinux-vdso.so.1 (0x00007ffd6a5f2000)
\tlibtbb.so.12 => /venv/bpy/lib/libtbb.so.12 (0x00007f0a)
\tlibXrender.so.1 => not found
\tlibXi.so.6 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0b)
\tlibXi.so.6 => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f0c)
"""


@pytest.fixture
def module_with_a_missing_library(tmp_path: Path) -> Path:
    """A real shared object of this environment that asks for a library which no system has."""
    import PIL._imagingmath as whole

    path = tmp_path / "module.so"
    shutil.copyfile(Path(str(whole.__file__)), path)
    altered = path.read_bytes().replace(b"\0libc.so.6\0", b"\0libZ.so.6\0")
    assert altered != path.read_bytes()
    path.write_bytes(altered)
    return path


def test_each_library_that_ldd_misses_is_named_once() -> None:
    assert libraries.parse_ldd(SAID_BY_LDD) == ["libXi.so.6", "libXrender.so.1"]


def test_nothing_is_missing_where_ldd_finds_all() -> None:
    assert libraries.parse_ldd("\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tstatically linked\n") == []


def test_ldd_is_really_asked(module_with_a_missing_library: Path) -> None:
    assert libraries.missing_libraries(module_with_a_missing_library) == ["libZ.so.6"]


def test_a_file_that_ldd_cannot_read_is_unknown_and_not_fine(tmp_path: Path) -> None:
    text = tmp_path / "module.so"
    text.write_text("no shared object", "utf-8")
    with pytest.raises(libraries.LibrariesUnknown, match="cannot read"):
        libraries.missing_libraries(text)


def test_without_ldd_the_answer_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(libraries.LibrariesUnknown, match="libc-bin"):
        libraries.missing_libraries(tmp_path / "module.so")


def test_one_line_installs_everything() -> None:
    line = libraries.install_line(["libXi.so.6", "libGL.so.1", "libSM.so.6"])
    assert line == "apt-get install -y --no-install-recommends libgl1 libsm6 libxi6"


def test_a_library_without_a_known_package_is_still_named() -> None:
    assert libraries.install_line(["libnew.so.1"]) == "find the packages of libnew.so.1 with apt-file"
    both = libraries.install_line(["libXi.so.6", "libnew.so.1"])
    assert both.endswith("libxi6; and find the packages of libnew.so.1 with apt-file")


def test_the_check_names_the_line(monkeypatch: pytest.MonkeyPatch, module_with_a_missing_library: Path) -> None:
    monkeypatch.setattr(libraries, "blender_module", lambda: module_with_a_missing_library)
    check = machine.check_libraries()
    assert not check.ok
    assert check.fatal
    assert "libZ.so.6" in check.detail
    assert "libZ.so.6" in check.hint


def test_scripts_get_the_packages_alone_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module_with_a_missing_library: Path
) -> None:
    monkeypatch.setattr(libraries, "blender_module", lambda: module_with_a_missing_library)
    monkeypatch.setitem(libraries.PACKAGES, "libZ.so.6", "libz-six")
    assert libraries.main() == 1
    told = capsys.readouterr()
    assert told.out == "libz-six\n"
    assert "apt-get install" in told.err


def test_it_runs_as_a_program_without_the_rest_of_the_farm() -> None:
    program = "import sys, farm.libraries; print(*[m for m in sys.modules if m.startswith('farm.')])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["farm.libraries"]
