"""How soon there is something to see: ``python -m bench.cold_start [--size 1024] [--runs 3]``.

The command that a newcomer types, as a process of its own: on a fresh home each time, and then with a farm up. Seconds
after the command until the first picture lies in the folder, until all six do, and until the job is completed, contact
sheet included; medians, beside the floors. Results of earlier jobs are not used.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "nordlys.png"
VIEWS = 6
FLOORS = {
    "fresh home": {"first picture": 4.0, "all six": 6.0, "completed": 25.0},
    "farm up": {"completed": 3.0},
}
Times = dict[str, float]


def environment(home: Path) -> dict[str, str]:
    own = {"FARM_HOME": str(home), "FARM_CACHE_DAYS": "0"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | own


def farm(home: Path, *arguments: str) -> None:
    """Run a command of the farm to its end."""
    subprocess.run(
        [sys.executable, "-m", "farm.cli", *arguments], env=environment(home), check=True, capture_output=True
    )


def render(home: Path, size_px: int) -> Times:
    """One job by the command line, its folder watched."""
    with tempfile.TemporaryDirectory(prefix="farm-cold-") as outer:
        folder, told = Path(outer) / "shirt", Path(outer) / "told"
        command = [sys.executable, "-m", "farm.cli", "render", str(EXAMPLE), "--size", str(size_px), "-o", str(folder)]
        began_s = time.perf_counter()
        times: Times = {}
        with told.open("wb") as out:
            process = subprocess.Popen(command, env=environment(home), stdout=out, stderr=out)
            while process.poll() is None:
                there = len(list(folder.glob("*deg*.png"))) if folder.is_dir() else 0
                passed_s = time.perf_counter() - began_s
                if there:
                    times.setdefault("first picture", passed_s)
                if there == VIEWS:
                    times.setdefault("all six", passed_s)
                time.sleep(0.01)
        times["completed"] = time.perf_counter() - began_s
        if process.returncode:
            raise SystemExit(told.read_text())
        return times


def fresh(size_px: int) -> Times:
    home = Path(tempfile.mkdtemp(prefix="farm-cold-"))
    try:
        return render(home, size_px)
    finally:
        farm(home, "down", "--now")
        shutil.rmtree(home, ignore_errors=True)


def warm(size_px: int, runs: int) -> list[Times]:
    """With a farm up, which has had one job before."""
    home = Path(tempfile.mkdtemp(prefix="farm-cold-"))
    try:
        farm(home, "up")
        render(home, size_px)
        return [render(home, size_px) for _ in range(runs)]
    finally:
        farm(home, "down", "--now")
        shutil.rmtree(home, ignore_errors=True)


def told(name: str, runs: list[Times]) -> bool:
    """Print the medians; whether all are within their floors."""
    medians = {what: round(statistics.median(one[what] for one in runs), 1) for what in runs[0]}
    floors = FLOORS[name]
    each = {what: [round(one[what], 1) for one in runs] for what in runs[0]}
    print(json.dumps({name: {"median s": medians, "floor s": floors, "each": each}}))
    return all(medians[what] <= floor for what, floor in floors.items())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cold_start", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("fresh", "warm"))
    given = parser.parse_args()
    good = True
    if given.only != "warm":
        good &= told("fresh home", [fresh(given.size) for _ in range(given.runs)])
    if given.only != "fresh":
        good &= told("farm up", warm(given.size, given.runs))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
