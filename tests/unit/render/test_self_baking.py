import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.errors import StoreUnavailable
from farm.render.baker import BakeWish
from farm.render.coordinator import Coordinator
from farm.render.self_baking import SelfBaking
from tests.workshop import Workshop, baked, prepared, workshop

RECORD: dict[str, Any] = {
    "status": "completed",
    "engine": {"asked": "cycles", "chosen": "cycles"},
    "template": {"id": "crew-tee", "version": "1", "hash": "0" * 64},
}


@dataclass
class Wall:
    """Wishes written on a wall."""

    written: list[BakeWish] = field(default_factory=list)
    away: bool = False

    async def wish(self, wish: BakeWish) -> None:
        self.written.append(wish)

    async def wishes(self) -> list[BakeWish]:
        if self.away:
            raise StoreUnavailable(reason="away")
        return self.written


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog(), bake_unasked_px=128, bake_samples=7)


def baking(shop: Workshop, wall: Wall) -> SelfBaking:
    return SelfBaking(shop.settings, store=shop.objects, wishes=wall)


async def test_the_first_traced_job_on_a_garment_has_it_baked_once(shop: Workshop) -> None:
    wall = Wall()
    ended = baking(shop, wall)
    for record in (RECORD, RECORD, {**RECORD, "template": {**RECORD["template"], "hash": "1" * 64}}):
        await ended(record)
    [wish] = wall.written
    assert (wish.template, wish.template_hash, wish.size_px, wish.samples) == ("crew-tee", "0" * 64, 128, 7)


@pytest.mark.parametrize(
    "changes",
    [{"status": "failed"}, {"engine": {"asked": "relight", "chosen": "relight"}}],
    ids=["failed", "relit"],
)
async def test_other_jobs_have_nothing_baked(shop: Workshop, changes: dict[str, Any]) -> None:
    wall = Wall()
    await baking(shop, wall)({**RECORD, **changes})
    assert wall.written == []


async def test_what_is_baked_is_not_baked_again(shop: Workshop) -> None:
    wall = Wall()
    baked(shop.objects, size_px=64)
    await baking(shop, wall)(RECORD)
    assert wall.written == []


async def test_unless_it_is_set_nothing_is_baked(shop: Workshop) -> None:
    object.__setattr__(shop.settings, "bake_unasked_px", 0)
    wall = Wall()
    await baking(shop, wall)(RECORD)
    assert wall.written == []


async def test_a_coordinator_tells_of_each_end_and_minds_no_outage(shop: Workshop) -> None:
    wall = Wall(away=True)
    coordinator = Coordinator("test", sagas=shop.sagas, parts=shop.parts, concurrency=None, ended=baking(shop, wall))
    run = asyncio.create_task(coordinator.run())
    try:
        for _ in range(2):
            job = await shop.service.submit(prepared(views=["front_0deg"]))
            assert (await shop.ended(job["id"]))["status"] == "completed"
            await asyncio.sleep(0.1)
            wall.away = False
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert len(wall.written) == 1
