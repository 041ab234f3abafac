"""``farm`` for real: a host, Ray, Blender, and terminals that are closed, interrupted and killed."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from farm.home import process
from farm.home.folder import Home
from tests.e2e.terminal import DESIGN, Terminal

SMALL = ("--size", "64", "--samples", "1")
ONE_VIEW = (*SMALL, "--views", "front_0deg")
HANGS = {"FARM_FAILPOINTS": "compose_design.before=hang"}

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


def until[T](look: Callable[[], T | None], within_s: float = 90.0) -> T:
    """The first answer of ``look`` that is something."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        answer = look()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"nothing within {within_s} s")


def jobs(terminal: Terminal, *options: str) -> list[dict[str, Any]]:
    answer = terminal.farm("jobs", "list", "--json", *options)
    assert answer.returncode == 0, answer.stderr
    records: list[dict[str, Any]] = json.loads(answer.stdout)
    return records


def hanging_job(terminal: Terminal) -> str:
    """The id of a job that hangs in the middle of a step."""

    def look() -> str | None:
        return next((job["id"] for job in jobs(terminal) if job["step"] == "compose_design"), None)

    job = until(look)
    time.sleep(1.0)  # the step's start is journaled a moment before the hang is counted
    return job


def no_host(terminal: Terminal) -> bool:
    return Home(terminal.home).host() is None


def test_six_pictures_a_manifest_and_a_contact_sheet_land_in_the_folder_and_on_the_product(terminal: Terminal) -> None:
    out = terminal.home.parent / "out"
    answer = terminal.farm("render", DESIGN, *SMALL, "--product", "tee", "-o", out)
    assert answer.returncode == 0, answer.stderr
    views = ["front_0deg", "left_90deg", "right_270deg", "back_180deg", "front_45deg_left", "front_45deg_right"]
    assert {path.name for path in out.iterdir()} == {f"{view}.png" for view in views} | {
        "manifest.json",
        "contact-sheet.png",
    }
    for view in views:
        with Image.open(out / f"{view}.png") as picture:
            assert picture.size == (64, 64)
    manifest = json.loads((out / "manifest.json").read_text())
    assert [item["name"] for item in manifest["outputs"]] == [f"{view}.png" for view in views]
    assert manifest["engine"]["chosen"] == "relight", "by the light that comes with the garment"
    assert all(name in answer.stdout for name in (*views, str(out), "product tee has 6 new pictures"))
    assert "that is the first picture" in answer.stderr

    product = json.loads(terminal.farm("products", "show", "tee", "--json").stdout)
    assert [entry["view"] for entry in product["media"]] == views
    assert product["thumbnail"].endswith("front_0deg.png")
    audit = terminal.farm("audit", "--json")
    assert (audit.returncode, json.loads(audit.stdout)["clean"]) == (0, True)
    until(lambda: no_host(terminal))


def test_with_json_the_record_is_all_that_is_said(terminal: Terminal) -> None:
    answer = terminal.farm("render", DESIGN, *ONE_VIEW, "--json")
    record = json.loads(answer.stdout)
    assert (answer.returncode, answer.stderr, record["status"]) == (0, "", "completed")
    assert (terminal.home.parent / "renders" / "nordlys" / "front_0deg.png").is_file()


def test_two_at_once_in_a_new_home_share_one_host(terminal: Terminal) -> None:
    first = terminal.start("render", DESIGN, *ONE_VIEW, "--json", "-o", "first")
    second = terminal.start("render", DESIGN, *ONE_VIEW, "--json", "-o", "second")
    records = [json.loads(command.communicate(timeout=200)[0]) for command in (first, second)]
    assert [record["status"] for record in records] == ["completed", "completed"]
    assert (terminal.home / "host.log").read_text().count("farm.host: ready") == 1


def test_ctrl_c_cancels_undoes_and_says_so(terminal: Terminal) -> None:
    command = terminal.start("render", DESIGN, *ONE_VIEW, "--product", "tee", environ=HANGS)
    job = hanging_job(terminal)
    command.send_signal(signal.SIGINT)
    said, progress = command.communicate(timeout=60)
    assert command.returncode == 1
    assert "cancelled after" in said
    assert "Everything is undone" in said
    assert "DRILL" in progress
    assert json.loads(terminal.farm("jobs", "show", job, "--json").stdout)["status"] == "cancelled"
    assert terminal.farm("audit").returncode == 0
    assert not (terminal.home.parent / "renders").exists()


def test_a_killed_terminal_loses_nothing_and_the_farm_ends_by_itself(terminal: Terminal) -> None:
    command = terminal.start("render", DESIGN, *ONE_VIEW, "--product", "tee")
    job = until(lambda: next((job["id"] for job in jobs(terminal)), None))
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate()
    until(lambda: no_host(terminal))
    assert [(job["id"], job["status"]) for job in jobs(terminal)] == [(job, "completed")]
    answer = terminal.farm("jobs", "download", job, "-o", "fetched")
    assert answer.returncode == 0, answer.stderr
    assert (terminal.home.parent / "fetched" / "front_0deg.png").is_file()


def test_a_killed_host_is_started_again_by_the_command_that_waits(terminal: Terminal) -> None:
    with terminal.start("render", DESIGN, *ONE_VIEW, "--product", "tee", "--json", environ=HANGS) as command:
        job = hanging_job(terminal)
        host = Home(terminal.home).host()
        assert host is not None
        os.kill(process.pid_of(host.process), signal.SIGKILL)
        said, _ = command.communicate(timeout=150)
    record = json.loads(said)
    assert (command.returncode, record["id"], record["status"]) == (0, job, "completed")
    assert terminal.farm("audit").returncode == 0


def test_a_farm_that_is_kept_is_warm_and_ends_when_it_is_told(terminal: Terminal) -> None:
    assert terminal.farm("status").returncode == 1
    assert terminal.farm("up").returncode == 0
    up = json.loads(terminal.farm("status", "--json").stdout)
    assert (up["phase"], up["stay"], up["live_jobs"]) == ("ready", True, 0)
    assert list(up["phases_s"]) == ["store", "ray", "coordinators"]
    assert "already" in terminal.farm("up").stderr

    detached = terminal.farm("render", DESIGN, *ONE_VIEW, "--detach")
    assert detached.returncode == 0, detached.stderr
    assert terminal.farm("down").returncode == 0  # after its job
    assert [(job["id"], job["status"]) for job in jobs(terminal)] == [(detached.stdout.strip(), "completed")]


def test_a_farm_that_is_stopped_at_once_goes_on_with_its_job_at_the_next_start(terminal: Terminal) -> None:
    assert terminal.farm("up").returncode == 0
    job = terminal.farm("render", DESIGN, *ONE_VIEW, "--detach", environ=HANGS).stdout.strip()
    hanging_job(terminal)
    assert terminal.farm("down", "--now").returncode == 0
    assert [job["status"] for job in jobs(terminal)] == ["compositing"]
    answer = terminal.farm("jobs", "watch", job, "--json")
    record = json.loads(answer.stdout or "{}")
    assert (record.get("status"), record.get("error")) == ("completed", None), answer.stderr
    assert answer.returncode == 0


def test_a_job_that_fails_ends_with_1_and_its_error(terminal: Terminal) -> None:
    answer = terminal.farm(
        "render",
        DESIGN,
        *ONE_VIEW,
        "--product",
        "tee",
        "--json",
        environ={"FARM_FAILPOINTS": "compose_design.before=raise*99"},
    )
    record = json.loads(answer.stdout)
    assert (answer.returncode, record["status"], record["error"]["code"]) == (1, "failed", "failpoint_reached")
    assert "farm jobs retry" in terminal.farm("jobs", "show", record["id"]).stdout
    again = terminal.farm("jobs", "retry", record["id"], "--set", "samples=2", "--json")
    retried = json.loads(again.stdout)
    assert (again.returncode, retried["status"], retried["request"]["samples"]) == (0, "completed", 2)
    assert retried["retried_from"] == record["id"]
    assert terminal.farm("jobs", "delete", record["id"], "--yes").returncode == 0
    assert [job["id"] for job in jobs(terminal)] == [retried["id"]]
    assert terminal.farm("jobs", "show", record["id"]).returncode == 2


def test_the_token_of_ray_is_for_its_owner_alone(terminal: Terminal) -> None:
    assert terminal.farm("up").returncode == 0
    token: Path = terminal.home / "ray.token"
    assert (token.stat().st_mode & 0o777, len(token.read_text())) == (0o600, 64)


def test_what_could_not_be_undone_is_named_and_finished_by_hand(terminal: Terminal) -> None:
    drill = {"FARM_FAILPOINTS": "compose_design.after=raise*99;compensate.compose_design=raise"}
    answer = terminal.farm("render", DESIGN, *ONE_VIEW, environ={**drill, "FARM_COMPENSATION_ATTEMPTS": "1"})
    assert answer.returncode == 1
    (record,) = jobs(terminal)
    assert f"farm jobs compensate {record['id']}" in answer.stdout
    assert record["compensation_pending"]
    assert terminal.farm("jobs", "delete", record["id"], "--yes").returncode == 1

    done = terminal.farm("jobs", "compensate", record["id"])
    assert done.returncode == 0, done.stderr
    assert "Everything is undone" in done.stdout
    assert terminal.farm("audit").returncode == 0
    assert terminal.farm("jobs", "compensate", record["id"]).returncode == 1
