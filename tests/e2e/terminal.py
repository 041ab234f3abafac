"""``farm`` as a person runs it: a process of its own, in a home of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "examples" / "nordlys.png"


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell in which ``farm`` is run, with its home in a folder that need not exist."""

    home: Path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {"FARM_HOME": str(self.home), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
        return {**os.environ, **own, **(extra or {})}

    def farm(
        self,
        *arguments: str | Path,
        environ: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout_s: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        answer = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            env=self.environment(environ),
            cwd=self.home.parent,
            timeout=timeout_s,
            check=False,
        )
        out, err = answer.stdout.decode(), answer.stderr.decode()
        return subprocess.CompletedProcess(answer.args, answer.returncode, out, err)

    def start(self, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Run a command in a session of its own, and look at it while it runs."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.environment(environ),
            cwd=self.home.parent,
            start_new_session=True,
        )

    @staticmethod
    def command(*arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "farm.cli", *map(str, arguments)]
