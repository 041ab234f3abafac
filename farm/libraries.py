"""The system libraries that Blender's module links against, and the packages that bring the missing ones.

A wheel cannot carry its desktop libraries (X11, OpenGL), and a server has none of them. ``python -m farm.libraries``
names what is missing; `farm doctor` and ``make setup`` say so before an import of ``bpy`` fails. Standard library only.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGES: Mapping[str, str] = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libGLdispatch.so.0": "libglvnd0",
    "libICE.so.6": "libice6",
    "libOpenGL.so.0": "libopengl0",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXau.so.6": "libxau6",
    "libXdmcp.so.6": "libxdmcp6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libbsd.so.0": "libbsd0",
    "libgomp.so.1": "libgomp1",
    "libmd.so.0": "libmd0",
    "libstdc++.so.6": "libstdc++6",
    "libuuid.so.1": "libuuid1",
    "libwayland-client.so.0": "libwayland-client0",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Library to Debian package (12 and later)."""

_NOT_FOUND = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)


class LibrariesUnknown(Exception):
    """What Blender needs cannot be found out here; the message says why."""


def blender_module() -> Path:
    """The shared object behind ``import bpy``, found without importing it.

    Raises:
        LibrariesUnknown: where bpy is not installed.
    """
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise LibrariesUnknown("bpy is not installed in this environment: run `make setup`")
    return Path(spec.origin)


def parse_ldd(text: str) -> list[str]:
    """The libraries that ``ldd`` could not find, each once, sorted."""
    return sorted(set(_NOT_FOUND.findall(text)))


def missing_libraries(module: Path | None = None) -> list[str]:
    """All shared libraries that ``module`` (Blender's, if none is given) needs and the system lacks.

    Raises:
        LibrariesUnknown: where there is no bpy, no ``ldd``, or ``ldd`` cannot read the module.
    """
    module = blender_module() if module is None else module
    ldd = shutil.which("ldd")
    if ldd is None:
        raise LibrariesUnknown("there is no ldd here (package libc-bin) to ask")
    answer = subprocess.run([ldd, str(module)], capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode != 0:
        raise LibrariesUnknown(f"ldd cannot read {module}: {answer.stderr.strip() or answer.stdout.strip()}")
    return parse_ldd(answer.stdout)


def packages_for(libraries: Iterable[str]) -> list[str]:
    """Debian packages that bring ``libraries``, sorted; a library that is not known to `PACKAGES` is left out."""
    return sorted({PACKAGES[name] for name in libraries if name in PACKAGES})


def install_line(libraries: Iterable[str]) -> str:
    """The one command that installs ``libraries`` on Debian; those without a known package are named behind it."""
    names = list(libraries)
    packages = packages_for(names)
    unknown = [name for name in names if name not in PACKAGES]
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}" if packages else ""
    if unknown:
        line += f"{'; and ' if line else ''}find the packages of {', '.join(unknown)} with apt-file"
    return line


def main() -> int:
    """Say on standard error what is missing, and name the packages alone on standard output, for scripts."""
    try:
        missing = missing_libraries()
    except LibrariesUnknown as error:
        sys.stderr.write(f"Blender's libraries: {error}\n")
        return 1
    if not missing:
        return 0
    sys.stderr.write(f"Blender needs {', '.join(missing)}. As root:\n  {install_line(missing)}\n")
    sys.stdout.write(" ".join(packages_for(missing)) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
