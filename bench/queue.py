"""Twenty jobs at once with room for two: do all complete, in order, never more than two at a time, in flat memory?"""

import argparse
import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.farms import bench_farm, wait_until_ended
from farm.domain.request import parse_request
from farm.home import process
from farm.home.folder import MARK
from farm.render.prepare import prepare

EXAMPLE = Path(__file__).parent.parent / "examples" / "tidewater-badge.png"


def memory_mb(home: Path) -> dict[str, int]:
    """Resident memory of the farm's processes by name, Ray's own left out."""
    found: dict[str, int] = {}
    for identity in process.marked(MARK, str(home)):
        folder = Path("/proc") / str(process.pid_of(identity))
        try:
            name = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().split(" job_")[0].strip()
            pages = int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it ended while we looked
        for known in ("CoordinatorActor", "ray::IDLE", "valkey-server", "farm.actors.host"):
            if known in name:
                found[known] = max(found.get(known, 0), pages * 4096 // 1_000_000)
    return found


async def measure(jobs: int, room: int, views: int, size_px: int) -> dict[str, Any]:
    """Submit all at once and look at the records afterwards."""
    async with bench_farm(concurrent_jobs=str(room)) as (farm, _):
        request = parse_request({"size": size_px, "samples": 1})
        prepared = await asyncio.to_thread(prepare, farm.settings, request, [EXAMPLE.read_bytes()])
        prepared.request["views"][views:] = []
        first = (await farm.service.submit(prepared))["id"]
        await wait_until_ended(farm, [first])
        before = memory_mb(farm.settings.home)
        ids = [(await farm.service.submit(prepared))["id"] for _ in range(jobs)]
        records: list[dict[str, Any]] = list(await wait_until_ended(farm, ids))
        await asyncio.sleep(1)
        after = memory_mb(farm.settings.home)
    spans = [
        tuple(datetime.fromisoformat(record[name]) for name in ("started_at", "finished_at")) for record in records
    ]
    most = max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)
    starts = [start for start, _ in spans]
    return {
        "jobs": jobs,
        "completed": sum(record["status"] == "completed" for record in records),
        "most_at_once": most,
        "first_in_first_out": starts == sorted(starts),
        "memory_mb_before": before,
        "memory_mb_after": after,
        "wall_s": round((max(end for _, end in spans) - min(starts)).total_seconds(), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--room", type=int, default=2)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--size", type=int, default=128)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(measure(chosen.jobs, chosen.room, chosen.views, chosen.size)), indent=1))


if __name__ == "__main__":
    main()
