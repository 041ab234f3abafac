"""What a round of the sweep costs with many ended jobs in the store: seconds, questions to the store, objects listed.

Run with `python -m bench.sweep [--jobs 100000] [--due 1000]`. A real Valkey with synthetic records of six views, packed
as those of ended jobs are; the object store is an empty folder, so what is measured is the sweep and the journal's
store. On S3 each job that is looked at costs two listings more, a few milliseconds each.
"""

import argparse
import asyncio
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.file_store import FileStore
from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.redis_journal import dumps, open_redis
from farm.adapters.redis_records import index_name, packed
from farm.domain.event import rfc3339
from farm.domain.ids import new_job_id
from farm.domain.view import View
from farm.render.ports import ObjectInfo
from farm.render.steps.parts import Parts
from farm.render.sweep import ADOPTED, Sweep
from farm.saga.clock import FakeClock
from farm.settings import Settings
from farm.wiring import NoWorkers

DAY_S = 86_400.0
OVER_S = 30 * DAY_S
"""The jobs ended evenly over so long before now."""


class Shelves(FileStore):
    """Counts how often it is listed."""

    listed = 0

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self.listed += 1
        return super().list(prefix)


def record(job_id: str, ended_s: float) -> dict[str, Any]:
    """Of an ended job of six views, about as long as a real one."""
    out = [f"t/default/jobs/{job_id}/out/{view}.png" for view in View]
    artifacts = [
        {"name": key.rpartition("/")[2], "key": key, "sha256": random.randbytes(32).hex(), "kind": "still"}
        for key in out
    ]
    views = [
        {"view": view, "status": "done", "progress": 1.0, "seconds": 12.5, "url": key}
        for view, key in zip(View, out, strict=True)
    ]
    return {
        "id": job_id,
        "tenant": "default",
        "status": "completed",
        "phase": "ended",
        "product_id": f"tee-{job_id[-6:]}",
        "request": {"views": list(View), "size": 1024, "fabric_color": "#ffffff", "media": "replace"},
        "designs": ["0" * 64],
        "views": views,
        "artifacts": artifacts,
        "outputs": {item["name"]: item["key"] for item in artifacts},
        "created_at": rfc3339(ended_s - 90),
        "finished_at": rfc3339(ended_s),
        "superseded": [],
        "compensation_pending": False,
        "run": None,
    }


_FILL = """
local first, count, ended, every = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local rec, ix = ARGV[5], ARGV[6]
for n = 0, count - 1 do
  local id, at = string.format('job_%026d', first + n), string.format('%.3f', ended + n * every)
  redis.call('HSET', 'farm:s:' .. id, 'seq', 20, 'epoch', 1, 'exp', 0, 'live', 0, 'ord', 1, 'score', at, 'evn', 12,
    'ix', ix, 'rec', rec)
  redis.call('RPUSH', 'farm:j:' .. id, '[20,' .. at .. ',"completed",null,0,1,{}]')
  for _, name in ipairs({'all', 'ix:status:completed', 'ix:tenant:default'}) do
    redis.call('ZADD', 'farm:' .. name, at, id)
  end
end
"""


def fill(client: redis.Redis, jobs: int, due: int, now_s: float) -> None:
    """Put ended jobs into the store as it would hold them, but for their events.

    Those that a round will look at have a record of their own; the others share one.
    """
    index = dumps(sorted([index_name("status", "completed"), index_name("tenant", "default")]))
    begins_s, every_s = now_s - OVER_S - 7200, OVER_S / jobs
    shared = packed(dumps(record(new_job_id(0), now_s)))
    for first in range(0, jobs, 2000):
        count = min(2000, jobs - first)
        client.eval(_FILL, 0, first, count, begins_s + first * every_s, every_s, shared, index)
    looked_at = {*range(min(due, jobs)), *range(max(0, jobs - ADOPTED), jobs)}
    with client.pipeline(transaction=False) as pipe:
        for number in looked_at:
            job_id = f"job_{number:026d}"
            pipe.hset(f"farm:s:{job_id}", "rec", packed(dumps(record(job_id, begins_s + number * every_s))))
        pipe.execute()


async def measure(jobs: int, due: int) -> dict[str, Any]:
    """Fill a store, then sweep it: a round with nothing due, one with ``due`` jobs, one that adopts."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedStore.start(Path(folder))
        store = open_redis(server.url)
        try:
            with redis.Redis.from_url(server.url, decode_responses=True) as client:
                client.config_set("appendfsync", "no")
                began_s, now_s = time.perf_counter(), time.time()
                fill(client, jobs, due, now_s)
                filled_s = time.perf_counter() - began_s
                shelves = Shelves(Path(folder) / "objects")
                settings = replace(Settings.load({"FARM_HOME": folder}), record_days=0.0)
                clock = FakeClock(wall_s=now_s)
                parts = Parts(store=shelves, catalog=MemoryCatalog(), workers=NoWorkers(), settings=settings)
                sweep = Sweep(sagas=store, parts=parts, clock=clock)

                async def told() -> dict[str, Any]:
                    client.config_resetstat()
                    listed, cpu_s, start_s = shelves.listed, time.process_time(), time.perf_counter()
                    await sweep.run()
                    stats = client.info("commandstats")
                    return {
                        "seconds": round(time.perf_counter() - start_s, 3),
                        "cpu_s": round(time.process_time() - cpu_s, 3),
                        "scripts": sum(int(one["calls"]) for name, one in stats.items() if "eval" in name),
                        "listings": shelves.listed - listed,
                    }

                found: dict[str, Any] = {"jobs": jobs, "filled_s": round(filled_s, 1)}
                found["store_mb"] = round(client.info("memory")["used_memory"] / 1e6)
                found[f"a round that adopts {min(jobs, ADOPTED)}"] = await told()
                # The rest of the walk over jobs from before, without looking at them: their looks cost as the first's.
                start_s, entered = time.perf_counter(), 0
                mark = client.hget("farm:due:walk", "mark")
                while more := await store.due.adopt(str(mark), now_s):
                    entered += more
                found["entering the others"] = {"jobs": entered, "seconds": round(time.perf_counter() - start_s, 3)}
                found["book_mb"] = round((client.memory_usage("farm:due", samples=0) or 0) / 1e6, 1)
                client.zremrangebyscore("farm:due", "-inf", now_s)
                found["a round with nothing due"] = await told()
                for job_id in client.zrange("farm:all", 0, due - 1):
                    client.zadd("farm:due", {job_id: now_s - 1})
                found[f"a round with {due} due"] = await told()
        finally:
            await store.close()
            server.stop()
        found["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=1000)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(measure(chosen.jobs, chosen.due)), indent=1))


if __name__ == "__main__":
    main()
