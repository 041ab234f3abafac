"""Does a warm Blender grow? Two hundred renders of mixed designs, panels, colours, sides and sizes in one process.

Told after 20, 50, 100 and 200 renders: memory held, images that Blender keeps, files left in the temporary folder.
With ``--farm`` also on a farm with real Ray, whose workers are replaced after so many renders: processes, views each.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.farms import bench_farm, wait_until_ended
from bench.scenes import honest
from bench.studio import CREW_TEE, ROOT, Studio
from farm.domain.request import parse_request
from farm.render.prepare import prepare

MARKS = (20, 50, 100, 150, 200)
MOST_GROWTH_BYTES = 60_000_000
"""From the fiftieth render to the last. By then every size has been rendered and every allocator has what it keeps."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def soak(template: Path, renders: int, threads: int) -> dict[str, Any]:
    """Render so many scenes in this process and note what it holds on the way."""
    import bpy

    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        before = resident_bytes()
        studio = Studio(Path(folder) / "pictures", template, threads)
        begin = time.perf_counter()
        session = studio.session()
        open_s = time.perf_counter() - begin
        scenes = honest(studio, 200)
        # The largest first: what comes later is growth, and not a larger picture.
        scenes.sort(key=lambda scene: -scene.size_px)
        scenes = scenes[:4] + sorted(scenes[4:], key=lambda scene: scene.name)
        rows = []
        for number in range(1, renders + 1):
            scene = scenes[(number - 1) % len(scenes)]
            order = studio.order(scene)
            studio.render(order, afresh=True)
            Path(order.out).unlink()
            for printed in order.prints:
                Path(printed.path).unlink(missing_ok=True)
            if number in MARKS or number == renders:
                gc.collect()
                rows.append(
                    {
                        "renders": number,
                        "resident_mb": round(resident_bytes() / 1e6),
                        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
                        "images": len(bpy.data.images),
                        "datablocks": sum(len(kind) for kind in (bpy.data.meshes, bpy.data.materials, bpy.data.worlds)),
                        "temporary_files": sum(1 for one in Path(folder).rglob("*") if one.is_file()),
                    }
                )
        again = time.perf_counter()
        studio.close()
        del session
        second = Studio(Path(folder) / "pictures", template, threads)
        second.session()
        reopen_s = time.perf_counter() - again
        second.close()
        left = sum(1 for one in Path(folder).rglob("*") if one.is_file())
    return {
        "first_open_s": round(open_s, 2),
        "close_and_open_again_s": round(reopen_s, 2),
        "started_with_mb": round(before / 1e6),
        "marks": rows,
        "temporary_files_after": left,
    }


async def on_farm(jobs: int, recycle: int) -> dict[str, Any]:
    """Six-view jobs on one slot of real Ray whose workers are replaced after ``recycle`` views."""
    async with bench_farm(render_slots="1", recycle_renders=str(recycle)) as (farm, _):
        design = (ROOT / "examples" / "tidewater-badge.png").read_bytes()
        request = parse_request({"size": 128, "samples": 1})
        prepared = await asyncio.to_thread(prepare, farm.settings, request, [design])
        accepted = [(await farm.service.submit(prepared))["id"] for _ in range(jobs)]
        records: list[Any] = await wait_until_ended(farm, accepted)
        reports = [view["report"] for record in records for view in record["views"]]
        views = Counter(str(report["process"]) for report in reports)
        return {
            "jobs": jobs,
            "completed": sum(record["status"] == "completed" for record in records),
            "views": len(reports),
            "recycle_renders": recycle,
            "processes": len(views),
            "most_views_of_a_process": max(views.values()),
            "peak_mb": round(max(report["peak_rss_bytes"] for report in reports) / 1e6),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=200)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--template", type=Path, default=CREW_TEE)
    parser.add_argument("--farm", action="store_true", help="also replace workers on real Ray")
    chosen = parser.parse_args()
    figures = soak(chosen.template, chosen.renders, chosen.threads)
    if chosen.farm:
        figures["farm"] = asyncio.run(on_farm(4, 5))
    print(json.dumps(figures, indent=1))
    settled = next((row for row in figures["marks"] if row["renders"] >= 50), figures["marks"][-1])
    grown = (figures["marks"][-1]["resident_mb"] - settled["resident_mb"]) * 1e6
    return 1 if grown > MOST_GROWTH_BYTES or figures["temporary_files_after"] else 0


if __name__ == "__main__":
    sys.exit(main())
