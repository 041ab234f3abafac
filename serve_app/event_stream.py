"""A job's events as a stream that a browser can resume."""

import asyncio
from collections.abc import AsyncGenerator

from fastapi.sse import ServerSentEvent

from farm.domain.event import EventType
from serve_app.followers import Followers

RETRY_MS = 1000
"""How long a browser waits before it comes back."""
LASTING_S = 240.0
"""A stream ends politely after this, before anything between here and there cuts it; the browser resumes."""


async def job_events(
    followers: Followers, job_id: str, *, after: int, lasting_s: float = LASTING_S
) -> AsyncGenerator[ServerSentEvent]:
    """The events behind number ``after`` as they come, the progress of running views in between.

    Only events of the journal carry an id: progress is of the moment, and a resumed stream tells it anew. A viewer who
    reads slowly misses progress and no event, and holds up nobody.

    Nothing is yielded within a time-out or a task group (PEP 789): a reader that goes away would be cancelled in the
    wrong task, and an error would end the stream as a group.
    """
    loop = asyncio.get_running_loop()
    ends_s, moves = loop.time() + lasting_s, 0
    with followers.watching(job_id) as job:
        while True:
            changed = job.changed
            for event in job.after(after):
                after = event["sequence"]
                yield ServerSentEvent(data=event, event=event["type"], id=str(after), retry=RETRY_MS)
            if job.over:
                if job.after(after):
                    continue
                return
            if job.moves != moves:
                moves = job.moves
                yield ServerSentEvent(data=job.progress, event=str(EventType.PROGRESS))
            try:
                await asyncio.wait_for(changed.wait(), ends_s - loop.time())
            except TimeoutError:
                return
