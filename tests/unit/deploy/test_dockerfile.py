"""The Dockerfile as far as it can be checked without Docker: what it copies, and that it is enough."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
TEXT = re.sub(r"\\\n\s*", "", (REPOSITORY / "Dockerfile").read_text("utf-8"))


def copies() -> list[tuple[list[str], str]]:
    """Sources and target of every COPY."""
    lines = [line.split()[1:] for line in TEXT.splitlines() if line.startswith("COPY ")]
    return [(words[:-1], words[-1]) for words in lines]


def test_everything_that_is_copied_exists_and_is_kept_by_git() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for sources, _ in copies():
        for source in sources:
            assert (REPOSITORY / source).exists(), source
            assert source.split("/")[0] not in ignored


def test_what_is_copied_is_enough_for_set_up_and_the_farm(tmp_path: Path) -> None:
    """Laid out as in the image, it builds as a project and imports without the rest of the repository."""
    for sources, target in copies():
        for source in sources:
            there = tmp_path / target / (Path(source).name if target.endswith("/") else "")
            if (REPOSITORY / source).is_dir():
                shutil.copytree(
                    REPOSITORY / source,
                    there,
                    ignore=shutil.ignore_patterns("__pycache__", "*.npz"),
                    dirs_exist_ok=True,
                )
            else:
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / source, there)
    setup = (tmp_path / "scripts" / "setup.sh").read_text()
    for name in re.findall(r"\b(requirements[\w-]*\.lock|pyproject\.toml)\b", setup):
        assert (tmp_path / name).exists(), f"setup.sh reads {name}"
    code = "import sys; sys.path.insert(0, '.'); import farm.cli, serve_app.api; print(farm.__file__)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().startswith(str(tmp_path))
    wheel = subprocess.run(
        [sys.executable, "-m", "hatchling", "metadata"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert '"name": "tshirt-farm"' in wheel.stdout, wheel.stderr


def test_nothing_runs_as_root_and_nothing_is_fetched_outside_set_up() -> None:
    lines = TEXT.splitlines()
    assert "USER farm" in lines
    assert lines.index("USER farm") < next(n for n, line in enumerate(lines) if line.startswith("CMD"))
    assert not re.search(r"https?://(?!localhost)", TEXT)


def test_its_command_is_one_of_the_farm_s(tmp_path: Path) -> None:
    shell = re.search(r'^CMD \["farm", "(\w+)", "(--\w+)"', TEXT, re.MULTILINE)
    assert shell is not None
    told = subprocess.run(
        [str(Path(sys.executable).parent / "farm"), shell[1], "--help"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode == 0
    assert shell[2] in told.stdout
