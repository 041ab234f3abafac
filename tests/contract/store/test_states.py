"""What a server turns into while a farm is connected to it: a replica, a forgetful one, one that refuses."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.adapters.backup_file import read_backup, write_backup
from farm.adapters.redis_heartbeat import RedisProgressBoard, RedisPulse, ping
from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_records import RedisDoorbell
from farm.doctor.parts import ping_store
from farm.errors import StoreNotDurable, StoreNotWritable, StoreUnavailable
from farm.render.tasks.heartbeat import Beat, Grant, ProcessId
from farm.saga.clock import settle
from farm.saga.store import Store
from tests.contract.journal_stores import CREATED, projection
from tests.contract.servers.doorway import doorway
from tests.contract.servers.valkey import DURABLE, Server, failover, in_step, valkey
from tests.ports import free_port


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("pair")
    with valkey(folder / "one") as one, valkey(folder / "two") as two:
        two.follow(one)
        yield one, two


@pytest.fixture
def pair(both: tuple[Server, Server]) -> tuple[Server, Server]:
    """A primary and its replica, with nothing in them."""
    one, two = both if both[0].role() == "master" else both[::-1]
    with one.admin() as admin:
        admin.flushall()
    in_step(one)
    return one, two


async def accepted(store: Store, name: str, *, within_s: float = 15.0) -> int:
    """Accept once the store takes it; how often it was refused before."""
    refused = 0
    async with asyncio.timeout(within_s):
        while True:
            try:
                await store.journal.create(name, CREATED, projection())
                return refused
            except StoreUnavailable:
                refused += 1
                await asyncio.sleep(0.05)


async def test_a_planned_failover_refuses_nobody(
    pair: tuple[Server, Server], open_store: Callable[[str], Store]
) -> None:
    one, two = pair
    async with doorway(one.port) as door:
        store = open_store(door.url)
        for number, (old, new) in enumerate([(one, two), (two, one)]):
            await asyncio.gather(*(store.journal.create(f"{number}a{n}", CREATED, projection()) for n in range(20)))
            failover(old, new)
            door.target = new.port
            for n in range(20):
                await store.journal.create(f"{number}b{n}", CREATED, projection())
            await store.ping()
            in_step(new)
        assert await store.records.count() == 80


async def test_readiness_asks_for_what_a_write_would_meet(
    pair: tuple[Server, Server], open_store: Callable[[str], Store]
) -> None:
    one, two = pair
    store = open_store(one.url)
    await store.ping()
    failover(one, two)
    with pytest.raises(StoreNotWritable, match="READONLY"):
        await store.ping()
    with pytest.raises(StoreNotWritable, match="READONLY"):
        await store.records.get("a")  # it would answer, of yesterday
    failover(two, one)
    await store.ping()


async def test_all_connections_leave_a_server_that_one_of_them_finds_changed(
    pair: tuple[Server, Server], open_link: Callable[[str], RedisLink]
) -> None:
    one, two = pair
    async with doorway(one.port) as door:
        connections = open_link(door.url).connections
        await asyncio.gather(*(connections.client.blpop(["nothing"], timeout=0.3) for _ in range(20)))
        failover(one, two)
        door.target = two.port
        with pytest.raises(Exception, match="read only"):
            await connections.client.set("a", 1)
        for _ in range(25):  # more than there are connections
            await connections.client.set("a", 1)


async def test_a_doorbell_is_not_left_hanging_on_the_old_server(
    pair: tuple[Server, Server], open_link: Callable[[str], RedisLink]
) -> None:
    one, two = pair
    async with doorway(one.port) as door:
        link = open_link(door.url)

        async def heard() -> None:
            async for _ in RedisDoorbell(link).listen():
                pass

        listening = asyncio.create_task(heard())
        await link.check()
        await asyncio.sleep(0.2)
        failover(one, two)
        door.target = two.port
        await link.check()  # somebody of this process notices
        with pytest.raises(StoreUnavailable, match="replaced"):
            await asyncio.wait_for(listening, 10)


def test_a_worker_beats_on_after_a_failover(pair: tuple[Server, Server]) -> None:
    one, two = pair

    async def steps() -> None:
        async with doorway(one.port) as door:
            pulse = RedisPulse(door.url)
            grant = Grant(job_id="job_1", name="front", epoch=1)
            beat = Beat(process=ProcessId.parse("n/1/1"), fraction=0.5, ticks=1, phase="render")
            await asyncio.to_thread(pulse.beat, grant, beat, ttl_s=30.0)
            with one.admin() as admin:
                admin.set("farm:beat:fence:job_1:front", 1)
            assert await asyncio.to_thread(pulse.beat, grant, beat, ttl_s=30.0)
            in_step(one)
            failover(one, two)
            door.target = two.port
            with pytest.raises(StoreNotWritable):
                await asyncio.to_thread(pulse.beat, grant, beat, ttl_s=30.0)
            assert await asyncio.to_thread(pulse.beat, grant, beat, ttl_s=30.0)
            pulse.close()

    asyncio.run(steps())


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
async def test_a_restart_without_the_file_is_refused_at_once(
    tmp_path: Path, appendfsync: str, caplog: pytest.LogCaptureFixture, open_store: Callable[[str], Store]
) -> None:
    port = free_port()
    durable = ("--appendonly", "yes", "--appendfsync", appendfsync)
    with valkey(tmp_path / "a", *durable, port=port) as server:
        store = open_store(server.url)
        await store.journal.create("first", CREATED, projection())
    with valkey(tmp_path / "b", "--appendonly", "no", port=port) as server:
        await settle()
        with pytest.raises(StoreNotDurable):
            await store.journal.create("s0", CREATED, projection())
        with pytest.raises(StoreNotDurable) as refused:
            await store.journal.create("s1", CREATED, projection())
        assert refused.value.retryable
        assert "appendonly yes" in refused.value.hint
        with pytest.raises(StoreNotDurable):
            await store.ping()
        assert await store.records.count() == 0, "nothing of what was refused was written"
        assert caplog.text.count("NOTHING IS ACCEPTED") == 1
        with server.admin() as admin:
            admin.config_set("appendonly", "yes")
        await accepted(store, "second")
        await store.ping()


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
@pytest.mark.parametrize("kill", [True, False])
async def test_a_file_that_is_turned_off_is_noticed_with_or_without_a_new_connection(
    tmp_path: Path, appendfsync: str, kill: bool, open_store: Callable[[str], Store]
) -> None:
    with valkey(tmp_path, "--appendonly", "yes", "--appendfsync", appendfsync) as server:
        store = open_store(server.url)
        await store.journal.create("first", CREATED, projection())
        with server.admin() as admin:
            admin.config_set("appendonly", "no")
            if kill:
                admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.05)
        for name in ("second", "third"):
            with pytest.raises(StoreNotDurable):
                await store.journal.create(name, CREATED, projection())


async def test_a_primary_without_its_replicas_is_waited_for(
    tmp_path: Path, open_link: Callable[[str], RedisLink]
) -> None:
    options = (*DURABLE, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")
    with valkey(tmp_path / "one", *options) as one, valkey(tmp_path / "two") as two:
        link = open_link(one.url)
        store = open_linked(link)
        with pytest.raises(StoreNotWritable, match="NOREPLICAS") as refused:
            await store.ping()
        assert "replicas" in refused.value.hint
        with pytest.raises(StoreNotWritable, match="NOREPLICAS"):
            await store.journal.create("a", CREATED, projection())
        with pytest.raises(StoreNotWritable, match="NOREPLICAS"):
            await RedisProgressBoard(link.client).report("job_1", "front", 0.5)  # a transaction words it otherwise
        two.follow(one)
        await accepted(store, "a")
        await store.ping()


async def test_a_full_disk_or_memory_is_said_by_readiness(tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    with valkey(tmp_path) as server, server.admin() as admin:
        store = open_store(server.url)
        await store.ping()
        admin.config_set("maxmemory", "1mb")
        with pytest.raises(StoreNotWritable, match="OOM"):
            await store.ping()
        admin.config_set("maxmemory", "0")
        await store.ping()


async def test_a_server_that_reads_its_data_is_waited_for(tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    port = free_port()
    options = (*DURABLE, "--enable-debug-command", "yes")
    with valkey(tmp_path, *options, port=port) as server:
        store = open_store(server.url)
        await store.journal.create("a", CREATED, projection())
        with server.admin() as admin:
            admin.execute_command("DEBUG", "POPULATE", 2000, "k", 100)
            admin.config_set("key-load-delay", 500)  # microseconds for each key: it reads for a second
            loading = asyncio.create_task(asyncio.to_thread(admin.execute_command, "DEBUG", "LOADAOF"))
            await asyncio.sleep(0.1)
            await accepted(store, "b")
            await loading


async def test_a_changed_password_is_a_state_and_no_end(tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    port = free_port()
    with valkey(tmp_path, port=port) as server, server.admin() as admin:
        store = open_store(f"redis://:right@127.0.0.1:{port}/0")
        admin.config_set("requirepass", "right")
        await store.journal.create("a", CREATED, projection())
        admin.config_set("requirepass", "other")
        admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.05)
        with pytest.raises(StoreUnavailable, match="does not know us") as refused:
            await store.journal.create("b", CREATED, projection())
        assert refused.value.retryable
        admin.config_set("requirepass", "right")
        await store.journal.create("b", CREATED, projection())


async def test_looking_leaves_nothing_and_a_restore_refuses_a_store_that_forgets(
    tmp_path: Path, open_store: Callable[[str], Store]
) -> None:
    with valkey(tmp_path / "good") as good, valkey(tmp_path / "bad", "--appendonly", "no") as bad:
        await open_store(good.url).ping()
        await asyncio.to_thread(ping_store, good.url, what="FARM_REDIS_URL")
        with good.admin() as admin:
            assert admin.dbsize() == 0
        await asyncio.to_thread(write_backup, good.url, tmp_path / "backup")
        with pytest.raises(StoreNotDurable):
            await asyncio.to_thread(read_backup, bad.url, tmp_path / "backup")
        await asyncio.to_thread(read_backup, good.url, tmp_path / "backup")


def test_a_node_that_reaches_a_replica_is_told_so(pair: tuple[Server, Server]) -> None:
    one, two = pair
    ping(one.url)
    with pytest.raises(StoreNotWritable, match="replica"):
        ping(two.url)
