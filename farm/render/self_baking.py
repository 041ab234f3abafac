"""Baking by itself: a garment that a job was traced on, and that is not baked, is baked behind all jobs; if so set."""

from collections.abc import Mapping
from typing import Any, Protocol

from farm.domain.request import Engine
from farm.domain.status import Status
from farm.render import bakes
from farm.render.baker import BakeWish
from farm.render.bulkhead import blocking
from farm.render.ports import ObjectStore
from farm.settings import Settings


class Wishes(Protocol):
    """Where bakes are wished for, see `farm.adapters.redis_bakes`."""

    async def wish(self, wish: BakeWish) -> None: ...

    async def wishes(self) -> list[BakeWish]: ...


class SelfBaking:
    """One coordinator's; told of each job that has ended."""

    def __init__(self, settings: Settings, *, store: ObjectStore, wishes: Wishes) -> None:
        self._settings = settings
        self._store = store
        self._wishes = wishes
        self._seen: set[str] = set()

    async def __call__(self, record: Mapping[str, Any]) -> None:
        """Wish for a bake where one is missing; once for each version of a garment, whatever became of the wish.

        Raises:
            StoreUnavailable, StorageUnavailable, StorageForbidden: it is looked at again after the next job.
        """
        size_px, template = self._settings.bake_unasked_px, record["template"]
        traced = record.get("engine", {}).get("chosen") == Engine.CYCLES and record["status"] == Status.COMPLETED
        if not size_px or not traced or template["hash"] in self._seen:
            return
        wish = BakeWish(
            template=template["id"],
            template_hash=template["hash"],
            size_px=size_px,
            samples=self._settings.bake_samples,
        )
        baked = await blocking(bakes.sizes, self._store, template["id"], template["hash"])
        if not baked and wish.id not in {one.id for one in await self._wishes.wishes()}:
            await self._wishes.wish(wish)
        self._seen.add(template["hash"])
