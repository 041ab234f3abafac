"""A catalogue from end to end: real farm, real bakes, generated designs; then again unchanged, and with some changed.

Figures: rows a second, processor seconds a row, memory of every process over time, bytes in Redis and objects a row.
Checked row by row: each is in the report once, its pictures are there whole, its product shows one set of them.

    python -m bench.catalogue --rows 1000                       # front view, 256 px, JPEG
    python -m bench.catalogue --rows 500 --size 1024 --views all
    python -m bench.catalogue --plan 1000000                    # planning alone
"""

import argparse
import asyncio
import csv
import hashlib
import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

from bench.designs import design, write_designs
from bench.farms import bench_farm, provide_bake
from bench.processes import Sampler
from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.adapters.report_file import open_report
from farm.domain.ids import DEFAULT_TENANT
from farm.domain.view import ALL_VIEWS
from farm.render.catalog.columns import Reading, rows_of
from farm.render.catalog.plan import Planner
from farm.render.catalog.report import ReportRow
from farm.render.catalog.row import Fault, Row
from farm.wiring import Farm, NoWorkers

COLOURS = ("white", "black", "navy", "red", "heather-grey", "forest")
LINES = ("classic", "summer", "kids", "team")
SAMPLE = 200
"""Rows whose pictures and products are looked at one by one."""


def write_manifest(path: Path, rows: int, names: list[str], **fields: Any) -> None:
    """A manifest over the designs, each row with a product of its own, in product lines that have a colour each."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["product_id", "design", "fabric_color", "line", *fields])
        for number in range(rows):
            line = LINES[number % len(LINES)]
            colour = COLOURS[(number // len(names) + number) % len(COLOURS)]
            writer.writerow([f"{line}-{number:07d}", names[number % len(names)], colour, line, *fields.values()])


def items(path: Path, settings: Any, designs: Path) -> Iterator[Row | Fault]:
    with open_manifest(str(path), Designs.of(settings), base=designs.as_uri() + "/") as manifest:
        reading = Reading(base=manifest.base)
        for number, cells in manifest.lines():
            if isinstance(cells, Fault):
                yield cells
            else:
                yield from rows_of(number, {name: cell for name, cell in cells.items() if name != "line"}, reading)


async def run_once(farm: Farm, name: str, manifest: Path, designs: Path, report: Path, home: Path) -> dict[str, Any]:
    """One run, measured."""
    before = (await farm.redis.info("memory"))["used_memory"]
    sampler = Sampler(home)
    with sampler:
        began = time.perf_counter()
        run = await farm.catalogues.start(items(manifest, farm.settings, designs), name=name, manifest=str(manifest))
        accepted_s = time.perf_counter() - began
        while run["finished_at"] is None:
            await asyncio.sleep(0.1)
            run = await farm.catalogues.get(run["id"])
        total_s = time.perf_counter() - began
    with open_report(report) as sink:
        rows: list[ReportRow] = []
        async for part in (await farm.catalogues.report(run["id"])).parts():
            sink.add(part)
            rows += part
    seen = Counter((row.row, row.variant) for row in rows)
    if len(seen) != run["rows"] or set(seen.values()) != {1}:
        raise SystemExit(
            f"{name}: {len(seen)} of {run['rows']} rows are in the report, some {max(seen.values())} times"
        )
    after = (await farm.redis.info("memory"))["used_memory"]
    cpu = sampler.cpu_s()
    await check_rows(farm, rows)
    return {
        "name": name,
        "rows": run["rows"],
        "completed": run["counts"]["completed"],
        "failed": run["counts"]["failed"],
        "cached": run["counts"]["cached"],
        "codes": run["counts"]["codes"],
        "accepted_s": round(accepted_s, 2),
        "seconds": round(total_s, 2),
        "rows_per_s": round(run["rows"] / total_s, 2),
        "work_s_per_row": round(run["counts"]["seconds"] / run["rows"], 4),
        "cpu_s_per_row": round(sum(cpu.values()) / run["rows"], 4),
        "cpu_s": cpu,
        "redis_bytes_per_row": round((after - before) / run["rows"]),
        "memory_mb": sampler.memory_mb(),
        "failed_rows": sorted(row.row for row in rows if row.status != "completed"),
        "rendered_rows": sorted(row.row for row in rows if row.status == "completed" and not row.cached),
        "cost": run["counts"]["cost"],
    }


async def check_rows(farm: Farm, rows: list[ReportRow]) -> None:
    """Of some rows: the job is completed, its pictures are whole, its product shows exactly them."""
    for row in Random(7).sample(rows, min(SAMPLE, len(rows))):
        if row.status != "completed":
            continue
        job = await farm.service.get(str(row.job_id))
        for artifact in job["artifacts"]:
            data = farm.store.get(artifact["key"], sha256=artifact["sha256"])
            if hashlib.sha256(data).hexdigest() != artifact["sha256"]:
                raise SystemExit(f"row {row.row}: a picture is not the one in its record")
        product = await farm.catalog.get_product(DEFAULT_TENANT, str(row.product_id))
        shown = [entry.job_id for entry in product.media if entry.fabric_color == row.fabric_color] if product else []
        if shown != [row.job_id] * len(row.outputs):
            raise SystemExit(f"row {row.row}: product {row.product_id} shows {shown}")


async def measure(chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """First run, second run, some designs changed, one product line in another colour."""
    designs, manifest = work / "designs", work / "catalogue.csv"
    names = write_designs(designs, chosen.designs or max(8, chosen.rows // 2), longest_px=chosen.design_px)
    views = "|".join(ALL_VIEWS) if chosen.views == "all" else chosen.views
    fields = {"engine": chosen.engine, "size": chosen.size, "format": chosen.format, "views": views}
    write_manifest(manifest, chosen.rows, names, **fields)
    async with bench_farm(cache_days=chosen.cache_days) as (farm, _):
        home = farm.settings.home
        if chosen.engine != "cycles":
            provide_bake(home, chosen.bakes, chosen.size)
        await warm_up(farm, names[:2], designs, fields, work)
        runs = [await run_once(farm, "first", manifest, designs, work / "first.parquet", home)]
        if not chosen.first_only:
            runs.append(await run_once(farm, "again", manifest, designs, work / "again.parquet", home))
            changed = set(range(0, len(names), 100))
            for number in changed:
                (designs / names[number]).write_bytes(design(number, salt=1, longest_px=chosen.design_px))
            runs.append(await run_once(farm, "1 % changed", manifest, designs, work / "changed.parquet", home))
            wanted = [row for row in range(1, chosen.rows + 1) if (row - 1) % len(names) in changed]
            runs[-1]["exactly_these"] = exactly(runs, wanted)
            text = manifest.read_text().splitlines()
            coloured = [line for line in range(1, len(text)) if f",{LINES[1]}," in text[line]]
            for line in coloured:
                cells = text[line].split(",")
                text[line] = ",".join([*cells[:2], "maroon", *cells[3:]])
            manifest.write_text("\n".join(text) + "\n")
            runs.append(await run_once(farm, "one line maroon", manifest, designs, work / "maroon.parquet", home))
            runs[-1]["exactly_these"] = exactly(runs, coloured)
        audit = (await farm.audit()).to_dict() if chosen.audit else None
    for run in runs:
        run["rendered_rows"], run["failed_rows"] = len(run["rendered_rows"]), len(run["failed_rows"])
    return {"cores": os.cpu_count(), "designs": len(names), "runs": runs, "audit": audit}


def exactly(runs: list[dict[str, Any]], wanted: list[int]) -> bool:
    """Whether the last run rendered the wanted rows and no other; rows that had failed before are tried again too."""
    rendered, failed = set(runs[-1]["rendered_rows"]), set(runs[-1]["failed_rows"])
    before = set(runs[-2]["failed_rows"])
    return set(wanted) <= rendered | failed and rendered | failed <= set(wanted) | before


async def warm_up(farm: Farm, names: list[str], designs: Path, fields: dict[str, Any], work: Path) -> None:
    """Two rows ahead: actor, workers and compiled loops are then there, as in the middle of any catalogue."""
    path = work / "warm-up.csv"
    write_manifest(path, 4, names, **fields)
    text = path.read_text().replace("-000", "-warm")
    path.write_text(text)
    run = await farm.catalogues.start(items(path, farm.settings, designs), name="warm-up", manifest=str(path))
    while run["finished_at"] is None:
        await asyncio.sleep(0.1)
        run = await farm.catalogues.get(run["id"])


async def plan(chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Planning alone: seconds and memory, over a manifest of so many rows and a handful of designs."""
    designs, manifest = work / "designs", work / "catalogue.csv"
    names = write_designs(designs, 64, longest_px=300)
    fields = {"engine": "cycles", "size": chosen.size, "format": chosen.format}
    write_manifest(manifest, chosen.plan, names, **fields)
    async with bench_farm() as (farm, _):
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        planner = Planner(farm.kit(NoWorkers(), NoWorkers()), tenant=DEFAULT_TENANT, cores=os.cpu_count() or 1)
        found = await planner.plan(items(manifest, farm.settings, designs))
        after = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "rows": found.rows,
            "to_render": found.to_render,
            "bad": found.bad,
            "seconds": round(time.perf_counter() - began, 1),
            "rows_per_s": round(found.rows / (time.perf_counter() - began)),
            "memory_before_mb": round(before.ru_maxrss / 1000),
            "memory_most_mb": round(after.ru_maxrss / 1000),
            "manifest_mb": round(manifest.stat().st_size / 1e6),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--designs", type=int, default=0, help="different designs; 0: one for two rows")
    parser.add_argument("--design-px", type=int, default=1200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", default="front_0deg", help="with |, or all")
    parser.add_argument("--format", default="jpeg")
    parser.add_argument("--engine", default="relight")
    parser.add_argument("--bakes", type=Path, help="bakes of another farm (its objects/bakes), to save baking")
    parser.add_argument("--cache-days", default="0", help="keep pictures for equal work: what does that cost a row?")
    parser.add_argument("--first-only", action="store_true")
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--plan", type=int, default=0, help="only plan so many rows")
    parser.add_argument("--keep", help="work in this folder and leave it")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    folder = nullcontext(chosen.keep) if chosen.keep else tempfile.TemporaryDirectory(prefix="farm-catalogue-")
    with folder as work:
        Path(work).mkdir(parents=True, exist_ok=True)
        figures = asyncio.run((plan if chosen.plan else measure)(chosen, Path(work).absolute()))
    if chosen.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        if name != "runs":
            print(f"{name:24} {value}")
    for run in figures.get("runs", ()):
        print()
        for name, value in run.items():
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
