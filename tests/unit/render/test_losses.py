"""A job whose attempts keep failing stops early; what the world does is not held against it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.errors import BlenderCrashed, StorageUnavailable
from farm.render.ports import ViewTask
from tests.workshop import Workshop, prepared, workshop

LIMIT = 4


def shop(tmp_path: Path, **settings: Any) -> Workshop:
    settings = {"job_failures": LIMIT, "view_attempts": 50, **settings}
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog(), **settings)


async def ended(shop: Workshop, **request: Any) -> dict[str, Any]:
    async with shop.running():
        return await shop.ended((await shop.service.submit(prepared(**request)))["id"])


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_a_hopeless_job_stops_long_before_its_views_are_spent(tmp_path: Path, saga: str) -> None:
    place = shop(tmp_path)

    def crash(task: ViewTask) -> None:
        raise BlenderCrashed(view=task.view, reason="always")

    place.painters.before = crash
    record = await ended(place, saga=saga)
    assert record["status"] == "failed"
    assert (record["error"]["code"], record["error"]["retryable"]) == ("blender_crashed", True)
    assert f"more than the {LIMIT}" in record["error"]["message"]
    assert LIMIT < len(place.painters.painted) <= LIMIT + 6
    assert (await place.audit()).findings == []


async def test_film_frames_count_too(tmp_path: Path) -> None:
    place = shop(tmp_path, film_frames=12)

    def crash(task: ViewTask) -> None:
        if task.frame is not None:
            raise BlenderCrashed(view=task.view, reason="always")

    place.painters.before = crash
    record = await ended(place, mode="animation-only")
    assert record["status"] == "failed"
    assert f"more than the {LIMIT}" in record["error"]["message"]


async def test_what_the_world_does_and_what_is_within_the_limit_stops_nobody(tmp_path: Path) -> None:
    place = shop(tmp_path)
    failures = {"world": 0, "views": 0}

    def trouble(task: ViewTask) -> None:
        if failures["world"] < 3 * LIMIT:
            failures["world"] += 1
            raise StorageUnavailable(reason="away for a moment")
        if failures["views"] < LIMIT:
            failures["views"] += 1
            raise BlenderCrashed(view=task.view, reason="now and then")

    place.painters.before = trouble
    record = await ended(place)
    assert record["status"] == "completed", record["error"]
    assert failures == {"world": 3 * LIMIT, "views": LIMIT}


async def test_a_crash_forgives_no_frame_that_failed(tmp_path: Path) -> None:
    place = shop(tmp_path, film_frames=6)
    failed, resting = 0, asyncio.Event()

    async def crash_then_rest(task: ViewTask) -> None:
        nonlocal failed
        if failed < LIMIT:
            failed += 1
            raise BlenderCrashed(view=task.view, reason="drill")
        await resting.wait()

    def crash_once(task: ViewTask) -> None:
        nonlocal failed
        if failed == LIMIT:
            failed += 1
            raise BlenderCrashed(view=task.view, reason="drill")

    place.painters.before = crash_then_rest
    async with place.running():
        job_id = (await place.service.submit(prepared(mode="animation-only")))["id"]
        await noted(place, job_id, "frame_failed", LIMIT)
    place.painters.before = crash_once
    async with place.running():
        record = await place.ended(job_id)
    assert record["status"] == "failed"
    assert f"more than the {LIMIT}" in record["error"]["message"]
    assert (await place.audit()).findings == []


async def test_a_crash_holds_against_a_job_no_more_than_there_was(tmp_path: Path) -> None:
    place = shop(tmp_path)
    troubles, resting = 0, asyncio.Event()

    async def away_then_rest(task: ViewTask) -> None:
        nonlocal troubles
        if troubles < 2 * LIMIT:
            troubles += 1
            raise StorageUnavailable(reason="away for a moment")
        await resting.wait()

    def crash_once(task: ViewTask) -> None:
        nonlocal troubles
        if troubles == 2 * LIMIT:
            troubles += 1
            raise BlenderCrashed(view=task.view, reason="drill")

    place.painters.before = away_then_rest
    async with place.running():
        job_id = (await place.service.submit(prepared()))["id"]
        await noted(place, job_id, "view_failed", 2 * LIMIT)
    place.painters.before = crash_once
    async with place.running():
        record = await place.ended(job_id)
    assert record["status"] == "completed", record["error"]


async def noted(place: Workshop, job_id: str, event: str, count: int) -> None:
    """Until the journal has so many notes of that."""
    async with asyncio.timeout(20):
        while True:
            notes = [entry.data.get("note", {}) for entry in await place.sagas.journal.load(job_id)]
            if sum(note.get("event") == event for note in notes) >= count:
                return
            await asyncio.sleep(0.01)
