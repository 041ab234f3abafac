"""How near a plan's estimate comes: ``python -m bench.estimate [--bakes FOLDER]``.

On one farm, catalogues of three kinds, one after the other, each planned and then run: fronts at 256 px, six views at
512 px, seventeen fabrics of few designs at 1024 px. What was planned before anything was learned is told too.
"""

import argparse
import asyncio
import csv
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.catalogue import items
from bench.designs import write_designs
from bench.farms import bench_farm, provide_bake
from bench.processes import Sampler
from farm.domain.colour import FABRIC_NAMES
from farm.domain.ids import DEFAULT_TENANT
from farm.domain.view import ALL_VIEWS
from farm.render.catalog.plan import Planner
from farm.wiring import Farm, NoWorkers

SIX = "|".join(ALL_VIEWS)
HEAD = ("catalogue", "pictures", "planned, s", "took, s", "planned ÷ took", "CPU s a picture")
KINDS: dict[str, dict[str, Any]] = {
    "fronts, 256 px": {"rows": 4, "size": 256, "views": "front_0deg", "fabric_color": "white"},
    "six views, 512 px": {"rows": 1, "size": 512, "views": SIX, "fabric_color": "navy"},
    "17 fabrics, six views, 1024 px": {
        "rows": 1 / 17,
        "size": 1024,
        "views": SIX,
        "fabric_color": "|".join(list(FABRIC_NAMES)[:17]),
    },
}
"""``rows`` of the manifest for each of the scale."""


def write(path: Path, names: list[str], kind: dict[str, Any], scale: int, name: str) -> None:
    fields = {key: value for key, value in kind.items() if key != "rows"}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["product_id", "design", "engine", "format", *fields])
        for number in range(max(1, round(scale * kind["rows"]))):
            writer.writerow([f"{name}-{number}", names[number % len(names)], "relight", "jpeg", *fields.values()])


async def go(farm: Farm, name: str, manifest: Path, designs: Path) -> tuple[float, float, float, int]:
    """Plan and run; the seconds planned and taken, the CPU seconds of all processes, and the pictures."""
    planner = Planner(farm.kit(NoWorkers(), NoWorkers()), tenant=DEFAULT_TENANT, cores=os.cpu_count() or 1)
    found = await planner.plan(items(manifest, farm.settings, designs))
    sampler = Sampler(farm.settings.home)
    with sampler:
        began_s = time.monotonic()
        run = await farm.catalogues.start(items(manifest, farm.settings, designs), name=name, manifest=str(manifest))
        while run["finished_at"] is None:
            await asyncio.sleep(0.1)
            run = await farm.catalogues.get(run["id"])
        took_s = time.monotonic() - began_s
    if run["counts"]["completed"] != run["rows"]:
        raise SystemExit(f"{name}: {run['counts']}")
    return found.seconds, took_s, sum(sampler.cpu_s().values()), found.views


async def measure(chosen: argparse.Namespace, work: Path) -> None:
    names = write_designs(work / "designs", 60, longest_px=1200)
    async with bench_farm() as (farm, _):
        provide_bake(farm.settings.home, chosen.bakes, 1024)
        print("| " + " | ".join(HEAD) + " |\n| --- " + "| ---: " * (len(HEAD) - 1) + "|")
        for turn, scale in (("first of its kind", chosen.first), ("learned", chosen.rows)):
            for kind, fields in KINDS.items():
                manifest = work / f"{turn}-{fields['size']}.csv"
                write(manifest, names, fields, scale, turn.partition(" ")[0])
                planned_s, took_s, cpu_s, pictures = await go(farm, turn, manifest, work / "designs")
                figures = f"{planned_s:.1f} | {took_s:.1f} | {planned_s / took_s:.2f} | {cpu_s / pictures:.3f}"
                print(f"| {kind}, {turn} | {pictures} | {figures} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bakes", type=Path, help="bakes of another farm (its objects/bakes), to save baking")
    parser.add_argument("--first", type=int, default=20, help="scale of the first catalogues")
    parser.add_argument("--rows", type=int, default=60, help="scale of those that are judged")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farm-estimate-") as folder:
        asyncio.run(measure(chosen, Path(folder)))


if __name__ == "__main__":
    main()
