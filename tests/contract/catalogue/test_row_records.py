"""The one script by which a batch's jobs get their records, and the book of known designs, on a real server."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_journal import open_linked, open_redis
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_rows import RedisDesignBook, RedisRowRecords
from farm.errors import Fenced
from farm.render.catalog.ports import KnownDesign, RowRecord
from farm.saga.journal import Draft, EntryKind, Projection
from farm.saga.lease import Lease
from farm.saga.store import Store

_namespaces = count(1)


class Desk:
    """A batch with its lease, and the jobs' store beside it."""

    def __init__(self, url: str) -> None:
        name = f"rows{next(_namespaces)}"
        self.link = RedisLink(url, namespace=name)
        self.jobs: Store = open_linked(self.link)
        self.batches: Store = open_redis(url, namespace=f"{name}:batch")
        self.rows = RedisRowRecords(self.link, f"{name}:batch")

    async def lease(self, ttl_s: float = 30.0) -> Lease:
        projection = Projection(record={"id": "b"}, created_at_s=1.0, live=True)
        await self.batches.journal.create("b", [Draft(kind=EntryKind.CREATED)], projection)
        lease = await self.batches.leases.acquire("b", "me", ttl_s)
        assert lease is not None
        return lease


@pytest.fixture
async def desk(server: EmbeddedStore) -> AsyncIterator[Desk]:
    desk = Desk(server.url)
    yield desk
    await desk.jobs.close()
    await desk.batches.close()


def row(number: int, status: str, *, ended: bool = False) -> RowRecord:
    return RowRecord(
        job_id=f"job-{number}",
        created_at_s=100.0 + number,
        record={"id": f"job-{number}", "status": status},
        index={"status": status, "product_id": f"tee {number}"},
        ended=ended,
    )


async def test_all_records_are_there_and_in_their_indexes(desk: Desk) -> None:
    lease = await desk.lease()
    await desk.rows.write(lease, [row(n, "pending") for n in range(150)])
    assert await desk.jobs.records.count({"status": "pending"}) == 150
    page = await desk.jobs.records.list({"product_id": "tee 7"})
    assert [record["id"] for record in page.records] == ["job-7"]
    await desk.rows.write(lease, [row(n, "completed", ended=True) for n in range(150)])
    assert await desk.jobs.records.count({"status": "pending"}) == 0
    assert await desk.jobs.records.count({"status": "completed"}) == 150


async def test_an_end_is_final(desk: Desk) -> None:
    lease = await desk.lease()
    await desk.rows.write(lease, [row(1, "completed", ended=True)])
    await desk.rows.write(lease, [row(1, "failed", ended=True), row(2, "failed", ended=True)])
    found = [await desk.jobs.records.get(f"job-{n}") for n in (1, 2)]
    assert [record and record["status"] for record in found] == ["completed", "failed"]
    assert await desk.jobs.records.count({"status": "failed"}) == 1


async def test_who_lost_the_batch_writes_nothing(desk: Desk) -> None:
    lease = await desk.lease()
    await desk.batches.leases.release(lease)
    newer = await desk.batches.leases.acquire("b", "other", 30.0)
    assert newer is not None
    with pytest.raises(Fenced):
        await desk.rows.write(lease, [row(1, "completed", ended=True)])
    assert await desk.jobs.records.get("job-1") is None
    await desk.rows.write(newer, [row(1, "completed", ended=True)])
    assert await desk.jobs.records.get("job-1") is not None


async def test_nobody_takes_such_a_job_for_one_to_be_driven(desk: Desk) -> None:
    await desk.rows.write(await desk.lease(), [row(1, "pending")])
    assert await desk.jobs.leases.claim("me", ttl_s=1.0) == ()
    assert await desk.jobs.journal.compact("job-1") is False


async def test_such_a_job_can_be_deleted(desk: Desk) -> None:
    await desk.rows.write(await desk.lease(), [row(1, "completed", ended=True)])
    assert await desk.jobs.journal.delete("job-1")
    assert await desk.jobs.records.count() == 0


async def test_the_book_knows_what_it_was_told(desk: Desk, tmp_path: Path) -> None:
    book = RedisDesignBook(desk.link, keep_s=60.0)
    known = KnownDesign(sha256="a" * 64, width_px=10, height_px=20)
    await book.remember("t", {"file:///a\n1 2 3": known})
    assert await book.look_up("t", ["file:///a\n1 2 3", "file:///a\n1 2 4"]) == [known, None]
    assert await book.look_up("other", ["file:///a\n1 2 3"]) == [None], "tenants do not share designs"
