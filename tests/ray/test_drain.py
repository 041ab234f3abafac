"""A node with a spot notice: really drained, by Ray's own command."""
# mypy: disallow-untyped-calls=False

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from farm.actors.interruption import Notice, Raylet, drain
from tests.ray.conftest import Hire
from tests.ray.jobs import Jobs
from tests.ray.test_nodes import second, second_node
from tests.ray.test_worker_deaths import ENDLESS, composed, process_of

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers

__all__ = ["second_node"]  # pytest finds the fixture here


@pytest.mark.slow
async def test_a_node_with_a_spot_notice_is_drained(
    second_node: subprocess.Popen[bytes], hire: Hire, jobs: Jobs
) -> None:
    """What runs there goes on until the end; nothing more starts there."""
    import ray

    workers: RayWorkers = hire()
    job, textures = await composed(workers, jobs, **ENDLESS)
    there = second(ray.nodes())["NodeID"]
    first = [jobs.view(job, textures, frame=number) for number in range(2)]
    running = [asyncio.create_task(workers.render(task)) for task in first]
    for task, render in zip(first, running, strict=True):
        await process_of(workers, task, render, "rendering")
    on_second = [one["name"] for one in workers.snapshot()["running"] if one["node"] == there]
    assert len(on_second) == 1

    raylet = Raylet(node_id=there, gcs_address=ray.get_runtime_context().gcs_address)
    notice = Notice(action="terminate", at=datetime.now(UTC) + timedelta(seconds=120))
    assert await asyncio.to_thread(drain, raylet, notice, datetime.now(UTC))

    kept = next(render for task, render in zip(first, running, strict=True) if task.name in on_second)
    for render in running:
        if render is not kept:
            render.cancel()  # room on the first node, none that counts on the second
    quick, quick_textures = await composed(workers, jobs)
    nodes = [(await workers.render(jobs.view(quick, quick_textures, frame=number))).report["node"] for number in (0, 1)]
    assert there not in nodes
    assert not kept.done()
    kept.cancel()
    await asyncio.gather(*running, return_exceptions=True)
