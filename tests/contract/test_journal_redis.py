"""What only a real server can show: kills, restarts, full memory, writes on disk."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_journal import open_redis
from farm.errors import StoreNotDurable, StoreUnavailable
from farm.saga.engine import Engine
from farm.saga.lease import Lease
from farm.saga.retry import NO_RETRY, RetryPolicy
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition, StepContext
from farm.saga.store import Store
from tests.contract.journal_stores import CREATED, FAILED, projection
from tests.unit.saga.sagas import project

TTL_S = 3.0


@dataclass(frozen=True)
class Counting:
    """A step that counts its finished runs per saga and takes its time."""

    name: str
    runs: dict[str, int] = field(default_factory=dict)
    takes_s: float = 0.05
    retry: RetryPolicy = NO_RETRY
    timeout_s: float = 60.0

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        await asyncio.sleep(self.takes_s)
        self.runs[ctx.saga_id] = self.runs.get(ctx.saga_id, 0) + 1
        return {}

    async def compensate(self, ctx: StepContext) -> None:
        raise AssertionError("nothing failed")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    EmbeddedStore.start(tmp_path)
    yield tmp_path
    if (running := EmbeddedStore.connect(tmp_path)) is not None:
        running.stop()


@pytest.fixture
async def store(home: Path) -> AsyncIterator[Store]:
    server = EmbeddedStore.start(home)
    store = open_redis(server.url)
    yield store
    await store.close()


@pytest.fixture
def admin(home: Path) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(EmbeddedStore.start(home).url) as client:
        yield client


async def begun(store: Store, count: int, saga: SagaDefinition) -> list[asyncio.Task[SagaState]]:
    """Sagas that are being driven."""
    for n in range(count):
        await store.journal.create(f"s{n}", CREATED, projection(created_at_s=1.0))
    engine = Engine(store, projector=project)
    leases = await store.leases.claim("me", ttl_s=TTL_S, limit=count)
    assert len(leases) == count
    return [asyncio.create_task(engine.drive(lease, saga)) for lease in leases]


def kill(home: Path) -> None:
    """As a crash would, without a last word."""
    server = EmbeddedStore.connect(home)
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)


async def test_sagas_outlive_a_killed_store_even_longer_than_their_leases(home: Path, store: Store) -> None:
    steps = tuple(Counting(name) for name in ("one", "two", "three"))
    drives = await begun(store, 40, SagaDefinition(name="counting", steps=steps))
    await asyncio.sleep(0.08)
    kill(home)
    await asyncio.sleep(TTL_S + 0.5)
    EmbeddedStore.start(home)
    states = await asyncio.wait_for(asyncio.gather(*drives), 30)
    assert {state.phase for state in states} == {SagaPhase.COMPLETED}
    for step in steps:
        assert step.runs == {f"s{n}": 1 for n in range(40)}
    for n in range(40):
        assert [e.number for e in await store.events.read(f"s{n}")] == list(range(1, 8))
    assert await store.records.count({"phase": "completed"}) == 40


async def test_a_full_store_pauses_sagas_and_refuses_new_ones(store: Store, admin: redis.Redis) -> None:
    drives = await begun(store, 5, SagaDefinition(name="counting", steps=(Counting("one"), Counting("two"))))
    admin.config_set("maxmemory", "1mb")
    with pytest.raises(StoreUnavailable):
        await store.journal.create("late", CREATED, projection())
    assert await store.records.get("late") is None
    await asyncio.sleep(0.5)
    assert not any(drive.done() for drive in drives)
    admin.config_set("maxmemory", "0")
    states = await asyncio.wait_for(asyncio.gather(*drives), 30)
    assert {state.phase for state in states} == {SagaPhase.COMPLETED}


async def test_what_was_acknowledged_is_there_after_a_kill(home: Path, store: Store) -> None:
    accepted = await asyncio.gather(*(store.journal.create(f"s{n}", CREATED, projection()) for n in range(200)))
    kill(home)
    EmbeddedStore.start(home)
    assert len(accepted) == 200
    await asyncio.sleep(0.1)  # the client sees its connections end
    assert await store.records.count() == 200
    kill(home)
    with pytest.raises(StoreUnavailable):
        await store.records.count()


async def test_a_store_that_syncs_late_is_asked_to_sync_behind_every_write(store: Store, admin: redis.Redis) -> None:
    admin.config_set("appendfsync", "everysec")
    await store.journal.create("a", CREATED, projection())
    admin.config_resetstat()
    await store.journal.create("b", CREATED, projection())
    lease = await store.leases.acquire("a", "me", 30.0)
    assert lease is not None
    await store.journal.append(lease, 1, FAILED, projection(live=False))
    await store.records.get("a")
    waits = admin.info("commandstats")["cmdstat_waitaof"]
    assert waits["calls"] >= 2  # once more when the server did not know the script yet
    assert waits["failed_calls"] == waits["rejected_calls"] == 0


async def test_a_store_that_keeps_nothing_is_refused(store: Store, admin: redis.Redis) -> None:
    admin.config_set("appendonly", "no")
    with pytest.raises(StoreNotDurable):
        await store.ping()
    with pytest.raises(StoreNotDurable):
        await store.journal.create("a", CREATED, projection())


async def test_a_store_that_forgot_the_scripts_is_told_again(store: Store, admin: redis.Redis) -> None:
    await store.journal.create("a", CREATED, projection())
    admin.script_flush()
    await asyncio.gather(*(store.journal.create(f"s{n}", CREATED, projection()) for n in range(10)))
    assert await store.records.count() == 11


async def test_an_ended_and_compacted_saga_takes_little(store: Store, admin: redis.Redis) -> None:
    data = {"text": "x" * 400}
    events: tuple[dict[str, object], ...] = tuple({"type": "render.job.progress", "text": "x" * 100} for _ in range(12))

    async def whole(saga_id: str) -> None:
        shown = projection(id=saga_id, request=data, index={"tenant": "t", "status": "completed"}, events=events)
        await store.journal.create(saga_id, CREATED, shown)
        lease: Lease | None = await store.leases.acquire(saga_id, "me", 30.0)
        assert lease is not None
        await store.journal.append(lease, 1, FAILED, projection(live=False, request=data))
        assert await store.journal.compact(saga_id)

    def kept_bytes() -> int:
        # Without what connections and the log's buffer hold for the moment; what is freed is freed in the background.
        while admin.info("memory")["lazyfree_pending_objects"]:
            time.sleep(0.01)
        return int(admin.info("memory")["used_memory_dataset"])

    await whole("first")
    before = kept_bytes()
    await asyncio.gather(*(whole(f"s{n}") for n in range(300)))
    assert (kept_bytes() - before) / 300 < 7000
    admin.delete("farm:events")  # capped over all sagas, so no saga's own
    assert (kept_bytes() - before) / 300 < 4500


async def test_hundreds_of_followers_leave_the_journal_its_connections(store: Store) -> None:
    await store.journal.create("a", CREATED, projection())
    lease = await store.leases.acquire("a", "me", 30.0)
    assert lease is not None

    async def first() -> int:
        async with aclosing(store.events.follow("a")) as events:
            async for event in events:
                if event is not None:
                    return event.number
        return 0

    followers = [asyncio.create_task(first()) for _ in range(300)]
    await asyncio.sleep(0.5)
    await store.journal.append(lease, 1, FAILED, projection(live=False, events=({"n": 1},)))
    assert await asyncio.wait_for(asyncio.gather(*followers), 10) == [1] * 300


async def test_what_was_queued_before_there_were_turns_goes_first_in_its_order(
    store: Store, admin: redis.Redis
) -> None:
    for n in range(4):
        await store.journal.create(f"old{n}", CREATED, projection(tenant="big"))
        order = n + 1  # as it was then: the number of its arrival
        admin.hset(f"farm:s:old{n}", "ord", order)
        admin.zadd("farm:queue", {f"old{n}": order})
    admin.delete("farm:turn", "farm:turns:0")
    (lease,) = await store.leases.claim("me", ttl_s=30.0, limit=1)
    assert lease.saga_id == "old0"
    for n in range(3):
        await store.journal.create(f"big{n}", CREATED, projection(tenant="big"))
    await store.journal.create("small", CREATED, projection(tenant="small"))
    claimed = await store.leases.claim("me", ttl_s=30.0, limit=5)
    assert [lease.saga_id for lease in claimed[:3]] == ["old1", "old2", "old3"]
    assert {lease.saga_id for lease in claimed[3:]} == {"big0", "small"}


async def test_turns_of_tenants_with_nothing_waiting_are_not_kept(store: Store, admin: redis.Redis) -> None:
    for n in range(50):
        await store.journal.create(f"s{n}", CREATED, projection(tenant=f"tenant{n}"))
    assert len(await store.leases.claim("me", ttl_s=30.0, limit=50)) == 50
    for n in range(2):
        await store.journal.create(f"t{n}", CREATED, projection(tenant="one"))
    await store.leases.claim("me", ttl_s=30.0, limit=50)
    assert admin.zcard("farm:turns:0") == 1
