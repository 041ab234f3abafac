"""The object store errs, is slow, lies or shuts its door while jobs run: they complete, or end with nothing left."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.s3_store import S3Store
from farm.domain import keys
from farm.errors import StorageForbidden, StorageUnavailable
from tests.contract.servers.faulty import Fault, FaultyServer, Kind, faulty
from tests.contract.servers.fixtures import moto_server, s3_credentials
from tests.contract.servers.s3 import BUCKET, S3Server
from tests.crash.places import Place, open_shop
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared, workshop

__all__ = ["moto_server", "s3_credentials"]

VIEWS = ["front_0deg", "back_180deg"]
METHODS = ("GET", "PUT", "HEAD", "POST")
SAGAS = ("granular", "simple")


@pytest.fixture
def server(moto_server: S3Server) -> Iterator[FaultyServer]:
    with faulty(moto_server.endpoint_url) as server:
        yield server


@pytest.fixture
async def shop(place: Place, server: FaultyServer) -> AsyncIterator[Workshop]:
    """Each with objects below a prefix of its own."""
    store = S3Store(
        BUCKET, place.namespace, endpoint_url=server.endpoint_url, connect_timeout_s=2.0, read_timeout_s=1.0
    )
    async with open_shop(place) as local:
        yield _with(local, place.home, store)
    store.close()


def _with(local: Workshop, home: Path, store: S3Store, **settings: Any) -> Workshop:
    return workshop(home, local.sagas, store, local.catalog, **settings)


async def _run(shop: Workshop, saga: str = "granular") -> dict[str, Any]:
    async with shop.running():
        accepted = await shop.service.submit(prepared(saga=saga, product_id="tee", views=VIEWS))
        return await shop.ended(accepted["id"])


async def _begun(shop: Workshop) -> str:
    """A job whose pictures are about to be painted."""
    accepted = await shop.service.submit(prepared(product_id="tee", views=VIEWS))
    async with asyncio.timeout(20):
        while shop.painters.running < len(VIEWS):
            await asyncio.sleep(0.01)
    return str(accepted["id"])


PASSING = {
    "500 of a write": Fault(kind=Kind.ANSWER, method="PUT", path="/work/", times=3),
    "503 of a write": Fault(kind=Kind.ANSWER, method="PUT", path="/out/", times=3, status=503, code="SlowDown"),
    "500 of a look": Fault(kind=Kind.ANSWER, method="HEAD", path="/out/", times=3),
    "503 of a read": Fault(kind=Kind.ANSWER, method="GET", path="/work/", times=3, status=503, code="SlowDown"),
    "500 of a removal": Fault(kind=Kind.ANSWER, method="POST", times=3),
    "a lost answer": Fault(kind=Kind.LOSE, method="PUT", path="/out/", times=3),
    "a truncated read": Fault(kind=Kind.TRUNCATE, method="GET", path="/work/", times=2),
    "an altered read": Fault(kind=Kind.ALTER, method="GET", path="front_0deg.png", times=2),
    "an altered write": Fault(kind=Kind.ALTER, method="PUT", path="/out/", times=2),
    "silence": Fault(kind=Kind.SILENCE, method="GET", path="/work/", times=2, seconds=1.5),
    "late answers": Fault(kind=Kind.LATE, method="PUT", times=8, seconds=0.3),
}


@pytest.mark.parametrize(("number", "what"), list(enumerate(PASSING)))
async def test_what_passes_is_survived(shop: Workshop, server: FaultyServer, number: int, what: str) -> None:
    server.faults.append(replace(PASSING[what]))
    record = await _run(shop, SAGAS[number % 2])
    assert server.faults[0].times == 0, "the fault did not befall the job"
    assert record["status"] == "completed"
    await check_promises(shop, record)
    painted = [view for _, view in shop.painters.painted]
    if "/out/" in PASSING[what].path:
        assert sorted(painted) == sorted(VIEWS), "a stored view was rendered again"


@pytest.mark.parametrize("saga", SAGAS)
async def test_writes_that_never_work_undo_the_job(shop: Workshop, server: FaultyServer, saga: str) -> None:
    server.faults.append(Fault(kind=Kind.ANSWER, method="PUT", path="/out/", status=503, code="SlowDown"))
    record = await _run(shop, saga)
    assert record["status"] == "failed"
    assert record["error"]["code"] == "storage_unavailable"
    assert record["error"]["hint"]
    await check_promises(shop, record)
    assert await shop.catalog.get_product("default", "tee") is None


async def test_away_for_good_the_job_waits_for_a_person(shop: Workshop, server: FaultyServer) -> None:
    shop.painters.seconds = 0.2
    async with shop.running():
        job_id = await _begun(shop)
        server.faults += [Fault(kind=Kind.ANSWER, method=method, status=503, code="SlowDown") for method in METHODS]
        record = await shop.ended(job_id, within_s=60.0)
    assert record["status"] == "failed"
    assert record["compensation_pending"] is True
    assert record["steps_left"][0] == "render_design"
    server.faults.clear()
    assert [finding.kind for finding in (await shop.audit()).findings] == ["compensation_pending"]
    mended = await shop.service.compensate(job_id)
    assert mended["compensation_pending"] is False
    assert (await shop.audit()).findings == []
    assert mended["outputs"] == {}


async def test_away_while_it_undoes_it_goes_on_once_storage_is_back(place: Place, server: FaultyServer) -> None:
    store = S3Store(BUCKET, place.namespace, endpoint_url=server.endpoint_url, read_timeout_s=1.0)
    async with open_shop(place) as local:
        shop = _with(local, place.home, store, compensation_attempts=50, backoff_base_s=0.05, backoff_max_s=0.1)
        shop.painters.seconds = 0.2
        async with shop.running():
            job_id = await _begun(shop)
            server.faults += [Fault(kind=Kind.ANSWER, method=method, status=503, code="SlowDown") for method in METHODS]
            async with asyncio.timeout(60):
                while (await shop.service.get(job_id))["phase"] != "compensating":
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            assert (await shop.service.get(job_id))["finished_at"] is None
            server.faults.clear()
            record = await shop.ended(job_id)
        assert record["status"] == "failed"
        await check_promises(shop, record)


async def test_a_shut_door_fails_fast_and_says_so(shop: Workshop, server: FaultyServer) -> None:
    shop.painters.seconds = 0.2
    async with shop.running():
        job_id = await _begun(shop)
        server.faults += [Fault(kind=Kind.ANSWER, method=m, status=403, code="AccessDenied") for m in METHODS]
        record = await shop.ended(job_id)
    assert record["status"] == "failed"
    assert record["error"]["code"] == "storage_forbidden"
    assert "credentials" in record["error"]["hint"]
    assert record["steps"][-1]["attempts"] == 1
    assert len(shop.painters.painted) == len(VIEWS), "a view was tried again behind a shut door"
    assert record["compensation_pending"] is True
    server.faults.clear()
    assert (await shop.service.compensate(job_id))["compensation_pending"] is False
    assert (await shop.audit()).findings == []


@pytest.mark.parametrize("saga", SAGAS)
async def test_without_the_right_to_write_nothing_is_left(shop: Workshop, server: FaultyServer, saga: str) -> None:
    server.faults.append(Fault(kind=Kind.ANSWER, method="PUT", path="/out/", status=403, code="AccessDenied"))
    record = await _run(shop, saga)
    assert record["error"]["code"] == "storage_forbidden"
    assert record["error"]["hint"]
    await check_promises(shop, record)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(503, "SlowDown", StorageUnavailable), (403, "AccessDenied", StorageForbidden)],
)
async def test_a_job_whose_upload_fails_was_never_there(
    shop: Workshop, server: FaultyServer, status: int, code: str, error: type[Exception]
) -> None:
    server.faults.append(Fault(kind=Kind.ANSWER, method="PUT", status=status, code=code))
    with pytest.raises(error):
        await shop.service.submit(prepared())
    server.faults.clear()
    assert await shop.service.list() == ([], None)
    await check_promises(shop)


@pytest.mark.parametrize("path", ["/design/", "/work/", "/out/", "manifest"])
async def test_a_cancel_waits_for_a_write_under_way(shop: Workshop, server: FaultyServer, path: str) -> None:
    """A write that is slow would else arrive behind the removal."""
    slow = Fault(kind=Kind.LATE, method="PUT", path=path, seconds=0.7, times=1)
    server.faults.append(slow)
    async with shop.running():
        accepted = await shop.service.submit(prepared(product_id="tee", views=VIEWS))
        async with asyncio.timeout(20):
            while slow.times:
                await asyncio.sleep(0.01)
        await shop.service.cancel(accepted["id"])
        record = await shop.ended(accepted["id"])
    assert record["status"] == "cancelled"
    await asyncio.sleep(0.8)
    await check_promises(shop, record)
    assert list(shop.objects.list(keys.job("default", accepted["id"]))) == []
