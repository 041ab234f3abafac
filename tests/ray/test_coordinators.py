"""Coordinators as actors: whole jobs, and what a killed coordinator costs them."""

import asyncio
import io
import os
import signal
from typing import Any

from PIL import Image

from farm.adapters.temp_folders import TempFolders
from farm.domain.request import parse_request
from farm.render.prepare import prepare
from farm.settings import Settings
from farm.wiring import Farm


async def submit(farm: Farm, *, failpoints: str = "", **wanted: Any) -> str:
    design = io.BytesIO()
    Image.new("RGB", (300, 300), "#1060c0").save(design, "PNG")
    request = parse_request({"size": 96, "samples": 1, "engine": "cycles", **wanted})
    prepared = prepare(farm.settings, request, [design.getvalue()])
    record = await farm.service.submit(prepared, failpoints=failpoints)
    return str(record["id"])


async def ended(farm: Farm, job_id: str) -> dict[str, Any]:
    async for _ in farm.service.follow(job_id):
        pass
    return await farm.service.get(job_id)


async def running(handle: Any, job_id: str) -> list[dict[str, Any]]:
    """What of the job renders now, once something does; a view must take longer than a heartbeat to be seen."""
    for _ in range(1200):
        snapshot = await handle.snapshot.remote()
        found = [one for one in (snapshot["workers"] or {"running": []})["running"] if one["job_id"] == job_id]
        if any(one["phase"] == "rendering" for one in found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{job_id} was never seen rendering")


async def test_a_job_runs_from_submission_to_pictures(coordinators: list[Any], farm: Farm) -> None:
    record = await ended(farm, await submit(farm))
    assert record["status"] == "completed", record["error"]
    assert len(record["views"]) == 6


async def test_coordinators_are_got_not_made_twice(coordinators: list[Any], settings: Settings, store_url: str) -> None:
    from farm.actors.coordinator import coordinator_names, start_coordinators

    again = start_coordinators(settings, store_url)
    pids = [await handle.pid.remote() for handle in coordinators]
    assert [await handle.pid.remote() for handle in again] == pids
    assert [await handle.ping.remote() for handle in again] == coordinator_names(settings, store_url)


async def test_a_killed_coordinator_comes_back_and_ends_its_job(coordinators: list[Any], farm: Farm) -> None:
    job_id = await submit(farm, size=384, samples=96, views=["front_0deg", "back_180deg"])
    await running(coordinators[0], job_id)
    pid = await coordinators[0].pid.remote()
    os.kill(pid, signal.SIGKILL)
    record = await ended(farm, job_id)
    assert record["status"] == "completed", record
    assert await coordinators[0].pid.remote() != pid
    await swept(farm)


async def test_a_view_that_was_finished_before_the_kill_is_not_rendered_again(
    coordinators: list[Any], farm: Farm
) -> None:
    views = ["front_0deg", "back_180deg", "left_90deg"]
    job_id = await submit(farm, size=256, samples=96, views=views)
    async with asyncio.timeout(60):
        while not (done := _finished(await farm.service.get(job_id))):
            await asyncio.sleep(0.05)
    os.kill(await coordinators[0].pid.remote(), signal.SIGKILL)
    record = await ended(farm, job_id)
    assert record["status"] == "completed", record
    assert set(_finished(record)) == set(views)
    assert len(done) < len(views), "all were finished: the kill came too late to tell anything"
    for view, report in done.items():
        assert _finished(record)[view] == report, f"{view} was rendered again"
    attempts = {view["view"]: view["attempts"] for view in record["views"]}
    assert {attempts[view] for view in done} == {1}


def _finished(record: dict[str, Any]) -> dict[str, Any]:
    """The reports of the finished views: process, seconds and all of the very render that counted."""
    return {view["view"]: view["report"] for view in record["views"] if view["status"] == "done"}


async def test_a_poisoned_view_fails_its_job_cleanly(coordinators: list[Any], farm: Farm) -> None:
    job_id = await submit(farm, failpoints="worker.render=segv:back_180deg*99", views=["front_0deg", "back_180deg"])
    record = await ended(farm, job_id)
    assert (record["status"], record["error"]["code"]) == ("failed", "blender_crashed")
    assert record["error"]["retryable"] is True
    assert {view["view"]: view["attempts"] for view in record["views"]}["back_180deg"] == farm.settings.view_attempts
    assert record["outputs"] == {}
    await swept(farm)
    report = await farm.audit()
    assert [finding for finding in report.findings if job_id in finding.subject + finding.detail] == []


async def swept(farm: Farm) -> None:
    """The coordinator's node sees to what the dead left within seconds."""
    for _ in range(100):
        if not list(TempFolders.of(farm.settings).list()):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(list(TempFolders.of(farm.settings).list()))


async def test_a_cancelled_job_leaves_no_task_and_no_file(coordinators: list[Any], farm: Farm) -> None:
    job_id = await submit(farm, size=1024, samples=4096)
    await running(coordinators[0], job_id)
    await farm.service.cancel(job_id)
    record = await ended(farm, job_id)
    assert record["status"] == "cancelled"
    snapshot = await coordinators[0].snapshot.remote()
    assert [one for one in snapshot["workers"]["running"] if one["job_id"] == job_id] == []
    assert [found for found, _ in TempFolders.of(farm.settings).list() if found == job_id] == []
