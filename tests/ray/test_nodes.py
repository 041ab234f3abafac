"""A second node: its raylet is really started, really killed."""
# mypy: disallow-untyped-calls=False

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import BlenderCrashed
from farm.home import process as processes
from tests.ray.conftest import Hire
from tests.ray.jobs import Jobs
from tests.ray.test_worker_deaths import ENDLESS, composed, process_of

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers


@pytest.fixture
def second_node(cluster: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A raylet beside the head's, with CPUs of its own."""
    import ray

    address = ray.get_runtime_context().gcs_address
    ray_command = str(Path(sys.executable).parent / "ray")
    command = [ray_command, "start", "--block", f"--address={address}", "--num-cpus=2", "--labels=role=second"]
    with (tmp_path / "node.log").open("wb") as log:
        node = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(300):
            if len([one for one in ray.nodes() if one["Alive"]]) == 2:
                break
            assert node.poll() is None, (tmp_path / "node.log").read_text()
            time.sleep(0.2)
        yield node
        if node.poll() is None:
            node.terminate()
            node.wait(20)


def second(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return next(node for node in nodes if node["Alive"] and node["Labels"].get("role") == "second")


def raylet_of(session_leader: int) -> int:
    """The raylet that ``ray start`` brought up: its child by that name."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue
        name, fields = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 1 :].split()
        if name == "raylet" and int(fields[3]) == session_leader:
            return int(status.parent.name)
    raise AssertionError("no raylet")


@pytest.mark.slow
async def test_views_are_cancelled_on_another_node_and_survive_its_death(
    second_node: subprocess.Popen[bytes], hire: Hire, jobs: Jobs
) -> None:
    import ray

    workers: RayWorkers = hire()
    job, textures = await composed(workers, jobs, **ENDLESS)
    there = second(ray.nodes())["NodeID"]

    async def on_second_node() -> tuple[asyncio.Task[Any], str, list[asyncio.Task[Any]]]:
        """A view that renders on the second node, its process, and the view that keeps the first node busy."""
        started = []
        for number in range(2):
            task = jobs.view(job, textures, frame=number)
            started.append((task, asyncio.create_task(workers.render(task))))
        by_node = {}
        for task, running in started:
            process = await process_of(workers, task, running, "rendering")
            shown = next(one for one in workers.snapshot()["running"] if one.get("process") == process)
            by_node[shown["node"]] = (running, process)
        assert there in by_node, by_node
        chosen, process = by_node[there]
        return chosen, process, [running for _, running in started if running is not chosen]

    running, process, others = await on_second_node()
    began_s = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    print(f"cancelled on another node in {time.monotonic() - began_s:.2f} s")
    assert not processes.alive(process)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)

    running, process, others = await on_second_node()
    os.kill(raylet_of(second_node.pid), signal.SIGKILL)
    began_s = time.monotonic()
    with pytest.raises(BlenderCrashed) as lost:
        await running
    print(f"the node's death was known after {time.monotonic() - began_s:.1f} s: {lost.value.reason}")
    assert not processes.alive(process)
    for other in others:
        assert not other.done()
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
