"""What many are asked for is asked in one go: counted at a real server's clients."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_store import MemoryStore
from farm.adapters.redis_heartbeat import RedisProgressBoard
from farm.adapters.redis_journal import open_redis
from farm.domain.event import rfc3339
from farm.render.overview import Overview
from farm.saga.clock import SystemClock
from farm.saga.journal import Draft, EntryKind, Projection
from tests.workshop import Workshop, workshop

JOBS = 30


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    store = EmbeddedStore.start(tmp_path / "store")
    try:
        sagas = open_redis(store.url, namespace="trips")
        async with redis.asyncio.Redis.from_url(store.url, decode_responses=True) as client:
            shop = workshop(tmp_path, sagas, MemoryStore(), MemoryCatalog())
            object.__setattr__(shop.service, "live", RedisProgressBoard(client))
            for number in range(JOBS):
                await _render(shop, f"job_{number:026d}")
            yield shop
        await sagas.close()
    finally:
        store.stop()


async def _render(shop: Workshop, job_id: str) -> None:
    record: dict[str, Any] = {
        "id": job_id,
        "tenant": "default",
        "status": "rendering",
        "phase": "forward",
        "product_id": None,
        "views": [],
        "film": None,
        "model": None,
        "progress": 0.0,
        "error": None,
        "rendering_since_s": 1.0,
        "created_at": rfc3339(1.0),
        "started_at": None,
        "finished_at": None,
    }
    projection = Projection(
        record=record, index={"tenant": "default", "status": "rendering"}, created_at_s=1.0, live=True, priority=0,
        events=[],
    )  # fmt: skip
    await shop.sagas.journal.create(job_id, (Draft(kind=EntryKind.CREATED, data={}),), projection)


async def test_a_page_of_jobs_and_their_count_do_not_cost_more_for_more_jobs(shop: Workshop, trips: list[int]) -> None:
    await shop.service.list(limit=1)
    trips.clear()
    await shop.service.list(limit=1)
    one = len(trips)
    trips.clear()
    jobs, _ = await shop.service.list(limit=JOBS)
    assert (len(jobs), len(trips)) == (JOBS, one)
    trips.clear()
    assert await shop.service.live_count(tenant="default") == JOBS
    assert len(trips) == 1


async def test_the_cluster_s_page_does_not_cost_more_for_more_views(shop: Workshop, trips: list[int]) -> None:
    class Board:
        views = 1

        async def read(self) -> Any:
            running = [{"job_id": f"job_{n % JOBS:026d}", "name": "front", "node": "n"} for n in range(self.views)]
            return [{"name": "one", "age_s": 0.0, "running": running}]

        async def post(self, name: str, told: Any) -> None: ...

        async def take_down(self, name: str) -> None: ...

    board = Board()
    await Overview(board=board, sagas=shop.sagas, clock=SystemClock()).look()
    trips.clear()
    await Overview(board=board, sagas=shop.sagas, clock=SystemClock()).look()
    one = len(trips)
    trips.clear()
    board.views = 4 * JOBS
    assert (await Overview(board=board, sagas=shop.sagas, clock=SystemClock()).look())["views_running"] == 4 * JOBS
    assert len(trips) <= one + 1  # an answer more may be under way beside
