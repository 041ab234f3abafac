"""The baker: has every view of a template baked, a few at a time, and writes ``bake.json`` last."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

from farm.concurrency import all_of
from farm.domain.ids import new_token
from farm.domain.view import ALL_VIEWS
from farm.errors import BakeBroken, FarmError, ObjectMissing
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.render.bulkhead import blocking
from farm.render.ports import BakeTask, ObjectStore

log = logging.getLogger(__name__)

FILM_SAMPLES = 16
"""Paths per pixel of a film's frames, at most: there are many, and each is seen for a moment."""
ATTEMPTS = 3
"""Of a view, where the failure was of a kind that may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeWish:
    """What somebody wants baked.

    Attributes:
        views: names of the six views.
        film_frames: azimuths of a film to bake besides, evenly round; 0: none.
        measure: whether to find the error of every view.
        larger_px: the size of larger pictures whose error is found besides; 0: of none.
        force: whether to bake what is baked already.
    """

    template: str
    template_hash: str
    size_px: int
    samples: int
    views: tuple[str, ...] = tuple(ALL_VIEWS)
    film_frames: int = 0
    measure: bool = True
    larger_px: int = 0
    force: bool = False

    @property
    def id(self) -> str:
        """Of the work it is: two wishes for one bake are one."""
        return f"bake-{self.template}-{self.size_px}"

    def tasks(self) -> list[BakeTask]:
        """One for each view and for each frame that stands elsewhere; only views are measured."""
        turns = [360.0 * frame / self.film_frames for frame in range(self.film_frames)]
        wanted: dict[str, tuple[str, float | None]] = {view: (view, None) for view in self.views}
        for azimuth_deg in turns:
            name = bakes.part_name(ALL_VIEWS[0], azimuth_deg)
            wanted.setdefault(name, (name, None) if name in ALL_VIEWS else (ALL_VIEWS[0], azimuth_deg))
        return [
            BakeTask(
                template=self.template,
                template_hash=self.template_hash,
                view=view,
                azimuth_deg=azimuth_deg,
                size_px=self.size_px,
                samples=self.samples if azimuth_deg is None else min(self.samples, FILM_SAMPLES),
                token=new_token(),
                measure=self.measure and azimuth_deg is None,
                larger_px=self.larger_px if azimuth_deg is None else 0,
                force=self.force,
            )
            for view, azimuth_deg in wanted.values()
        ]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "views": tuple(data["views"])})


async def bake(
    wish: BakeWish,
    *,
    work: Callable[[BakeTask], Awaitable[BakedPart]],
    store: ObjectStore,
    on_part: Callable[[BakedPart], Awaitable[None]],
) -> Bake:
    """Have everything baked that the wish names and that is not there yet.

    Cancelled, it returns when the running views have stopped; what is finished stays, and is found the next time.

    Args:
        work: bakes one view.
        on_part: told of each finished view.

    Raises:
        FarmError: what the first view that could not be baked ended with.
    """
    parts: dict[str, BakedPart] = {}

    async def one(task: BakeTask) -> None:
        part = await _persistently(work, task)
        parts[part.name] = part
        await on_part(part)

    await all_of(one(task) for task in wish.tasks())
    return await blocking(_conclude, store, wish, parts)


async def _persistently(work: Callable[[BakeTask], Awaitable[BakedPart]], task: BakeTask) -> BakedPart:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await work(task)
        except FarmError as error:
            if attempt == ATTEMPTS or not error.retryable:
                raise
            log.warning("baking %s failed, trying again: %s", task.view, error)
            await asyncio.sleep(attempt)
    raise AssertionError("the last attempt returns or raises")


def _conclude(store: ObjectStore, wish: BakeWish, parts: dict[str, BakedPart]) -> Bake:
    """Write ``bake.json``; what an earlier wish baked and this one did not name stays in it."""
    key = bakes.index_key(wish.template, wish.template_hash, wish.size_px)
    try:
        earlier = dict(Bake.from_json(store.get(key)).parts)
    except (ObjectMissing, BakeBroken):
        earlier = {}
    merged = {**earlier, **parts}
    result = Bake(
        template=wish.template,
        template_hash=wish.template_hash,
        size_px=wish.size_px,
        parts={name: merged[name] for name in sorted(merged)},
    )
    store.put(key, result.to_json(), content_type="application/json")
    return result
