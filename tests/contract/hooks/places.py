"""Webhooks over each adapter: the sagas whose events they tell, and a way to let their time pass."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_hooks import HookWorld, MemoryEndpoints, MemoryOutbox
from farm.adapters.memory_journal import open_memory
from farm.adapters.redis_hooks import RedisEndpoints, RedisOutbox
from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_link import RedisLink
from farm.notify.ports import EndpointBook, Outbox
from farm.saga.clock import Clock, FakeClock, SystemClock
from farm.saga.journal import Draft, EntryKind, Projection
from farm.saga.store import Store

MOST = 20
KEEP_S = 3600.0
_namespaces = count(1)


@dataclass(kw_only=True)
class Place:
    sagas: Store
    book: EndpointBook
    outbox: Outbox
    clock: Clock
    pass_time: Callable[[float], Awaitable[None]]
    url: str = ""
    namespace: str = ""

    async def happens(self, job_id: str, *types: str, tenant: str = "default") -> None:
        """A job of that name comes to be, with these events."""
        events = [{"specversion": "1.0", "type": kind, "subject": job_id, "data": {}} for kind in types]
        projection = Projection(
            record={"id": job_id, "tenant": tenant},
            index={"tenant": tenant},
            created_at_s=self.clock.wall_s(),
            live=True,
            priority=0,
            events=events,
        )
        await self.sagas.journal.create(job_id, (Draft(kind=EntryKind.CREATED, data={}),), projection)


@asynccontextmanager
async def place(kind: str, request: Any, *, most: int = MOST) -> AsyncIterator[Place]:
    if kind == "memory":
        clock = FakeClock(wall_s=time.time())  # the reference library looks at the age of a delivery
        sagas, world = open_memory(clock), HookWorld(clock)
        yield Place(
            sagas=sagas,
            book=MemoryEndpoints(world, sagas.events),
            outbox=MemoryOutbox(world, keep_s=KEEP_S, most=most),
            clock=clock,
            pass_time=clock.advance,
        )
        return
    server: EmbeddedStore = request.getfixturevalue("server")
    link = RedisLink(server.url, namespace=f"hooks{next(_namespaces)}")
    sagas = open_linked(link)
    try:
        yield Place(
            sagas=sagas,
            book=RedisEndpoints(link, sagas.events, keep_s=KEEP_S),
            outbox=RedisOutbox(link, keep_s=KEEP_S, most=most),
            clock=SystemClock(),
            pass_time=asyncio.sleep,
            url=server.url,
            namespace=link.namespace,
        )
    finally:
        await sagas.close()
