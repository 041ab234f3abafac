"""What Blender and Ray need of the machine."""

import importlib.metadata
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from farm import libraries
from farm.doctor.check import GIB, Check, gib

MEMORY_LEAST_BYTES = 3 * GIB
SHARED_MEMORY_LEAST_BYTES = GIB // 4
OPEN_FILES_LEAST = 8192
RAY_RELEASE = "2.60"
BLENDER_IMPORT_S = 120.0


def check_python() -> Check:
    """Blender's wheel exists for one version of Python."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    ok = sys.version_info[:2] == (3, 13)
    return Check(name="python", ok=ok, detail=f"{found} in {sys.prefix}", hint="" if ok else "Run `make setup`.")


def check_bytecode(environ: Mapping[str, str]) -> Check:
    """Without cached bytecode every process of Ray compiles thousands of files: 19 s of start-up instead of 5."""
    ok = not environ.get("PYTHONDONTWRITEBYTECODE")
    detail = (
        "compiled bytecode is kept" if ok else "PYTHONDONTWRITEBYTECODE is set: every start compiles everything anew"
    )
    hint = "" if ok else "unset PYTHONDONTWRITEBYTECODE"
    return Check(name="bytecode", ok=ok, detail=detail, hint=hint, fatal=False)


def check_libraries() -> Check:
    """The system libraries that Blender's module links against."""
    try:
        missing = libraries.missing_libraries()
    except libraries.LibrariesUnknown as error:
        return Check(name="libraries", ok=False, detail=str(error), hint="Run `make setup`.")
    if missing:
        hint = libraries.install_line(missing)
        return Check(name="libraries", ok=False, detail=f"Blender needs {', '.join(missing)}", hint=hint)
    return Check(name="libraries", ok=True, detail="all that Blender links against are here")


def check_blender() -> Check:
    """Import it where a crash hurts nobody."""
    command = [sys.executable, "-c", "import bpy; print(bpy.app.version_string)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=BLENDER_IMPORT_S, check=False)
    except subprocess.TimeoutExpired:
        detail = f"`import bpy` took longer than {BLENDER_IMPORT_S:g} s"
        return Check(
            name="blender", ok=False, detail=detail, hint="Is the disk very slow, or the machine out of memory?"
        )
    version = answer.stdout.strip().splitlines()[-1:] or [""]
    if answer.returncode != 0 or not version[0]:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return Check(name="blender", ok=False, detail=f"`import bpy` failed: {last}", hint="Mend the libraries first.")
    return Check(name="blender", ok=True, detail=f"Blender {version[0]}")


def check_ray(environ: Mapping[str, str]) -> Check:
    """Its release, and that nobody has turned its authentication off: a local Ray listens on all interfaces too."""
    try:
        found = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        return Check(name="ray", ok=False, detail="Ray is not installed", hint="Run `make setup`.")
    mode = environ.get("RAY_AUTH_MODE", "token").lower()
    if not found.startswith(f"{RAY_RELEASE}."):
        hint = "Run `make setup`; all nodes of a cluster need the same Ray."
        return Check(name="ray", ok=False, detail=f"Ray {found}, not {RAY_RELEASE}", hint=hint)
    if mode != "token":
        detail = f"Ray {found}, but RAY_AUTH_MODE={mode}: whoever reaches its ports could run code here"
        return Check(name="ray", ok=False, detail=detail, hint="unset RAY_AUTH_MODE")
    return Check(name="ray", ok=True, detail=f"Ray {found}, with token authentication")


def check_open_files() -> Check:
    """Each process of Ray holds hundreds of sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ok = hard == resource.RLIM_INFINITY or hard >= OPEN_FILES_LEAST
    hint = "" if ok else f"ulimit -Hn {OPEN_FILES_LEAST} (or LimitNOFILE in the unit)"
    return Check(name="open files", ok=ok, detail=f"{soft} now, {hard} at most", hint=hint, fatal=False)


def check_memory() -> Check:
    """A render takes about two gigabytes; Ray and the store want some too."""
    available = available_memory_bytes()
    ok = available >= MEMORY_LEAST_BYTES
    hint = (
        ""
        if ok
        else f"Free some: a render wants 2 GiB, the rest of the farm 1 GiB ({gib(MEMORY_LEAST_BYTES)} together)."
    )
    return Check(name="memory", ok=ok, detail=f"{gib(available)} available", hint=hint, fatal=False)


def available_memory_bytes(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """What the kernel could hand out now, or what is left of a container's limit if that is less."""
    rows = dict(line.split(":", 1) for line in meminfo.read_text("utf-8").splitlines() if ":" in line)
    available = int(rows["MemAvailable"].split()[0]) * 1024
    try:
        limit = (cgroup / "memory.max").read_text("utf-8").strip()
        used = int((cgroup / "memory.current").read_text("utf-8"))
    except OSError:
        return available
    return available if limit == "max" else min(available, max(0, int(limit) - used))


def check_shared_memory() -> Check:
    """Ray's object store lies in /dev/shm; a container has 64 MB of it unless told otherwise."""
    try:
        total = shutil.disk_usage("/dev/shm").total  # nosec B108 # only its size is asked for
    except OSError:
        total = 0
    ok = total >= SHARED_MEMORY_LEAST_BYTES
    hint = "" if ok else "Start the container with --shm-size=1g; Ray uses slow files in /tmp until then."
    return Check(name="shared memory", ok=ok, detail=f"{gib(total)} in /dev/shm", hint=hint, fatal=False)
