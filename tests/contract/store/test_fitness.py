"""Which servers the farm may trust with a job, and how it says so before a job finds out."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.doctor.parts import ping_store
from farm.errors import FarmError, StoreEvicts, StoreNotDurable, StoreNotWritable, StoreTooOld
from farm.saga.store import Store
from tests.contract.journal_stores import CREATED, projection
from tests.contract.servers.valkey import DURABLE, valkey

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
NO_WAITAOF = ("--rename-command", "WAITAOF", "")
NO_CONFIG = ("--rename-command", "CONFIG", "")
UNFIT = {
    "forgets": (("--appendonly", "no"), StoreNotDurable, "appendonly yes"),
    "old": ((*DURABLE, *NO_WAITAOF), StoreTooOld, "appendfsync always"),
    "old, tells nothing": ((*ALWAYS, *NO_WAITAOF, *NO_CONFIG), StoreTooOld, "CONFIG GET"),
    "evicts": ((*DURABLE[:4], "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"), StoreEvicts, "noeviction"),
    "evicts some": ((*ALWAYS, "--maxmemory-policy", "volatile-ttl"), StoreEvicts, "noeviction"),
}
FIT = {
    "waits for the disk": DURABLE,
    "syncs always": ALWAYS,
    "old, but syncs always": (*ALWAYS, *NO_WAITAOF),
    "tells nothing, but confirms": (*DURABLE, *NO_CONFIG),
}


@pytest.mark.parametrize("kind", UNFIT)
async def test_an_unfit_server_is_named_by_the_doctor_by_readiness_and_to_whoever_submits(
    kind: str, tmp_path: Path, open_store: Callable[[str], Store], caplog: pytest.LogCaptureFixture
) -> None:
    options, error, remedy = UNFIT[kind]
    with valkey(tmp_path, *options) as server:
        check = await asyncio.to_thread(ping_store, server.url, what="FARM_REDIS_URL")
        assert (check.ok, check.fatal) == (False, True)
        assert remedy in check.hint
        store = open_store(server.url)
        with pytest.raises(error):
            await store.ping()
        with pytest.raises(error) as refused:
            await store.journal.create("a", CREATED, projection())
        assert refused.value.retryable
        assert remedy in refused.value.hint
        assert await store.records.get("a") is None, "readers go on, and nothing was written"
        assert caplog.text.count("NOTHING IS ACCEPTED") == 1


@pytest.mark.parametrize("kind", FIT)
async def test_a_fit_server_is_trusted(kind: str, tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    with valkey(tmp_path, *FIT[kind]) as server:
        check = await asyncio.to_thread(ping_store, server.url, what="FARM_REDIS_URL")
        assert check.ok, check
        store = open_store(server.url)
        await store.ping()
        await store.journal.create("a", CREATED, projection())
        assert await store.records.count() == 1


async def test_what_was_mended_works_without_a_restart(tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    options, error, _ = UNFIT["evicts"]
    with valkey(tmp_path, *options) as server, server.admin() as admin:
        store = open_store(server.url)
        with pytest.raises(error):
            await store.journal.create("a", CREATED, projection())
        admin.config_set("maxmemory-policy", "noeviction")
        await store.journal.create("a", CREATED, projection())
        admin.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(error):
            await store.ping()
        with pytest.raises(error):  # over the connection that readiness asked
            await store.journal.create("b", CREATED, projection())


ACL = "~farm:* &farm:* +@all -@dangerous +info +config|get"
BARE = "~farm:* &farm:* +@all -@dangerous"
NO_WRITES = "~farm:* &farm:* +@all -@write +info"


@pytest.mark.parametrize("rules", [ACL, BARE])
async def test_a_user_with_few_rights_is_enough(rules: str, tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    with valkey(tmp_path) as server, server.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "farm", "on", ">p@ss:word", *rules.split())
        admin.execute_command("ACL", "SETUSER", "default", "off")
        url = f"redis://farm:p%40ss%3Aword@127.0.0.1:{server.port}/0"
        check = await asyncio.to_thread(ping_store, url, what="FARM_REDIS_URL")
        assert check.ok, check
        store = open_store(url)
        await store.ping()
        await store.journal.create("a", CREATED, projection())
        lease = await store.leases.acquire("a", "me", 30.0)
        assert lease is not None
        listening = asyncio.create_task(anext(store.doorbell.listen()))
        assert await store.records.count() == 1
        assert len(await store.events.read("a")) == 0
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_rights_that_are_taken_away_pause_and_do_not_fail(
    tmp_path: Path, open_store: Callable[[str], Store]
) -> None:
    with valkey(tmp_path) as server, server.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "farm", "on", ">right", *ACL.split())
        url = f"redis://farm:right@127.0.0.1:{server.port}/0"
        store = open_store(url)
        await store.journal.create("a", CREATED, projection())
        admin.execute_command("ACL", "SETUSER", "farm", "reset", "on", ">right", *NO_WRITES.split())
        refused: list[FarmError] = []
        for _ in range(3):  # an ACL that changes ends the user's connections
            with pytest.raises(FarmError) as told:
                await store.journal.create("b", CREATED, projection())
            refused.append(told.value)
        assert all(error.retryable for error in refused), refused
        assert isinstance(refused[-1], StoreNotWritable)
        with pytest.raises(StoreNotWritable):
            await store.ping()
        check = await asyncio.to_thread(ping_store, url, what="FARM_REDIS_URL")
        assert not check.ok
        admin.execute_command("ACL", "SETUSER", "farm", *ACL.split())
        await asyncio.sleep(0.05)
        await store.journal.create("b", CREATED, projection())


async def test_the_doctor_names_a_replica(tmp_path: Path) -> None:
    with valkey(tmp_path / "one") as one, valkey(tmp_path / "two") as two:
        two.follow(one)
        check = await asyncio.to_thread(ping_store, two.url, what="FARM_REDIS_URL")
        assert not check.ok
        assert "is a replica" in check.detail
        assert "redis+sentinel://" in check.hint
