import re
import subprocess
from pathlib import Path

import farm.doctor
from farm import libraries
from farm.settings import Settings


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    checks = {
        check.name: check for check in farm.doctor.run_checks(Settings.load({"FARM_HOME": str(tmp_path / "home")}), {})
    }
    assert [check for check in checks.values() if not check.ok and check.fatal] == []
    assert checks["blender"].detail.startswith("Blender 5.2.")
    assert list(tmp_path.iterdir()) == []


def test_every_desktop_library_of_blender_has_a_package() -> None:
    """Whatever Blender needs beside its own libraries and the C library can be installed by the doctor's one line."""
    module = libraries.blender_module()
    said = subprocess.run(["ldd", str(module)], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(rf"^\s+(\S+) => (?!{re.escape(str(module.parent))})", said, re.MULTILINE))
    c_library = {f"lib{name}" for name in ("c.so.6", "dl.so.2", "m.so.6", "pthread.so.0", "rt.so.1", "util.so.1")}
    assert {"libX11.so.6", "libXi.so.6", "libxkbcommon.so.0"} <= needed
    assert needed - c_library - {"libgcc_s.so.1"} - set(libraries.PACKAGES) == set()
