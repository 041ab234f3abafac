"""Wishes for bakes on a real Redis: who bakes, what is told, and how a wish is taken back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio

from farm.actors.bakery import Bakery
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_store import MemoryStore
from farm.adapters.redis_bakes import RedisBakes
from farm.errors import InvalidRequest
from farm.render import bakes
from farm.render.baker import BakeWish
from farm.render.bakes import BakedPart
from farm.render.ports import BakeTask

WISH = BakeWish(template="tee", template_hash="a" * 64, size_px=64, samples=2, views=("front_0deg", "back_180deg"))


@pytest.fixture
async def board(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisBakes]:
    folder: Path = tmp_path_factory.mktemp("store")
    store = EmbeddedStore.start(folder)
    async with redis.asyncio.Redis.from_url(store.url) as client:
        yield RedisBakes(client)
    store.stop()


class Oven:
    """Bakes at once, or waits to be stopped, or refuses."""

    def __init__(self, *, slow: bool = False, refuses: bool = False) -> None:
        self.baked: list[str] = []
        self.stopped: list[str] = []
        self._slow = slow
        self._refuses = refuses

    async def bake(self, task: BakeTask) -> BakedPart:
        self.baked.append(task.view)
        if self._refuses:
            raise InvalidRequest(reason="this garment cannot be baked")
        try:
            await asyncio.sleep(60 if self._slow else 0)
        except asyncio.CancelledError:
            self.stopped.append(task.view)
            raise
        return BakedPart(
            name=task.view, key="k", sha256="0" * 64, size_bytes=1, samples=2, renderer="", seconds=0.0
        )  # fmt: skip


async def outcome_with(board: RedisBakes, *names: str) -> dict[str, object]:
    async with asyncio.timeout(20):
        while True:
            found = dict(await board.outcome(WISH.id))
            if any(name in found for name in names):
                return found
            await asyncio.sleep(0.05)


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_wish_is_fulfilled_once_by_one_of_several(board: RedisBakes) -> None:
    oven, store = Oven(), MemoryStore()
    bakeries = [asyncio.create_task(Bakery(wishes=board, oven=oven, store=store).run()) for _ in range(3)]
    await board.wish(WISH)
    told = await outcome_with(board, "bake", "error")
    await stop(*bakeries)
    found = bakes.find(store, "tee", "a" * 64, 64, WISH.views)
    assert found is not None
    assert told == {"done": ["front_0deg", "back_180deg"], "views": 2, "bake": found.id}
    assert oven.baked == ["front_0deg", "back_180deg"]
    assert await board.wishes() == []


async def test_a_wish_that_is_taken_back_stops_the_bake(board: RedisBakes) -> None:
    oven = Oven(slow=True)
    bakery = asyncio.create_task(Bakery(wishes=board, oven=oven, store=MemoryStore()).run())
    await board.wish(WISH)
    async with asyncio.timeout(20):
        while len(oven.baked) < 2:
            await asyncio.sleep(0.05)
        await board.withdraw(WISH.id)
        while len(oven.stopped) < 2:
            await asyncio.sleep(0.05)
    await stop(bakery)


async def test_a_failure_is_told_with_its_code(board: RedisBakes) -> None:
    bakery = asyncio.create_task(Bakery(wishes=board, oven=Oven(refuses=True), store=MemoryStore()).run())
    await board.wish(WISH)
    told = await outcome_with(board, "bake", "error")
    await stop(bakery)
    assert isinstance(told["error"], dict)
    assert told["error"]["code"] == InvalidRequest.code
    assert await board.wishes() == []


async def test_a_defect_with_one_wish_is_told_and_the_next_is_baked(board: RedisBakes) -> None:
    class Ill(Oven):
        async def bake(self, task: BakeTask) -> BakedPart:
            if task.template == WISH.template:
                raise RuntimeError("a defect")
            return await super().bake(task)

    oven, other = Ill(), replace(WISH, template="long-sleeve-tee")
    bakery = asyncio.create_task(Bakery(wishes=board, oven=oven, store=MemoryStore()).run())
    await board.wish(WISH)
    told = await outcome_with(board, "bake", "error")
    await board.wish(other)
    async with asyncio.timeout(20):
        while await board.wishes():
            await asyncio.sleep(0.05)
    await stop(bakery)
    assert "a defect" in str(told["error"])
    assert oven.baked == ["front_0deg", "back_180deg"]


async def test_only_one_holds_the_bakery(board: RedisBakes) -> None:
    assert await board.hold("one")
    assert not await board.hold("other")
    assert await board.hold("one")


async def test_a_new_wish_forgets_the_old_outcome(board: RedisBakes) -> None:
    await board.tell(WISH.id, {"bake": "old"})
    await board.wish(WISH)
    assert await board.outcome(WISH.id) == {}
    assert await board.wishes() == [WISH]
