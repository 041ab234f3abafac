"""Bad designs, requests and settings: each gets exit code 2 and says what is wrong, and none leaves a trace."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from farm.cli import main
from tests.e2e.terminal import DESIGN, Terminal
from tests.picture_designs.hostile import REFUSED

REQUESTS: dict[str, tuple[Sequence[str], str]] = {
    "size_too_small": (["--size", "10"], "--size"),
    "size_too_large": (["--size", "5000"], "--size"),
    "size_no_number": (["--size", "big"], "--size"),
    "samples_none": (["--samples", "0"], "--samples"),
    "samples_too_many": (["--samples", "5000"], "--samples"),
    "unknown_view": (["--views", "front_0deg,top"], "--views"),
    "view_twice": (["--views", "front_0deg,front_0deg"], "--views"),
    "no_view": (["--views", ","], "--views"),
    "unknown_mode": (["--mode", "video"], "--mode"),
    "unknown_saga": (["--saga", "epic"], "--saga"),
    "unknown_engine": (["--engine", "eevee"], "--engine"),
    "unknown_quality": (["--quality", "ultra"], "--quality"),
    "unknown_format": (["--format", "gif"], "--format"),
    "unknown_media": (["--media", "merge"], "--media"),
    "unknown_preset": (["--preset", "forehead"], "forehead"),
    "unknown_template": (["--template", "hoodie"], "hoodie"),
    "template_outside": (["--template", "../../etc"], "--template"),
    "fabric_no_colour": (["--fabric-color", "blurple"], "--fabric-color"),
    "fabric_with_alpha": (["--fabric-color", "#ff000080"], "--fabric-color"),
    "background_no_colour": (["--background", "sky"], "--background"),
    "jpeg_transparent": (["--format", "jpeg", "--background", "transparent"], "JPEG cannot be transparent"),
    "priority_too_high": (["--priority", "101"], "--priority"),
    "product_with_slash": (["--product", "../tee"], "--product"),
    "product_with_control": (["--product", "tee\x07"], "--product"),
    "placement_no_width": (["--placement", "y=20"], "width must be given"),
    "placement_unknown_key": (["--placement", "y=20,width=9,colour=red"], "there is no 'colour'"),
    "placement_no_number": (["--placement", "y=20,width=nine"], "is not a number"),
    "placement_not_finite": (["--placement", "y=nan,width=9"], "--placement"),
    "placement_too_wide": (["--placement", "y=20,width=900"], "--placement"),
    "placement_collar": (["--placement", "panel=collar,y=1,width=2"], "--placement"),
    "placement_of_no_design": (["--placement", "y=20,width=9,design=3"], "design"),
    "second_design_unused": ([str(DESIGN)], "no layer uses"),
    "folder_is_a_file": (["-o", str(DESIGN)], "is a file"),
    "unknown_option": (["--colour", "red"], "No such option"),
}

SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "slots_no_number": ({"FARM_RENDER_SLOTS": "many"}, "FARM_RENDER_SLOTS"),
    "slots_negative": ({"FARM_RENDER_SLOTS": "-1"}, "FARM_RENDER_SLOTS"),
    "lease_not_finite": ({"FARM_LEASE_S": "inf"}, "FARM_LEASE_S"),
    "device_unknown": ({"FARM_RENDER_DEVICE": "abacus"}, "FARM_RENDER_DEVICE"),
    "failpoint_no_action": ({"FARM_FAILPOINTS": "create_job.before"}, "FARM_FAILPOINTS"),
    "failpoint_no_point": ({"FARM_FAILPOINTS": "lunch.during=raise"}, "FARM_FAILPOINTS"),
    "dpi_under_the_floor": ({"FARM_DPI_FLOOR": "9999"}, "low_resolution"),
    "design_over_the_limit": ({"FARM_DESIGN_MAX_BYTES": "1000"}, "design_too_large"),
    "home_cannot_be_made": ({"FARM_HOME": "/proc/farm"}, "FARM_HOME"),
}


class Refusal:
    """`farm render` in this process: the same way in as the command's, without half a second of imports each time."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        monkeypatch.chdir(folder)
        monkeypatch.setenv("FARM_HOME", str(folder / "home"))
        monkeypatch.setenv("COLUMNS", "250")

    def expect(self, said: str, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> None:
        """The command ends with 2, says ``said`` and only on standard error, and leaves the folder as it was."""
        before = {path: path.stat().st_mtime_ns for path in self.folder.rglob("*")}
        for name, value in (environ or {}).items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "argv", ["farm", "render", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        written = self._capfd.readouterr()
        assert (ended.value.code, written.out) == (2, ""), written.err
        assert said in " ".join(written.err.split())
        assert {path: path.stat().st_mtime_ns for path in self.folder.rglob("*")} == before


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refusal:
    return Refusal(tmp_path, monkeypatch, capfd)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_bad_request_is_refused(refusal: Refusal, name: str) -> None:
    options, said = REQUESTS[name]
    refusal.expect(said, DESIGN, *options, "--json")


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_design_is_refused(refusal: Refusal, name: str) -> None:
    make, code = REFUSED[name]
    (refusal.folder / "design.png").write_bytes(make())
    refusal.expect(code, "design.png")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_bad_setting_is_refused(refusal: Refusal, name: str) -> None:
    environ, said = SETTINGS[name]
    refusal.expect(said, DESIGN, environ=environ)


def test_a_design_that_is_not_there_is_refused(refusal: Refusal) -> None:
    refusal.expect("no such file", "nowhere.png")
    refusal.expect("is a directory", refusal.folder)


def test_an_unknown_setting_in_the_file_is_refused(refusal: Refusal) -> None:
    (refusal.folder / "home").mkdir()
    (refusal.folder / "home" / "farm.toml").write_text("render_slot = 2\n")
    refusal.expect("farm.toml: render_slot", DESIGN)


def test_as_a_process_of_its_own_it_ends_with_the_same_code_and_no_traceback(terminal: Terminal) -> None:
    answer = terminal.farm("render", DESIGN, "--size", "10", "--json")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("✗ invalid_request")
    assert "Traceback" not in answer.stderr
    assert list(terminal.home.parent.iterdir()) == []


def test_a_design_comes_through_standard_input_too(terminal: Terminal) -> None:
    answer = terminal.farm("render", "-", "--dry-run", "--json", stdin=DESIGN.read_bytes())
    assert answer.returncode == 0, answer.stderr
    assert '"preset": "chest-large"' in answer.stdout
    assert list(terminal.home.parent.iterdir()) == []


def test_looking_at_help_loads_nothing_heavy(terminal: Terminal) -> None:
    program = (
        "import sys; sys.argv = ['farm', '--help']\n"
        "from farm.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('ray', 'bpy', 'numpy', 'pydantic', 'redis', 'boto3', 'PIL') if name in sys.modules])"
    )
    command = [terminal.command()[0], "-c", program]
    answer = subprocess.run(command, capture_output=True, text=True, env=terminal.environment(), check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
