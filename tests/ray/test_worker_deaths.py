"""What becomes of a view whose worker dies, hangs or lies: real processes, really killed."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from farm.adapters.redis_heartbeat import RedisBeats
from farm.adapters.temp_folders import TempFolders
from farm.domain.view import View
from farm.errors import BadPicture, BlenderCrashed, ViewStalled, ViewTimedOut
from farm.home import process as processes
from farm.render.ports import ComposeTask, TextureRef, ViewTask
from farm.settings import Settings
from tests.ray.conftest import Hire
from tests.ray.jobs import Jobs

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers

ENDLESS = {"size": 1024, "samples": 4096}
"""A render that takes far longer than any test."""


async def composed(workers: "RayWorkers", jobs: Jobs, **wanted: object) -> tuple[ComposeTask, Sequence[TextureRef]]:
    job = jobs.compose(**wanted)
    return job, await workers.compose(job)


async def warm(workers: "RayWorkers", jobs: Jobs) -> None:
    """Have Blender open: opening it takes longer than these tests are patient."""
    job, textures = await composed(workers, jobs)
    await workers.render(jobs.view(job, textures))


async def process_of(
    workers: "RayWorkers", task: ViewTask, running: "asyncio.Task[Any]", phase: str | None = None
) -> str:
    """The process that works on the view, once it is in that phase, or at all."""
    while not running.done():
        for shown in workers.snapshot()["running"]:
            mine = (shown["job_id"], shown["name"]) == (task.job_id, task.name)
            if mine and "process" in shown and phase in (None, shown["phase"]):
                return str(shown["process"])
        await asyncio.sleep(0.05)
    raise AssertionError(f"{task.name} ended before it was {phase}: {running}")


@pytest.mark.parametrize(
    ("kind", "word"), [("crash", "it was killed and left no word"), ("segv", "Fatal Python error: Segmentation fault")]
)
async def test_a_crash_is_a_retryable_error_that_says_what_is_known(
    workers: "RayWorkers", jobs: Jobs, kind: str, word: str
) -> None:
    job, textures = await composed(workers, jobs)
    with pytest.raises(BlenderCrashed) as crash:
        await workers.render(jobs.view(job, textures, failpoints=f"worker.render={kind}"))
    assert crash.value.retryable
    assert word in crash.value.reason
    assert crash.value.node
    # The drill was for one attempt; the next finds a new process.
    done = await workers.render(jobs.view(job, textures, failpoints=f"worker.render={kind}"))
    assert done.report["open_s"] > 0


@pytest.mark.parametrize(("kind", "reason"), [("hang", "stuck while drilling"), ("freeze", "its heartbeat stopped")])
async def test_a_worker_that_hangs_or_freezes_is_killed(hire: Hire, jobs: Jobs, kind: str, reason: str) -> None:
    await warm(hire(), jobs)  # by patient hands: a cold disk alone may keep Blender from opening for long
    workers = hire(lease_s=1.0, view_stall_s=8.0)
    job, textures = await composed(workers, jobs)
    task = jobs.view(job, textures, failpoints=f"worker.render={kind}")
    running = asyncio.create_task(workers.render(task))
    process = await process_of(workers, task, running)
    with pytest.raises(ViewStalled) as stall:
        await running
    assert reason in stall.value.reason
    assert not processes.alive(process)


async def test_a_node_on_which_views_hang_is_left_alone(workers: "RayWorkers", jobs: Jobs) -> None:
    """A hung attempt is stopped from outside: no failed task tells of it, and yet its node has to answer for it."""
    await warm(workers, jobs)
    job, textures = await composed(workers, jobs, **ENDLESS)
    assert workers.snapshot()["avoided"] == []
    for _ in range(3):
        with pytest.raises(ViewTimedOut):
            await workers.render(jobs.view(job, textures, deadline_s=1.0))
    assert len(workers.snapshot()["avoided"]) == 1


async def test_a_view_past_its_deadline_is_killed(workers: "RayWorkers", jobs: Jobs) -> None:
    await warm(workers, jobs)
    job, textures = await composed(workers, jobs, **ENDLESS)
    task = jobs.view(job, textures, deadline_s=3.0)
    running = asyncio.create_task(workers.render(task))
    process = await process_of(workers, task, running, "rendering")
    with pytest.raises(ViewTimedOut):
        await running
    assert not processes.alive(process)


async def test_a_cancelled_view_is_dead_and_swept_when_the_call_returns(
    workers: "RayWorkers", jobs: Jobs, settings: Settings
) -> None:
    job, textures = await composed(workers, jobs, **ENDLESS)
    task = jobs.view(job, textures)
    running = asyncio.create_task(workers.render(task))
    process = await process_of(workers, task, running, "rendering")
    folders = TempFolders.of(settings)
    assert [job_id for job_id, _ in folders.list()] == [job.job_id]
    began_s = time.monotonic()
    running.cancel()
    running.cancel()  # an impatient caller changes nothing
    with pytest.raises(asyncio.CancelledError):
        await running
    passed_s = time.monotonic() - began_s
    print(f"cancelled in {passed_s:.3f} s")
    assert not processes.alive(process)
    assert list(folders.list()) == []
    assert not folders.process(process).exists()
    assert passed_s < 5


async def test_a_view_cancelled_in_the_queue_never_begins(workers: "RayWorkers", jobs: Jobs) -> None:
    job, textures = await composed(workers, jobs, **ENDLESS)
    blocking = asyncio.create_task(workers.render(jobs.view(job, textures)))
    queued = asyncio.create_task(workers.render(jobs.view(job, textures, View.BACK)))
    await asyncio.sleep(1.0)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(queued, 5)
    blocking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocking


async def test_an_overtaken_worker_ends_itself(workers: "RayWorkers", jobs: Jobs, beats: RedisBeats) -> None:
    job, textures = await composed(workers, jobs, **ENDLESS)
    task = jobs.view(job, textures)
    running = asyncio.create_task(workers.render(task))
    process = await process_of(workers, task, running, "rendering")
    await beats.grant(task.job_id, task.name)
    with pytest.raises(BlenderCrashed) as crash:
        await running
    assert "its lease is gone" in crash.value.reason
    assert not processes.alive(process)


@pytest.mark.parametrize(("kind", "reason"), [("blank", "blank"), ("truncate", "it does not decode")])
async def test_a_spoiled_picture_is_refused(workers: "RayWorkers", jobs: Jobs, kind: str, reason: str) -> None:
    job, textures = await composed(workers, jobs)
    task = jobs.view(job, textures, failpoints=f"worker.render={kind}:front_0deg*1")
    with pytest.raises(BadPicture) as refused:
        await workers.render(task)
    assert refused.value.retryable
    assert reason in refused.value.reason
    stored = [item.key for item in jobs.store.list(f"t/default/jobs/{job.job_id}/work/{task.token}/")]
    assert any(key.endswith("front_0deg.log") for key in stored)
    assert not any(key.endswith("front_0deg.png") for key in stored)
