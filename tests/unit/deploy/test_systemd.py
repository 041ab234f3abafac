"""The unit for systemd, as systemd's own checker reads it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[3] / "deploy" / "tshirt-farm.service"
MOST_EXPOSED = 20
"""Of systemd's measure from 0 (nothing is open) to 100."""

analyses = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with programs and folders that there are here."""
    text = UNIT.read_text()
    assert text.count("/opt/tshirt-farm/.venv/bin/farm") == 2
    text = text.replace("/opt/tshirt-farm/.venv/bin/farm", sys.executable).replace("/opt/tshirt-farm", str(tmp_path))
    path = tmp_path / UNIT.name
    path.write_text(text)
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


@analyses
def test_systemd_finds_nothing_wrong_with_it(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    own = [line for line in done.stderr.splitlines() if unit.name in line]
    assert own == [], done.stderr
    assert done.returncode == 0, done.stderr
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=now-and-then"))
    assert unit.name in analyze("verify", "--man=no", str(unit)).stderr, "or it would not notice anything"


@analyses
def test_it_opens_little_to_whoever_takes_it_over(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", str(unit))
    assert done.returncode == 0, done.stdout[-1500:]
    assert "Overall exposure level" in done.stdout


def test_it_starts_again_whatever_ends_it_and_tells_when_it_serves() -> None:
    lines = UNIT.read_text().splitlines()
    for line in ("Type=notify", "Restart=on-failure", "StartLimitIntervalSec=0", "WatchdogSec=60", "KillMode=mixed"):
        assert line in lines
