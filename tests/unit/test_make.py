"""What fails does not hide what comes after it: neither in `make test` nor in what CI runs."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def _script(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/usr/bin/env bash", *lines, "")), "utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize(("target", "last"), [("test", "tests/e2e"), ("bench", "bench.render_jobs")])
def test_all_run_and_then_the_red_ones_are_named(target: str, last: str, tmp_path: Path) -> None:
    """The commands are stood in for; which of them are called, in what order and to what end is the Makefile's own."""
    _script(tmp_path / "python", f'echo "${{!#}}" >> {tmp_path}/called', '[[ "${!#}" != *"$RED"* || -z "$RED" ]]')
    command = ("make", "--old-file", "setup", target, f"BIN={tmp_path}")

    def run(red: str) -> tuple[int, str, list[str]]:
        (tmp_path / "called").unlink(missing_ok=True)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "RED": red}
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr, (tmp_path / "called").read_text("utf-8").split()

    status, said, all_of_them = run("")
    assert (status, said) == (0, "")
    assert all_of_them[-1] == last
    first = all_of_them[0]
    status, said, called = run(first)
    assert status != 0
    assert called == all_of_them
    assert f"red: {first}\n" in said


@pytest.mark.parametrize("red", ["check", "test", "check test"])
def test_ci_checks_and_tests_and_fails_when_either_does(red: str, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", tmp_path / ".ci" / "run")
    for name in ("medusa", "browser"):
        _script(tmp_path / "scripts" / f"{name}.sh")
    targets = ("setup", "check", "test")
    rules = [f".PHONY: {' '.join(targets)}"]
    for one in targets:
        rules += [f"{one}:", f"\t@echo {one} >> called", *(["\t@false"] if one in red.split() else [])]
    (tmp_path / "Makefile").write_text("\n".join((*rules, "")), "utf-8")
    done = subprocess.run((tmp_path / ".ci" / "run",), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert (tmp_path / "called").read_text("utf-8").split() == list(targets)
    assert f"red: {red}\n" in done.stderr
