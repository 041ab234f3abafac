"""What the farm adds to rendering: a warm farm against its own Cycles seconds, and against one fresh Blender per job.

Efficiency: four consecutive six-view jobs on a warm farm; Cycles' own render seconds over wall seconds x slots.
Against fresh: the same jobs, each by one fresh Blender process that renders the six views in sequence, without farm.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.farms import bench_farm, wait_until_ended
from blender.protocol import PanelPrint, ViewOrder
from farm.domain.request import parse_request
from farm.domain.view import ALL_VIEWS
from farm.render.prepare import prepare
from farm.settings import Settings

EXAMPLE = Path(__file__).parent.parent / "examples" / "nordlys.png"


async def warm_farm(jobs: int, size_px: int, slots: int) -> dict[str, Any]:
    """Run one job to warm up, then ``jobs`` one after another."""
    threads = max(1, (os.cpu_count() or 1) // slots)
    async with bench_farm(render_slots=str(slots), render_threads=str(threads)) as (farm, _):
        request = parse_request({"size": size_px})
        prepared = await asyncio.to_thread(prepare, farm.settings, request, [EXAMPLE.read_bytes()])

        async def run() -> dict[str, Any]:
            accepted = await farm.service.submit(prepared)
            return (await wait_until_ended(farm, [accepted["id"]]))[0]

        await run()
        begin = time.perf_counter()
        records = [await run() for _ in range(jobs)]
        wall_s = time.perf_counter() - begin
        if any(record["status"] != "completed" for record in records):
            raise SystemExit(f"a job failed: {[record['error'] for record in records]}")
        reports = [view["report"] for record in records for view in record["views"]]
        return {
            "slots": slots,
            "threads": threads,
            "wall_s_per_job": round(wall_s / jobs, 2),
            "render_s_per_view": round(statistics.median(report["render_s"] for report in reports), 2),
            "efficiency": round(sum(report["render_s"] for report in reports) / (wall_s * slots), 3),
            "peak_memory_mb": round(max(report["peak_rss_bytes"] for report in reports) / 1e6),
        }


def fresh_blender(jobs: int, size_px: int) -> dict[str, Any]:
    """One process per job, all cores, the six views in sequence."""
    with tempfile.TemporaryDirectory() as folder:
        texture = Path(folder) / "front.png"
        texture.write_bytes(EXAMPLE.read_bytes())
        template = str(Settings.load({"FARM_HOME": folder}).templates_folder / "crew-tee")
        print_ = PanelPrint(panel="front", path=str(texture), x_cm=-11.25, y_cm=8, width_cm=22.5, height_cm=28)
        orders = [
            ViewOrder(
                template=template,
                view=str(view),
                prints=(print_,),
                width_px=size_px,
                height_px=size_px,
                out=str(Path(folder) / f"{view}.png"),
            )
            for view in ALL_VIEWS
        ]
        files = []
        for order in orders:
            file = Path(folder) / f"{order.view}.json"
            file.write_text(order.to_json())
            files.append(str(file))
        times = []
        for _ in range(jobs):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-m", "bench.fresh_blender", *files], check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - begin)
        return {"wall_s_per_job": round(statistics.median(times), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--fresh-jobs", type=int, default=2)
    chosen = parser.parse_args()
    warm = asyncio.run(warm_farm(chosen.jobs, chosen.size, chosen.slots))
    fresh = fresh_blender(chosen.fresh_jobs, chosen.size)
    ratio = round(fresh["wall_s_per_job"] / warm["wall_s_per_job"], 2)
    print(
        json.dumps(
            {"size_px": chosen.size, "warm_farm": warm, "fresh_blender": fresh, "fresh_over_warm": ratio}, indent=1
        )
    )


if __name__ == "__main__":
    main()
