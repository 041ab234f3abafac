"""Failovers of the store while jobs run: what is lost, what is done twice, and for how long nothing is accepted.

Two real Valkeys behind a TCP proxy, as behind a load balancer: in each round the primary hands over to its replica, in
turn in both directions, then new connections are led to the new one; connections that exist stay where they were.
Clients submit all the while and send again, under the same id, what was refused; coordinators in processes of their own
drive the sagas. The pictures are painted and not rendered. Run with `python -m bench.failover`.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farm.domain.ids import new_job_id
from farm.errors import AlreadyExists, StoreUnavailable
from tests.contract.servers.doorway import Doorway, doorway
from tests.contract.servers.valkey import Server, failover, in_step, valkey
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_events, check_gone
from tests.workshop import Workshop, prepared

LEASE_S = 5.0
CONCURRENCY = 16
PAUSE_S = 0.15
PAINTING_S = 0.2
VIEWS = ["front_0deg", "back_180deg"]
BETWEEN_S = 0.7


def _coordinate(place: Place) -> None:
    async def run() -> None:
        async with open_shop(place, lease_s=LEASE_S) as shop:
            shop.painters.seconds = PAINTING_S  # so that there are sagas amid their steps at any moment
            await shop.coordinator(concurrency=CONCURRENCY).run()

    asyncio.run(run())


@dataclass(slots=True)
class Clients:
    """They submit one job after the other, each until it is accepted."""

    shop: Workshop
    accepted: dict[str, float] = field(default_factory=dict)
    over: bool = False
    refused: Counter[str] = field(default_factory=Counter)
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    async def submit_on(self, client: int) -> None:
        """Until it is over."""
        number = 0
        while not self.over:
            number += 1
            await self.submit(f"tee-{client}-{number}")
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * PAUSE_S)

    async def submit(self, product_id: str) -> None:
        job_id = new_job_id(time.time_ns() // 1_000_000)
        request = prepared(saga=self.rng.choice(("granular", "simple")), product_id=product_id, views=VIEWS)
        while True:
            try:
                await self.shop.service.submit(request, job_id=job_id)
            except AlreadyExists:
                pass  # the answer was lost and not the job
            except StoreUnavailable as error:
                self.refused[error.code] += 1
                await asyncio.sleep(0.02)
                continue
            self.accepted[job_id] = time.monotonic()
            return

    def longest_pause_s(self, since_s: float) -> float:
        """Between two acceptances, of those that ended after ``since_s``."""
        times = sorted(self.accepted.values())
        pauses = [later - earlier for earlier, later in itertools.pairwise(times) if later > since_s]
        return max(pauses, default=0.0)


@asynccontextmanager
async def _farm(home: Path, door: Doorway) -> AsyncIterator[Workshop]:
    place = Place(home=home, store_url=door.url, namespace="failover")
    forks = multiprocessing.get_context("spawn")
    coordinators = [forks.Process(target=_coordinate, args=(place,), daemon=True) for _ in range(2)]
    for coordinator in coordinators:
        coordinator.start()
    try:
        async with open_shop(place, lease_s=LEASE_S) as shop:
            yield shop
    finally:
        for coordinator in coordinators:
            coordinator.kill()
            coordinator.join()


async def _rounds(clients: Clients, door: Doorway, pair: tuple[Server, Server], rounds: int) -> list[float]:
    old, new = pair
    pauses: list[float] = []
    for number in range(rounds):
        await asyncio.sleep(BETWEEN_S)
        began_s = time.monotonic()
        await asyncio.to_thread(failover, old, new)
        door.target = new.port
        await asyncio.sleep(BETWEEN_S)
        while clients.longest_pause_s(began_s) == 0.0:  # nothing was accepted since
            await asyncio.sleep(0.1)
        pauses.append(clients.longest_pause_s(began_s))
        print(f"round {number + 1}: {pauses[-1]:.2f} s, {len(clients.accepted)} accepted", flush=True)
        await asyncio.to_thread(in_step, new)
        old, new = new, old
    return pauses


async def measure(folder: Path, rounds: int, clients_at_once: int) -> dict[str, Any]:
    """Its figures; ends with a message where a promise was broken."""
    with valkey(folder / "one") as one, valkey(folder / "two") as two:
        two.follow(one)
        await asyncio.to_thread(in_step, one)
        async with doorway(one.port) as door, _farm(folder, door) as shop:
            clients = Clients(shop)
            async with asyncio.timeout(60):
                await clients.submit("warm")
                await _ended(shop, list(clients.accepted))
            submitting = [asyncio.create_task(clients.submit_on(client)) for client in range(clients_at_once)]
            try:
                pauses = await _rounds(clients, door, (one, two), rounds)
            finally:
                clients.over = True
                await asyncio.wait_for(asyncio.gather(*submitting), 60)
            async with asyncio.timeout(120):
                records = await _ended(shop, list(clients.accepted))
            return {
                "rounds": rounds,
                "accepted": len(clients.accepted),
                **await _account(shop, clients, records),
                "refused_and_sent_again": dict(clients.refused),
                "seconds_without_accepting_median": round(statistics.median(pauses), 2),
                "seconds_without_accepting_worst": round(max(pauses), 2),
                "pause_without_failover_s": round(PAUSE_S / clients_at_once, 3),
            }


async def _ended(shop: Workshop, jobs: list[str]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for job_id in jobs:
        while (record := await shop.service.get(job_id))["finished_at"] is None:
            await asyncio.sleep(0.05)
        records.append(record)
    return records


async def _account(shop: Workshop, clients: Clients, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Every accepted job has ended once, and whole; there is no other job, and one picture for each view."""
    doubled = 0
    for record in records:
        await check_events(shop, record)
        if record["status"] != "completed":
            await check_gone(shop, record)
            continue
        product = await shop.catalog.get_product(record["tenant"], record["product_id"])
        doubled += product is None or len(product.media) != len(VIEWS)
    report = await shop.audit()
    if not report.clean:
        raise SystemExit(f"the audit found {report.findings[:5]}")
    known = await shop.sagas.records.count()
    return {
        "lost": len(clients.accepted) - len(records),
        "doubled": doubled + known - len(clients.accepted),
        "ended": dict(Counter(record["status"] for record in records)),
        "audit": "clean",
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4, help="at once; each submits some six jobs a second")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farm-failover-") as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), asked.rounds, asked.clients)), indent=2))


if __name__ == "__main__":
    main()
