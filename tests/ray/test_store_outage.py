"""The store dies while a view renders: the view goes on, and is not rendered a second time."""

import asyncio
from dataclasses import replace
from pathlib import Path

import redis.asyncio

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_heartbeat import RedisBeats
from farm.adapters.redis_journal import open_redis
from farm.adapters.redis_nodes import RedisNodes
from farm.saga.clock import SystemClock
from farm.settings import Settings
from tests.ray.jobs import Jobs
from tests.ray.test_worker_deaths import composed, process_of


async def test_a_view_outlives_a_restart_of_the_store(
    cluster: None, settings: Settings, jobs: Jobs, tmp_path: Path
) -> None:
    from farm.actors.workers import RayWorkers

    settings = replace(settings, lease_s=1.0)
    store = EmbeddedStore.start(tmp_path)
    sagas = open_redis(store.url)
    async with redis.asyncio.Redis.from_url(store.url) as client:
        workers = RayWorkers(
            settings,
            redis_url=store.url,
            beats=RedisBeats(client),
            counters=sagas.counters,
            health=RedisNodes(client, SystemClock(), limit=3),
        )
        job, textures = await composed(workers, jobs, size=256, samples=256)
        task = jobs.view(job, textures)
        running = asyncio.create_task(workers.render(task))
        process = await process_of(workers, task, running, "rendering")
        await asyncio.to_thread(store.stop)
        await asyncio.sleep(settings.lease_s * 3)
        assert not running.done(), "the render was too short to tell anything, or was given up"
        again = await asyncio.to_thread(EmbeddedStore.start, tmp_path)
        assert again.url == store.url
        done = await running
        assert done.report["process"] == process
        assert jobs.store.head(done.artifact.key) is not None
        await workers.close()
    await sagas.close()
    await asyncio.to_thread(again.stop)
