"""Seconds from a command to its first traced picture: on a fresh home, with a farm up (twice), and by Blender alone.

Relit ones are measured by ``python -m bench.cold_start``.

The command is the one a newcomer types, as a process of its own; its own lines say when each phase was over. Then, on a
fresh home each, three times: seconds from `farm serve` until `/readyz` says so (alone: ``--only serve``).
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from blender.protocol import ViewOrder
from farm.settings import Settings

EXAMPLE = Path(__file__).parent.parent / "examples" / "nordlys.png"
PORT = 8796
_LINE = re.compile(r"\[\s*([\d.]+) s\] (.*)")
_PHASES = {"design read": "design read", "store:": "store", "Ray:": "ray", "coordinators:": "coordinators"}


def farm(*arguments: str, home: Path) -> str:
    """Run a command of the farm and return what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "farm.cli", *arguments]
    done = subprocess.run(
        command,
        env={**environment, "FARM_HOME": str(home), "FARM_CACHE_DAYS": "0"},
        check=True,
        text=True,
        capture_output=True,
    )
    return done.stdout + done.stderr


def timed_render(home: Path, size_px: int) -> dict[str, Any]:
    """One six-view job by the command line: when each phase was over, in seconds after the command."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        said = farm("render", str(EXAMPLE), "--size", str(size_px), "--engine", "cycles", "-o", folder, home=home)
        total_s = time.perf_counter() - begin
    figures: dict[str, Any] = {}
    for at_s, text in _LINE.findall(said):
        for words, name in _PHASES.items():
            if text.startswith(words):
                figures[name] = float(at_s)
        if "pending" in text or "compositing" in text:
            figures.setdefault("accepted", float(at_s))
        if "first picture" in text:
            figures["first picture"] = float(at_s)
    return {**figures, "all pictures": round(total_s, 1)}


def blender_alone(size_px: int) -> dict[str, float]:
    """One view by ``python -m blender``."""
    with tempfile.TemporaryDirectory() as folder:
        templates = Settings.load({"FARM_HOME": folder}).templates_folder
        out = Path(folder) / "front_0deg.png"
        order = ViewOrder(
            template=str(templates / "crew-tee"),
            view="front_0deg",
            width_px=size_px,
            height_px=size_px,
            out=str(out),
        )
        file = Path(folder) / "view.json"
        file.write_text(order.to_json())
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "blender", str(file)], check=True, capture_output=True)
        return {"first picture": round(time.perf_counter() - begin, 1)}


def timed_serve() -> float:
    """Seconds from ``farm serve`` on a fresh home until it is ready."""
    home = Path(tempfile.mkdtemp(prefix="farm-startup-"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "farm.cli", "serve", "--port", str(PORT)]
    begin = time.perf_counter()
    with (home / "said").open("wb") as said:
        service = subprocess.Popen(command, env={**environment, "FARM_HOME": str(home)}, stdout=said, stderr=said)
    try:
        while True:
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{PORT}/readyz", timeout=10).is_success:
                    return round(time.perf_counter() - begin, 1)
            if service.poll() is not None:
                raise SystemExit((home / "said").read_text())
            time.sleep(0.05)
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(60)
        farm("down", "--now", home=home)
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--only", choices=("render", "serve"))
    chosen = parser.parse_args()
    if chosen.only != "serve":
        print(json.dumps({"size_px": chosen.size, "seconds": until_pictures(chosen.size)}, indent=1))
    if chosen.only != "render":
        took = [timed_serve() for _ in range(3)]
        print(json.dumps({"farm serve, until ready": {"seconds": took, "median": statistics.median(took)}}))


def until_pictures(size_px: int) -> dict[str, Any]:
    """All of them, on one home."""
    home = Path(tempfile.mkdtemp(prefix="farm-startup-"))
    try:
        figures: dict[str, Any] = {"fresh home": timed_render(home, size_px)}
        farm("up", home=home)
        try:
            figures["farm up, first command"] = timed_render(home, size_px)
            figures["farm up, second command"] = timed_render(home, size_px)
        finally:
            farm("down", home=home)
        figures["python -m blender, one view"] = blender_alone(size_px)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return figures


if __name__ == "__main__":
    main()
