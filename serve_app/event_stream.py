"""A job's events as a stream that a browser can resume."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi.sse import ServerSentEvent

from farm.domain.event import EventType
from farm.render.service import FarmService

RETRY_MS = 1000
"""How long a browser waits before it comes back."""
PROGRESS_S = 0.5
LASTING_S = 240.0
"""A stream ends politely after this, before anything between here and there cuts it; the browser resumes."""


async def job_events(
    service: FarmService, job_id: str, *, after: int, lasting_s: float = LASTING_S
) -> AsyncIterator[ServerSentEvent]:
    """The events behind number ``after`` as they come, the progress of running views in between.

    Only events of the journal carry an id: progress is of the moment, and a resumed stream tells it anew.
    """
    found: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue(maxsize=64)
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(_tell(service, job_id, after, found))
        moving = group.create_task(_move(service, job_id, found))
        try:
            async with asyncio.timeout(lasting_s):
                while (event := await found.get()) is not None:
                    yield event
        except TimeoutError:
            pass
        finally:
            telling.cancel()
            moving.cancel()


async def _tell(service: FarmService, job_id: str, after: int, found: "asyncio.Queue[ServerSentEvent | None]") -> None:
    async for event in service.follow(job_id, after):
        await found.put(ServerSentEvent(data=event, event=event["type"], id=str(event["sequence"]), retry=RETRY_MS))
    await found.put(None)


async def _move(service: FarmService, job_id: str, found: "asyncio.Queue[ServerSentEvent | None]") -> None:
    last: Mapping[str, float] = {}
    while True:
        await asyncio.sleep(PROGRESS_S)
        live = await service.progress(job_id)
        if live and live != last:
            last = live
            record = await service.get(job_id)
            data: dict[str, Any] = {
                "progress": record["progress"],
                "eta_s": record["eta_s"],
                "views": {view["view"]: view["progress"] for view in record["views"]},
            }
            await found.put(ServerSentEvent(data=data, event=str(EventType.PROGRESS)))
