"""A soak: many jobs, coordinators killed at random all the while; at the end everything has ended and nothing is left.

Real store with an fsync per append, real files, real products, real processes and SIGKILLs; the pictures are painted
and not rendered. One coordinator is never killed, so that its memory can be watched. Run with
`python -m bench.soak --jobs 2000 --kills`.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.errors import JobEnded
from farm.render.sweep import Sweep
from farm.saga.clock import SystemClock
from tests.crash.coordinators import start_coordinator
from tests.crash.places import Place, open_shop
from tests.workshop import Workshop, prepared

LEASE_S = 1.0
CONCURRENCY = 24
SUBMITTED_AHEAD = 64
KILL_EVERY_S = 0.3
PRODUCTS = 24
VIEWS = ["front_0deg", "back_180deg"]
FAILING = "complete_job.inside=raise*99"


def _start(place: Place) -> BaseProcess:
    return start_coordinator(place, {"lease_s": LEASE_S}, concurrency=CONCURRENCY)


class Victim:
    """The coordinator that is killed again and again."""

    def __init__(self, place: Place, rng: Random) -> None:
        self._place = place
        self._rng = rng
        self._process = _start(place)
        self.kills = 0

    async def suffer(self) -> None:
        """Until cancelled; it is there again after each death."""
        while True:
            await asyncio.sleep(self._rng.uniform(0.3, 1.7) * KILL_EVERY_S)
            if self._process.is_alive():
                self._process.kill()
                self.kills += 1
            self.end()
            self._process = _start(self._place)

    def end(self) -> None:
        self._process.kill()
        self._process.join()


class Soak:
    """One run."""

    def __init__(self, shop: Workshop, *, seed: int) -> None:
        self._shop = shop
        self._rng = Random(seed)
        self._gate = asyncio.Semaphore(SUBMITTED_AHEAD)
        self.ended: list[dict[str, Any]] = []

    async def all(self, jobs: int) -> None:
        """Submit as many and see each to its end."""
        async with asyncio.TaskGroup() as group:
            for number in range(jobs):
                await self._gate.acquire()
                group.create_task(self._one(number, self._rng.random(), self._rng.uniform(0.0, 0.5)))

    async def _one(self, number: int, fate: float, delay_s: float) -> None:
        request = prepared(
            saga=("granular", "simple")[number % 2],
            product_id=f"tee-{number % PRODUCTS}",
            fabric_color=("red", "blue")[number // PRODUCTS % 2],
            views=VIEWS,
        )
        fails, called_off = fate < 0.15, fate > 0.85
        job_id = (await self._shop.service.submit(request, failpoints=FAILING if fails else ""))["id"]
        wanted = "failed" if fails else "completed"
        if called_off:
            await asyncio.sleep(delay_s)
            try:
                await self._shop.service.cancel(job_id)
                wanted = "cancelled"
            except JobEnded:
                wanted = "completed"
        while (record := await self._shop.service.get(job_id))["finished_at"] is None:
            await asyncio.sleep(0.05)
        if record["status"] != wanted:
            raise SystemExit(f"{job_id} is {record['status']}, not {wanted}: {record['error']}")
        self.ended.append(record)
        self._gate.release()

    async def check(self) -> None:
        """Ends with a message unless all promises are kept."""
        report = await self._shop.audit()
        if not report.clean:
            raise SystemExit(f"the audit found {report.findings[:5]}")
        for record in self.ended:
            numbers = [event.number for event in await self._shop.sagas.events.read(record["id"])]
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                raise SystemExit(f"the events of {record['id']} have gaps: {numbers}")


async def measure(home: Path, jobs: int, *, kills: bool, seed: int = 0) -> dict[str, Any]:
    """Run a soak in a fresh home; its figures."""
    server = EmbeddedStore.start(home)
    place = Place(home=home, store_url=server.url, namespace="soak")
    try:
        with redis.Redis.from_url(server.url) as client:
            empty_bytes = client.info("memory")["used_memory"]
            figures = await _soak(place, jobs, kills=kills, seed=seed)
            history_bytes = int(client.memory_usage("soak:events", samples=0) or 0)
            used_bytes = client.info("memory")["used_memory"] - empty_bytes
            longest = max(client.llen(key) for key in client.scan_iter("soak:j:*", count=1000))
        return {
            **figures,
            "longest_journal_of_an_ended_job": longest,
            "store_bytes_per_ended_job": round((used_bytes - history_bytes) / jobs),
            "capped_history_bytes": history_bytes,
        }
    finally:
        server.stop()


async def _soak(place: Place, jobs: int, *, kills: bool, seed: int) -> dict[str, Any]:
    survivor = _start(place)
    victim = Victim(place, Random(seed))
    async with open_shop(place, lease_s=LEASE_S) as shop:
        soak = Soak(shop, seed=seed)
        suffering = asyncio.create_task(victim.suffer()) if kills else None
        begin = time.perf_counter()
        try:
            rss_bytes = asyncio.create_task(_watch(survivor, soak, jobs))
            await soak.all(jobs)
            seconds = time.perf_counter() - begin
            warm_bytes, last_bytes = await rss_bytes
        finally:
            if suffering is not None:
                suffering.cancel()
                await asyncio.gather(suffering, return_exceptions=True)
            victim.end()
            survivor.kill()
            survivor.join()
        # What coordinators do when they start and once an hour; all of them are gone here.
        await Sweep(sagas=shop.sagas, parts=shop.parts, clock=SystemClock()).run()
        await soak.check()
    return {
        "jobs": jobs,
        "seconds": round(seconds, 1),
        "jobs_per_s": round(jobs / seconds, 1),
        "kills": victim.kills,
        **dict(Counter(record["status"] for record in soak.ended)),
        "warm_rss_mb": round(warm_bytes / 1e6, 1),
        "last_rss_mb": round(last_bytes / 1e6, 1),
    }


async def _watch(survivor: BaseProcess, soak: Soak, jobs: int) -> tuple[int, int]:
    """The survivor's memory after a third of the jobs, and after all."""
    while len(soak.ended) < jobs / 3:
        await asyncio.sleep(0.05)
    warm_bytes = _rss_bytes(survivor)
    while len(soak.ended) < jobs:
        await asyncio.sleep(0.05)
    return warm_bytes, _rss_bytes(survivor)


def _rss_bytes(process: BaseProcess) -> int:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--kills", action="store_true", help="kill a coordinator every 0.3 s or so")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farm-soak-") as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), asked.jobs, kills=asked.kills, seed=asked.seed)), indent=2))


if __name__ == "__main__":
    main()
