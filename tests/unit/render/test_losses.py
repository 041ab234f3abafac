"""A job whose attempts keep failing stops early; what the world does is not held against it."""

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
