"""Backup and restore on the real embedded store: what was there is there again, and what ran ends."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from farm.adapters.backup_file import EPOCH_STEP, RESTORING, check_backup, read_backup, write_backup
from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.file_store import FileStore
from farm.adapters.redis_board import RedisBoard
from farm.adapters.redis_journal import open_redis
from farm.adapters.redis_keys import RedisKeys
from farm.domain.access import EVERYTHING
from farm.errors import BackupBroken, Conflict, StoreUnavailable
from farm.render.ports import ViewTask
from farm.render.sweep import Sweep
from farm.saga.clock import SystemClock
from tests.workshop import prepared, workshop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("backup"))
    yield store
    store.stop()


@pytest.fixture
def client(server: EmbeddedStore) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
        yield client


@pytest.mark.parametrize("later", ["it stopped then", "it went on meanwhile"])
async def test_jobs_events_and_products_are_as_before_and_what_ran_ends(
    server: EmbeddedStore, client: redis.Redis, tmp_path: Path, later: str
) -> None:
    file = tmp_path / "farm.backup"
    sagas = open_redis(server.url)
    async with redis.asyncio.Redis.from_url(server.url) as asking:
        catalog = BuiltinCatalog(asking)
        place = workshop(tmp_path, sagas, FileStore(tmp_path / "objects"), catalog, lease_s=1.0)
        keys = RedisKeys(asking)
        _, token = await keys.create(tenant="default", scopes=EVERYTHING, name="kept")
        gate, halfway = asyncio.Event(), asyncio.Event()

        async def hold(task: ViewTask) -> None:
            if task.view == "back_180deg":
                halfway.set()
                await gate.wait()

        async with place.running():
            done = (await place.service.submit(prepared(product_id="tee")))["id"]
            await place.ended(done)
            place.painters.before = hold
            running = (await place.service.submit(prepared(product_id="other")))["id"]
            await halfway.wait()
            waiting = (await place.service.submit(prepared(priority=-5, product_id="tee")))["id"]
            written = await asyncio.to_thread(write_backup, server.url, file)
            assert written.paused_s is not None
            before = await everything(place, [done], ["tee"])
            if later == "it went on meanwhile":
                # What it stores and removes from now on stays so, when the store goes back in time.
                gate.set()
                for job in (running, waiting):
                    await place.ended(job)
        late = (await place.service.submit(prepared(product_id="tee")))["id"]

        client.flushall()
        assert await sagas.records.get(done) is None
        read = await asyncio.to_thread(read_backup, server.url, file)
        assert read.keys == written.keys

        assert await everything(place, [done], ["tee"]) == before
        assert await sagas.records.get(late) is None, "it came after the backup"
        assert await keys.admit(token) is not None
        assert (await place.service.get(running))["status"] == "rendering"
        gate.set()
        async with place.running():
            ends = {job: (await place.ended(job, within_s=60))["status"] for job in (running, waiting)}
            if later == "it stopped then":
                assert set(ends.values()) == {"completed"}
            for job, status in ends.items():
                if status == "failed":  # what it had made by then was tidied away after its first end
                    again = await place.service.retry(job)
                    assert (await place.ended(again["id"], within_s=60))["status"] == "completed"
        # Outputs that the first run stored after the backup fall to the hourly sweep.
        await Sweep(sagas=sagas, parts=place.parts, clock=SystemClock()).run()
        # The upload of the job that the store has never heard of is swept after a day; nothing else is left over.
        left = [finding for finding in (await place.audit()).findings if late not in finding.subject]
        assert left == []
        for product in ("tee", "other"):
            found = await catalog.get_product("default", product)
            assert found is not None
            assert len(found.media) == 6
    await sagas.close()


async def everything(place: Any, jobs: list[str], products: list[str]) -> dict[str, Any]:
    """What the world sees of jobs and products."""
    return {
        "records": [await place.service.get(job) for job in jobs],
        "events": [await place.sagas.events.read(job) for job in jobs],
        "listed": [record["id"] for record in (await place.service.list(product_id="tee", status="completed"))[0]],
        "products": [await place.catalog.get_product("default", product) for product in products],
    }


def test_every_kind_of_key_comes_back_as_it_was(server: EmbeddedStore, client: redis.Redis, tmp_path: Path) -> None:
    client.set("text", "ä")
    client.set(b"\xff\x00", b"\x80\x81")
    client.hset("hash", mapping={"a": 1, "b": b"\xfe"})
    client.rpush("list", "x", "y", "x")
    client.sadd("set", "m", "n")
    client.zadd("zset", {"one": 0.1 + 0.2, "two": -(2.0**41) + 7, "three": float("inf")})
    client.xadd("stream", {"a": "1", "b": "2"}, id="3-0")
    client.xadd("stream", {"a": "x"}, id="9-0")
    client.xadd("emptied", {"a": "1"}, id="7-0")
    client.xtrim("emptied", maxlen=0)
    client.set("day", "1", px=86_400_000)
    client.set("moment", "1", px=60_000)
    client.set("farm:epoch", 41)
    file = tmp_path / "f"
    write_backup(server.url, file)
    assert file.stat().st_mode & 0o077 == 0
    client.flushdb()
    read_backup(server.url, file)
    assert client.get("text") == "ä".encode()
    assert client.get(b"\xff\x00") == b"\x80\x81"
    assert client.hgetall("hash") == {b"a": b"1", b"b": b"\xfe"}
    assert client.lrange("list", 0, -1) == [b"x", b"y", b"x"]
    assert client.smembers("set") == {b"m", b"n"}
    scores: Any = client.zrange("zset", 0, -1, withscores=True)
    assert dict(scores) == {
        b"one": 0.1 + 0.2,
        b"two": -(2.0**41) + 7,
        b"three": float("inf"),
    }
    assert client.xrange("stream") == [(b"3-0", {b"a": b"1", b"b": b"2"}), (b"9-0", {b"a": b"x"})]
    assert client.xlen("emptied") == 0
    with pytest.raises(redis.ResponseError, match="equal or smaller"):
        client.xadd("emptied", {"a": "1"}, id="7-0")
    assert 80_000_000 < client.pttl("day") <= 86_400_000
    assert client.get("moment") is None, "it would be stale"
    assert client.get("farm:epoch") == str(41 + EPOCH_STEP).encode(), "whoever held a lease then is fenced"


def test_writers_wait_until_it_is_read_and_go_on_then(
    server: EmbeddedStore, client: redis.Redis, tmp_path: Path
) -> None:
    client.mset({f"k{number}": number for number in range(2000)})
    assert write_backup(server.url, tmp_path / "f").keys == 2000
    client.set("after", 1)
    with pytest.raises(StoreUnavailable, match="--pause"):
        write_backup(server.url, tmp_path / "g", pause_s=0.001)
    assert not (tmp_path / "g").exists()
    assert list(tmp_path.glob(".*")) == []
    client.set("after", 2)  # would hang if it were still paused


def test_what_is_no_whole_backup_changes_nothing(server: EmbeddedStore, client: redis.Redis, tmp_path: Path) -> None:
    client.set("kept", 1)
    file = tmp_path / "f"
    write_backup(server.url, file)
    whole = file.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    broken = {
        "empty": b"",
        "text": b"hello",
        "cut": whole[:-12],
        "flipped": whole[:60] + bytes([whole[60] ^ 0x55]) + whole[61:],
        "no foot": gzip.compress(b"".join(lines[:-1])),
        "a key fewer": gzip.compress(b"".join([lines[0], lines[-1]])),
        "newer": gzip.compress(json.dumps({**json.loads(lines[0]), "version": 99}).encode()),
        "another": gzip.compress(b'{"format": "something"}\n'),
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BackupBroken):
            read_backup(server.url, tmp_path / name, replace=True)
    with pytest.raises(BackupBroken, match="no such file"):
        check_backup(tmp_path / "nothing")
    assert client.get("kept") == b"1"


async def test_a_store_in_use_is_left_alone(server: EmbeddedStore, client: redis.Redis, tmp_path: Path) -> None:
    client.set("kept", 1)
    file = tmp_path / "f"
    write_backup(server.url, file)
    client.set("new", 1)
    with pytest.raises(Conflict, match="--replace"):
        read_backup(server.url, file)
    async with redis.asyncio.Redis.from_url(server.url) as asking:
        await RedisBoard(asking).post("coordinator-0", {})
        with pytest.raises(Conflict, match="at work"):
            read_backup(server.url, file, replace=True)
        await RedisBoard(asking).take_down("coordinator-0")
    assert client.get("new") == b"1"
    read_backup(server.url, file, replace=True)
    assert client.get("new") is None
    # A restore that was cut short may simply be repeated.
    client.flushdb()
    client.set(RESTORING, "f")
    client.set("half", 1)
    read_backup(server.url, file)
    assert client.get("half") is None
    assert client.get("kept") == b"1"
