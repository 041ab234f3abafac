"""A coordinator's bakery: looks for wished bakes, and has them baked while it is the farm's one baker."""

import asyncio
import logging
from typing import Any, Protocol

from farm.concurrency import stop_all
from farm.domain.ids import new_token
from farm.errors import FarmError, describe
from farm.render.baker import BakeWish, bake
from farm.render.bakes import BakedPart
from farm.render.ports import BakeTask, ObjectStore

log = logging.getLogger(__name__)

LOOK_S = 1.0


class Oven(Protocol):
    """What bakes one view, see `farm.actors.workers`."""

    async def bake(self, task: BakeTask) -> BakedPart: ...


class Wishes(Protocol):
    """Where bakes are wished for, see `farm.adapters.redis_bakes`."""

    async def wishes(self) -> list[BakeWish]: ...

    async def withdraw(self, wish_id: str) -> None: ...

    async def tell(self, wish_id: str, outcome: dict[str, Any]) -> None: ...

    async def hold(self, baker: str) -> bool: ...


class Bakery:
    """One coordinator's; of several only one is at work."""

    def __init__(self, *, wishes: Wishes, oven: Oven, store: ObjectStore) -> None:
        self._wishes = wishes
        self._oven = oven
        self._store = store
        self._name = new_token()

    async def run(self) -> None:
        """Until cancelled; a store that is away is waited for."""
        while True:
            try:
                wanted = await self._wishes.wishes()
                if wanted and await self._wishes.hold(self._name):
                    await self._bake(wanted[0])
            except FarmError as error:
                log.warning("the bakery waits: %s", error)
            except Exception:
                log.exception("the bakery met a defect; it looks again")
            await asyncio.sleep(LOOK_S)

    async def _bake(self, wish: BakeWish) -> None:
        done: list[str] = []
        views = len(wish.tasks())

        async def tell_of(part: BakedPart) -> None:
            done.append(part.name)
            await self._wishes.tell(wish.id, {"done": done, "views": views})

        await self._wishes.tell(wish.id, {"done": [], "views": views})
        log.info("baking %s", wish.id)
        work = asyncio.create_task(bake(wish, work=self._oven.bake, store=self._store, on_part=tell_of))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=LOOK_S)
                if not await self._still_wanted(wish):
                    log.info("%s is no longer wanted", wish.id)
                    return
            try:
                result = work.result()
            except Exception as error:  # a defect too: kept, this wish would be tried for ever before all others
                log.warning("%s failed: %r", wish.id, error)
                outcome = {"done": done, "views": views, "error": describe(error)}
            else:
                outcome = {"done": done, "views": views, "bake": result.id}
            await self._wishes.tell(wish.id, outcome)
            await self._wishes.withdraw(wish.id)
        finally:
            await stop_all(work)

    async def _still_wanted(self, wish: BakeWish) -> bool:
        return await self._wishes.hold(self._name) and wish in await self._wishes.wishes()
