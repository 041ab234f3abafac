"""Previews: relit pictures of the views that are still being traced, so that something is to be seen at once.

They are made beside the job, never for it: nothing waits for them, nothing fails with them, and they lie under attempts
of their own, which go with all attempts. They are neither outputs nor kept for equal work.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from farm.concurrency import stop_all
from farm.domain.ids import new_token
from farm.errors import FarmError
from farm.render import bakes
from farm.render.bulkhead import blocking
from farm.render.ports import ViewTask
from farm.render.steps.parts import Parts
from farm.render.steps.shots import Camera, Shot
from farm.saga.step import StepContext

log = logging.getLogger(__name__)

PREVIEW = "preview-"
"""Begins the token of a preview's attempt."""
MOST_PX = 1024
DEADLINE_S = 60.0
GRACE_S = 0.5
"""How long the last preview may go on when all views are there: stopping it would end a process that is warm."""


@asynccontextmanager
async def previewing(
    parts: Parts, ctx: StepContext, camera: Camera, views: Sequence[str], done: Collection[str]
) -> AsyncIterator[None]:
    """Have previews made during the body; when this ends none is being made any more.

    Args:
        views: to show, in this order.
        done: the views whose own picture is there; grows meanwhile.
    """
    if not views:
        yield
        return
    making = asyncio.create_task(_make(parts, ctx, camera, views, done), name=f"previews of {ctx.saga_id}")
    try:
        yield
        await asyncio.wait({making}, timeout=GRACE_S)
    finally:
        await _stopped(making)


async def _stopped(making: "asyncio.Task[None]") -> None:
    """End it and wait until it has ended, whoever cancels meanwhile: a late file would lie there for ever."""
    try:
        await stop_all(making)
    finally:
        if not making.cancelled() and (error := making.exception()) is not None:
            log.info("previews ended: %r", error)  # among them that the job is another's, which its views find out too


async def _make(parts: Parts, ctx: StepContext, camera: Camera, views: Sequence[str], done: Collection[str]) -> None:
    template = ctx.input["template"]
    made = await _or_nothing(blocking(bakes.finished, parts.store, template["id"], template["hash"]))
    shown = {note["view"] for note in ctx.notes if note.get("event") == "preview_done"}
    for view in views:
        sizes = [bake.size_px for bake in made or () if view in bake.parts]
        if not sizes or view in shown or view in done:
            continue
        task = _task(ctx, camera, view, max(sizes))
        result = await _or_nothing(parts.workers.relight(task))
        if result is not None and view not in done:
            await ctx.note({"event": "preview_done", "view": view, "key": result.artifact.key})


def _task(ctx: StepContext, camera: Camera, view: str, baked_px: int) -> ViewTask:
    """As of the view itself, but no larger than it is baked, and than one looks at."""
    request = ctx.input["request"]
    return replace(
        camera.task(Shot(view=view), PREVIEW + new_token(), 1),
        request={**request, "size": min(int(request["size"]), baked_px, MOST_PX)},
        deadline_s=DEADLINE_S,
        preview=True,
    )


async def _or_nothing(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except FarmError as error:
        log.info("a preview is left out: %s", error)
        return None
