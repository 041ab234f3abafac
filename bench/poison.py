"""A node on which Blender always crashes, among three: jobs complete, and the node is left alone and shown as sick.

Each of three nodes has a GPU that exists on paper and renders on the CPU. On one of them what is imported as ``bpy``
kills the process at once (SIGSEGV), as a broken driver would. Jobs of small pictures come one after the other. Shown:
that every job completes, how many attempts failed, after how many failures all jobs leave the node alone, what the API
says of it, and that later jobs have no failed attempt at all.

    python -m bench.poison [--jobs 6] [--pictures FOLDER]

With --pictures the cluster page is photographed at the end (Chromium: scripts/browser.sh install).
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.nodes import EXAMPLE, Raylets, farm_on, fresh_home, page_of
from farm.adapters.redis_board import RedisBoard
from farm.domain.request import parse_request
from farm.render.overview import Overview
from farm.render.prepare import prepare
from farm.saga.clock import SystemClock
from farm.wiring import Farm

NODES = 3
POISON = "import os, signal\n\nos.kill(os.getpid(), signal.SIGSEGV)\n"


def poisoned(home: Path) -> dict[str, str]:
    """The environment of a node whose Blender crashes as soon as it is opened."""
    folder = home / "poison"
    folder.mkdir()
    (folder / "bpy.py").write_text(POISON)
    return {"PYTHONPATH": os.pathsep.join((str(folder), os.environ["PYTHONPATH"]))}


async def run(jobs: int, pictures: Path | None) -> dict[str, Any]:
    """The whole story; its figures."""
    with fresh_home() as home:
        raylets = Raylets(home, NODES - 1)  # in the main thread: its processes end with the thread that starts them
        try:
            bad = raylets.add(env_vars=poisoned(home))
            async with farm_on(raylets, home) as (farm, store_url), page_of(farm, store_url, pictures) as picture:
                found = await _story(farm, bad, jobs)
                await picture("poison")
                return found
        finally:
            raylets.close()


async def _story(farm: Farm, bad: str, jobs: int) -> dict[str, Any]:
    told = []
    for number in range(jobs):
        colour = f"#{number:02x}8060"  # each has its own: nothing may come from the cache
        wanted = {"size": 96, "samples": 1, "engine": "cycles", "fabric_color": colour, "product_id": "tee"}
        prepared = await asyncio.to_thread(prepare, farm.settings, parse_request(wanted), [EXAMPLE.read_bytes()])
        job = (await farm.service.submit(prepared))["id"]
        async for _ in farm.service.follow(job):
            pass
        record = await farm.service.get(job)
        state = next((one for one in await farm.nodes.list() if one.node_id == bad), None)
        told.append(
            {
                "status": record["status"],
                "failed_attempts": sum(view["attempts"] - 1 for view in record["views"]),
                "failures_of_the_node": state.failed if state else 0,
                "sick": state is not None and state.sick_until_s is not None,
            }
        )
        print(f"  job {number + 1}: {told[-1]}", flush=True)
    overview = Overview(sagas=farm.sagas, board=RedisBoard(farm.redis), clock=SystemClock())
    await asyncio.sleep(3)  # the board is written every two seconds
    shown = {node["id"]: node for node in (await overview.look())["nodes"]}
    sick_at = next((n for n, one in enumerate(told) if one["sick"]), jobs)
    return {
        "jobs": told,
        "limit": farm.settings.node_failures,
        "jobs_until_the_node_was_sick": sick_at + 1,
        "failed_attempts_after_that": sum(one["failed_attempts"] for one in told[sick_at + 1 :]),
        "api": {name: shown[bad][name] for name in ("avoided", "ailment", "trouble")},
        "others": [node["ailment"] for node_id, node in shown.items() if node_id != bad],
        "findings_of_the_audit": len((await farm.audit()).findings),
    }


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--pictures", type=Path, help="photograph the cluster page into this folder")
    arguments = parser.parse_args()
    found = asyncio.run(run(arguments.jobs, arguments.pictures))
    print(json.dumps(found, indent=2))
    good = (
        all(job["status"] == "completed" for job in found["jobs"])
        and found["api"]["avoided"]
        and not found["failed_attempts_after_that"]
        and not any(found["others"])
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
