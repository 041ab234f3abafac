"""Jobs per second through the durable journal: real actor, real store with an fsync per append, steps without effects.

All seven steps of every job are journaled; the submission of a job returns once its first entry is on disk.
"""

import argparse
import asyncio
import hashlib
import json
import os
import time

from bench.farms import bench_farm
from farm.domain.request import parse_request
from farm.render.prepare import Prepared, PreparedDesign, normalise


def job(saga: str) -> Prepared:
    """A job whose design is never looked at."""
    data = b"no design"
    return Prepared(
        request=normalise(parse_request({"saga": saga}), ()),
        designs=(PreparedDesign(data=data, sha256=hashlib.sha256(data).hexdigest(), width_px=1, height_px=1),),
        template={"id": "none", "version": "0", "hash": ""},
        warnings=(),
    )


async def measure(jobs: int, saga: str, shards: int, in_flight: int) -> dict[str, float]:
    """Submit, wait, count."""
    async with bench_farm(null_effects="1", shards=str(shards), concurrent_jobs=str(in_flight)) as (farm, _):
        prepared = job(saga)
        gate = asyncio.Semaphore(64)

        async def submit() -> str:
            async with gate:
                return str((await farm.service.submit(prepared))["id"])

        await asyncio.gather(*(submit() for _ in range(20)))
        while await farm.service.live_count():
            await asyncio.sleep(0.05)
        begin = time.perf_counter()
        await asyncio.gather(*(submit() for _ in range(jobs)))
        accepted_s = time.perf_counter() - begin
        while await farm.service.live_count():
            await asyncio.sleep(0.02)
        total_s = time.perf_counter() - begin
        done = await farm.sagas.records.count({"status": "completed"})
        info = await farm.redis.info("memory")
        if done != jobs + 20:
            raise SystemExit(f"{done} of {jobs + 20} jobs completed")
        return {
            "jobs": jobs,
            "accepted_per_s": round(jobs / accepted_s, 1),
            "jobs_per_s": round(jobs / total_s, 1),
            "store_bytes_per_ended_job": round(info["used_memory"] / (jobs + 20)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1500)
    parser.add_argument("--saga", default="granular", choices=("granular", "simple"))
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=128)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    figures = asyncio.run(measure(chosen.jobs, chosen.saga, chosen.shards, chosen.in_flight))
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{os.cpu_count()} cores, {chosen.shards} shard(s), {chosen.saga} saga")
    for name, value in figures.items():
        print(f"{name:28} {value:>10}")


if __name__ == "__main__":
    main()
