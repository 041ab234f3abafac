"""The stores the contract runs on, each with a way to let its time pass."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.memory_journal import open_memory
from farm.adapters.redis_journal import open_redis
from farm.saga.clock import FakeClock
from farm.saga.journal import Draft, EntryKind, Projection
from farm.saga.store import Store

_namespaces = count(1)


@dataclass(frozen=True)
class Subject:
    """A store under test.

    Attributes:
        again: another store object on the same data, as another process would have; the same one in memory.
        pass_time: lets so many seconds go by, on the store's clock.
    """

    store: Store
    again: Store
    pass_time: Callable[[float], Awaitable[None]]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("journal"))
    yield store
    store.stop()


@pytest.fixture(params=["memory", "redis"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "memory":
        clock = FakeClock()
        store = open_memory(clock)
        yield Subject(store, store, clock.advance)
        return
    server: EmbeddedStore = request.getfixturevalue("server")
    namespace = f"test{next(_namespaces)}"
    store = open_redis(server.url, namespace=namespace)
    again = open_redis(server.url, namespace=namespace)
    yield Subject(store, again, asyncio.sleep)
    await store.close()
    await again.close()


def projection(
    *,
    live: bool = True,
    created_at_s: float = 1000.0,
    priority: int = 0,
    tenant: str = "",
    due_at_s: float | None = None,
    index: dict[str, str] | None = None,
    events: tuple[dict[str, object], ...] = (),
    **record: object,
) -> Projection:
    return Projection(
        record=record,
        index=index or {},
        created_at_s=created_at_s,
        live=live,
        priority=priority,
        tenant=tenant,
        due_at_s=due_at_s,
        events=events,
    )


CREATED = (Draft(kind=EntryKind.CREATED, data={"n": 1, "empty": [], "none": None, "text": "ä\u2028\"'\\"}),)
STARTED = (Draft(kind=EntryKind.STEP_STARTED, step="one", attempt=1),)
NOTED = (Draft(kind=EntryKind.NOTED, step="one", attempt=1, data={"note": {"x": 1.5}}),)
FAILED = (Draft(kind=EntryKind.FAILED, data={"error": None, "compensation_pending": False}),)
PENDING = (Draft(kind=EntryKind.FAILED, data={"error": None, "compensation_pending": True}),)

__all__ = ["CREATED", "FAILED", "NOTED", "PENDING", "STARTED", "Path", "Subject", "projection", "server", "subject"]
