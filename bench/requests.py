"""What the farm asks of its store and its object store: for a job, a view, a frame, a page of jobs, the cluster's page.

Counted at the servers themselves: commands by a real Valkey's own statistics (those inside of scripts too), requests by
a proxy before a real S3 server. Round trips are what the clients sent. Each has a bound; past one the benchmark fails.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.connection import AbstractConnection

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_heartbeat import RedisProgressBoard
from farm.adapters.redis_journal import open_redis
from farm.adapters.s3_store import S3Store
from farm.domain.view import ALL_VIEWS
from farm.render.overview import Overview
from farm.saga.clock import SystemClock
from tests.contract.servers.faulty import FaultyServer, faulty
from tests.contract.servers.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, moto
from tests.workshop import Workshop, prepared, workshop

LISTED = 50
FRAMES = 24
_OURS = ("cmdstat_info", "cmdstat_config|get", "cmdstat_client|setinfo", "cmdstat_hello", "cmdstat_ping")
"""What connecting and counting cost."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What was asked."""

    commands: float
    round_trips: float
    requests: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.commands - other.commands, self.round_trips - other.round_trips, self.requests - other.requests
        )

    def over(self, count: int) -> "Cost":
        return Cost(self.commands / count, self.round_trips / count, self.requests / count)

    def within(self, bound: "Cost") -> bool:
        mine = (self.commands, self.round_trips, self.requests)
        return all(
            one <= most for one, most in zip(mine, (bound.commands, bound.round_trips, bound.requests), strict=True)
        )


class Counter:
    """Counts between two looks."""

    def __init__(self, client: "redis.asyncio.Redis", server: FaultyServer) -> None:
        self._client, self._server = client, server
        self._sent = 0
        send = AbstractConnection.send_packed_command

        async def counted(connection: Any, *arguments: Any, **named: Any) -> Any:
            self._sent += 1
            return await send(connection, *arguments, **named)

        setattr(AbstractConnection, "send_packed_command", counted)  # noqa: B010, of all connections in this process

    async def _now(self) -> Cost:
        sent = self._sent
        told = await self._client.info("commandstats")
        self._sent = sent
        commands = sum(one["calls"] for name, one in told.items() if name not in _OURS)
        return Cost(commands, sent, len(self._server.seen))

    async def of(self, act: Callable[[], Awaitable[Any]]) -> Cost:
        before = await self._now()
        await act()
        return await self._now() - before


class _Board:
    """A board with so many views under way."""

    def __init__(self, jobs: list[str]) -> None:
        running = [{"job_id": job, "name": view, "node": "n"} for job in jobs for view in ALL_VIEWS]
        self._posted = [{"name": "coordinator", "age_s": 0.0, "running": running}]

    async def read(self) -> Any:
        return self._posted

    async def post(self, name: str, told: Any) -> None: ...

    async def take_down(self, name: str) -> None: ...


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[Workshop, Counter]]:
    """A farm on a real Valkey and a real S3 server; its pictures are painted."""
    store = EmbeddedStore.start(folder / "store")
    try:
        with moto(folder) as bucket, faulty(bucket.endpoint_url) as proxy:
            sagas = open_redis(store.url, namespace="bench")
            objects = S3Store(BUCKET, endpoint_url=proxy.endpoint_url)
            async with redis.asyncio.Redis.from_url(store.url, decode_responses=True) as client:
                shop = workshop(
                    folder, sagas, objects, BuiltinCatalog(client, namespace="catalog"), cache_days=7.0,
                    film_frames=FRAMES, render_device="auto",
                )  # fmt: skip
                shop.service = replace(shop.service, live=RedisProgressBoard(client))
                try:
                    yield shop, Counter(client, proxy)
                finally:
                    await sagas.close()
    finally:
        store.stop()


async def measure(folder: Path) -> dict[str, Cost]:
    async with stage(folder) as (shop, counter):

        async def job(**request: Any) -> None:
            accepted = await shop.service.submit(prepared(**request))
            while (await shop.sagas.records.get(accepted["id"]) or {})["finished_at"] is None:
                await asyncio.sleep(0.25)

        costs: dict[str, Cost] = {}
        async with shop.running():
            await job(views=["front_0deg"], fabric_color="black")  # what is done once
            one = await counter.of(lambda: job(views=["front_0deg"], fabric_color="red"))
            six = await counter.of(lambda: job(views=list(ALL_VIEWS), fabric_color="navy"))
            film = await counter.of(lambda: job(views=["front_0deg"], fabric_color="sand", mode="all", model=False))
            costs["job of one view"] = one
            costs["job of six views"] = six
            costs["each further view"] = (six - one).over(len(ALL_VIEWS) - 1)
            costs["each frame of a film"] = (film - one).over(FRAMES)
            costs["job of six views, kept from before"] = await counter.of(
                lambda: job(views=list(ALL_VIEWS), fabric_color="navy")
            )
        begun = asyncio.Event()

        async def wait(_: Any) -> None:
            await begun.wait()

        shop.painters.before = wait
        accepted = [
            await shop.service.submit(prepared(views=["front_0deg"], fabric_color=f"#{n:06x}")) for n in range(LISTED)
        ]
        ids = [one["id"] for one in accepted]
        async with shop.running(concurrency=LISTED):
            while len(shop.painters.painted) < LISTED:
                await asyncio.sleep(0.1)
            while await shop.sagas.records.count({"status": "rendering"}) < LISTED:
                await asyncio.sleep(0.1)
        # The coordinators are gone, their jobs stand as they stood.
        costs[f"a page of {LISTED} jobs that render"] = await counter.of(lambda: shop.service.list(limit=LISTED))
        costs["how many jobs are live"] = await counter.of(lambda: shop.service.live_count(tenant="default"))
        seen = Overview(board=_Board(ids[:5]), sagas=shop.sagas, clock=SystemClock())
        costs["the cluster's page, 30 views of 5 jobs"] = await counter.of(seen.look)
        return costs


BOUNDS = {
    "job of one view": Cost(260, 40, 32),
    "job of six views": Cost(420, 60, 95),
    "each further view": Cost(30, 5, 12.5),
    "each frame of a film": Cost(16, 3, 10),
    "job of six views, kept from before": Cost(350, 50, 75),
    f"a page of {LISTED} jobs that render": Cost(170, 4, 0),
    "how many jobs are live": Cost(3, 1, 0),
    "the cluster's page, 30 views of 5 jobs": Cost(275, 10, 0),
}
"""About a fifth over what was measured; a job's coordinator asks for work now and then, however long the job takes."""


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY, AWS_DEFAULT_REGION="us-east-1"
        )
        costs = asyncio.run(measure(Path(folder)))
    print("| what | Redis commands | round trips | S3 requests | bounds |\n| --- | --- | --- | --- | --- |")
    past = []
    for name, cost in costs.items():
        bound = BOUNDS.get(name)
        told = f"{bound.commands:g}, {bound.round_trips:g}, {bound.requests:g}" if bound else ""
        print(f"| {name} | {cost.commands:.1f} | {cost.round_trips:.1f} | {cost.requests:.1f} | {told} |")
        if bound and not cost.within(bound):
            past.append(name)
    print("".join(f"past its bound: {name}\n" for name in past), end="")
    return 1 if past else 0


if __name__ == "__main__":
    sys.exit(main())
