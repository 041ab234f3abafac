"""``farm catalog`` for real: Ray, a bake, relit rows; and everybody who works on a run is killed in its middle."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from PIL import Image

from farm.home import process
from farm.home.folder import MARK, Home
from tests.e2e.terminal import Terminal

ROWS = 60
QUICK = {"FARM_LEASE_S": "2"}

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]


def until[T](look: Callable[[], T | None], within_s: float = 120.0) -> T:
    """The first answer of ``look`` that is something."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        answer = look()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"nothing within {within_s} s")


def write_manifest(folder: Path) -> Path:
    """Rows with designs of their own, one of them unreadable and one without its design."""
    lines = ["product_id,design,size,views,stock"]
    for number in range(1, ROWS + 1):
        Image.new("RGB", (90, 120), (40 + number, 90, 250 - number)).save(folder / f"{number}.png")
        lines.append(f"tee-{number},{number}.png,{'64' if number != 7 else 'big'},front_0deg,5")
    (folder / "9.png").unlink()
    path = folder / "spring.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run_of(terminal: Terminal) -> dict[str, Any]:
    answer = terminal.farm("catalog", "show", "spring", "--json", environ=QUICK)
    assert answer.returncode == 0, answer.stderr
    record: dict[str, Any] = json.loads(answer.stdout)
    return record


def kill_one(terminal: Terminal, title: str) -> str | None:
    """SIGKILL for one process of the farm whose title begins so."""
    for identity in process.marked(MARK, str(terminal.home)):
        pid = int(str(identity).partition(":")[0])
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if line.startswith(title):
            os.kill(pid, signal.SIGKILL)
            return str(identity)
    return None


def test_a_run_outlives_everybody_and_accounts_for_each_row_once(terminal: Terminal, tmp_path: Path) -> None:
    manifest, report = write_manifest(tmp_path), tmp_path / "report.parquet"
    baked = terminal.farm(
        "template", "bake", "--size", "64", "--samples", "4", "--views", "front_0deg", "--no-measure", environ=QUICK
    )
    assert baked.returncode == 0, baked.stderr

    planned = terminal.farm("catalog", "plan", manifest, "--engine", "relight", "--json", environ=QUICK)
    assert planned.returncode == 1, "two rows are bad"
    plan = json.loads(planned.stdout)
    assert (plan["rows"], plan["bad"], plan["to_render"], plan["views"]) == (ROWS, 2, ROWS - 2, ROWS - 2)
    assert [fault["row"] for fault in plan["faults"]] == [7, 9]
    assert plan["seconds"] > 0
    assert "stock" in planned.stderr, "the unknown column is told"

    driver = terminal.start("catalog", "run", manifest, "--engine", "relight", "--window", "6", environ=QUICK)

    def far_enough(rows: int) -> bool:
        return bool(run_of(terminal)["rows_done"] >= rows)

    until(lambda: "spring" in terminal.farm("catalog", "list", environ=QUICK).stdout)
    until(lambda: far_enough(4))
    until(lambda: kill_one(terminal, "ray::rows-"))
    until(lambda: far_enough(10))
    assert kill_one(terminal, "ray::CatalogRunActor")
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    until(lambda: far_enough(20))
    assert kill_one(terminal, "ray::CoordinatorActor")

    watched = terminal.farm("catalog", "watch", "spring", "--report", report, "--json", environ=QUICK, timeout_s=300)
    assert watched.returncode == 1, "two rows are bad"
    ended = json.loads(watched.stdout)
    assert (ended["status"], ended["counts"]["completed"], ended["counts"]["failed"]) == ("completed", ROWS - 2, 2)
    rows = parquet.read_table(report).to_pylist()
    assert [row["row"] for row in rows] == list(range(1, ROWS + 1)), "each row once, in its order"
    assert {row["row"]: row["code"] for row in rows if row["status"] == "failed"} == {
        7: "invalid_request",
        9: "design_not_found",
    }
    products = json.loads(terminal.farm("products", "list", "--json").stdout)
    assert Counter(len(product["media"]) for product in products) == {1: ROWS - 2}, "one set of pictures each"
    assert {product["media"][0]["job_id"] for product in products} == {row["job_id"] for row in rows} - {None}

    again = terminal.farm("catalog", "run", manifest, "--engine", "relight", "--report", report, "--json")
    assert json.loads(again.stdout)["counts"]["cached"] == ROWS - 2
    assert {row["code"] for row in parquet.read_table(report).to_pylist() if row["cached"]} == {"unchanged"}
    audit = terminal.farm("audit", "--json")
    assert json.loads(audit.stdout)["findings"] == []
    until(lambda: Home(terminal.home).host() is None)
