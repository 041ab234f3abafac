"""Blender in a process of its own: what happens to it happens to nobody else, and its end is certain.

Its environment holds nothing of ours, so no key of a shop or a bucket can be read in it; its output goes to files,
which its own limits bound.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from farm.errors import TemplateChildFailed

_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from blender.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
_TOLD_BYTES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may take.

    Attributes:
        seconds: Wall time.
        memory_bytes: Address space.
        file_bytes: The largest file it may write.
    """

    seconds: float
    memory_bytes: int
    file_bytes: int


def run_blender(*arguments: str, limits: Limits) -> str:
    """Run ``python -m blender`` with these arguments; returns what it said.

    Raises:
        TemplateChildFailed: When it failed, died, or took more than it may.
    """
    with tempfile.TemporaryDirectory(prefix="farm-blender-") as folder:
        said, log = Path(folder) / "said", Path(folder) / "log"
        with said.open("wb") as out, log.open("wb") as err:
            child = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, _ROOT, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=_environment(folder),
                start_new_session=True,
                preexec_fn=_confine(limits),
            )
            status = _await(child, limits.seconds)
        if status != 0:
            raise TemplateChildFailed(reason=_cause(status, limits, _end(log)), log=_end(log))
        return said.read_text("utf-8", errors="replace")


def _await(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit status, or None at the deadline; however this ends, the child and all it started are gone."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _environment(folder: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "HOME": folder, "TMPDIR": folder, "BLENDER_USER_RESOURCES": folder, "PYTHONDONTWRITEBYTECODE": "1"}


def _confine(limits: Limits) -> Callable[[], None]:
    wanted = (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    )

    def confine() -> None:
        for what, most in wanted:
            _, ceiling = resource.getrlimit(what)
            most = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
            resource.setrlimit(what, (most, most))

    return confine


def _cause(status: int | None, limits: Limits, log: str) -> str:
    if status is None:
        return f"it was not done within {limits.seconds:g} s"
    if status < 0:
        return f"Blender crashed ({signal.Signals(-status).name}): the file is damaged, or needs too much memory"
    last = log.splitlines()[-1:] or ["without a word"]
    return f"it ended with status {status}: {last[0].removeprefix('blender: ')}"


def _end(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace")[-_TOLD_BYTES:].splitlines()
    return "\n".join(line for line in lines if line.strip())
