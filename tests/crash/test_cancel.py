"""A cancel at every append, before the first and around the last: one end, and nothing is left, or all is there."""

import asyncio
from typing import Any

import pytest

from farm.errors import JobEnded
from tests.crash.listening import listening
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared

SAGAS = ("granular", "simple")
VIEWS = ["front_0deg", "back_180deg"]
FAILING = "complete_job.inside=raise*99"


class Canceller:
    """Cancels one job at one of its appends.

    Attributes:
        accepted: what the farm answered: whether it took the cancel, ``None`` when the job never came that far.
        answered: set once the farm has.
    """

    def __init__(self, shop: Workshop, number: int, where: str) -> None:
        self._service = shop.service
        self._at = (number, where)
        self.accepted: bool | None = None
        self.answered = asyncio.Event()

    async def hear(self, job_id: str, number: int, where: str) -> None:
        if (number, where) != self._at or self.answered.is_set():
            return
        try:
            await self._service.cancel(job_id)
            self.accepted = True
        except JobEnded:
            self.accepted = False
        self.answered.set()


async def _run(shop: Workshop, number: int, where: str, saga: str, failpoints: str) -> tuple[Canceller, dict[str, Any]]:
    canceller = Canceller(shop, number, where)
    heard, _ = listening(shop, canceller.hear)
    async with heard.running():
        request = prepared(saga=saga, product_id="tee", views=VIEWS)
        accepted = await shop.service.submit(request, failpoints=failpoints)
        async with asyncio.timeout(20):
            await canceller.answered.wait()
        record = await shop.ended(accepted["id"])
    with pytest.raises(JobEnded, match=record["status"]):
        await shop.service.cancel(record["id"])
    return canceller, record


async def _phases(shop: Workshop, saga: str, failpoints: str) -> list[str]:
    """The phase before each append of a job that nobody cancels."""
    phases: list[str] = []

    async def hear(job_id: str, _number: int, where: str) -> None:
        if where == "before":
            phases.append((await shop.service.get(job_id))["phase"])

    heard, _ = listening(shop, hear)
    async with heard.running():
        request = prepared(saga=saga, product_id="other", views=VIEWS)
        accepted = await shop.service.submit(request, failpoints=failpoints)
        await shop.ended(accepted["id"])
    return phases


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("saga", SAGAS)
async def test_cancelled_at_any_append_a_job_is_gone_or_was_done(shop: Workshop, saga: str, where: str) -> None:
    last = len(await _phases(shop, saga, ""))
    ends = []
    for number in range(1, last + 1):
        canceller, record = await _run(shop, number, where, saga, "")
        # Whoever is told that the cancel is taken can rely on it: the pivot did not come first.
        assert record["status"] == ("cancelled" if canceller.accepted else "completed"), f"append {number}"
        await check_promises(shop, record)
        product = await shop.catalog.get_product("default", "tee")
        shown = [entry.view for entry in product.media] if product else []
        assert shown == (VIEWS if record["status"] == "completed" else [])
        ends.append(record["status"])
    assert ends == ["cancelled"] * (last - 1) + ["cancelled" if where == "before" else "completed"]


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("saga", SAGAS)
async def test_cancelled_while_it_undoes_a_failed_job_stays_failed(shop: Workshop, saga: str, where: str) -> None:
    phases = await _phases(shop, saga, FAILING)
    undoing = [number for number, phase in enumerate(phases, 1) if phase == "compensating"]
    assert len(undoing) >= 7
    for number in undoing:
        canceller, record = await _run(shop, number, where, saga, FAILING)
        assert canceller.accepted is (where == "before" or number < undoing[-1])
        assert record["status"] == "failed", f"append {number}"
        await check_promises(shop, record)
        assert await shop.catalog.get_product("default", "tee") is None


@pytest.mark.parametrize("saga", SAGAS)
async def test_cancelled_before_anybody_took_it(shop: Workshop, saga: str) -> None:
    accepted = await shop.service.submit(prepared(saga=saga, product_id="tee"))
    assert (await shop.service.cancel(accepted["id"]))["cancel_requested"] is True
    await shop.service.cancel(accepted["id"])  # said twice it is meant once
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert record["status"] == "cancelled"
    assert shop.painters.painted == []
    await check_promises(shop, record)


async def test_cancelled_behind_others_it_need_not_wait_for_its_turn(shop: Workshop) -> None:
    gate = asyncio.Event()
    shop.painters.before = lambda task: gate.wait()
    async with shop.running(concurrency=1):
        first = await shop.service.submit(prepared(views=["front_0deg"]))
        waiting = [await shop.service.submit(prepared()) for _ in range(3)]
        for job in waiting:
            await shop.service.cancel(job["id"])
        cancelled = [await shop.ended(job["id"], within_s=5.0) for job in waiting]
        gate.set()
        record = await shop.ended(first["id"])
    assert {job["status"] for job in cancelled} == {"cancelled"}
    assert record["status"] == "completed"
    await check_promises(shop, record, *cancelled)


@pytest.mark.parametrize("saga", SAGAS)
async def test_cancelled_while_it_renders_nothing_goes_on_running(shop: Workshop, saga: str) -> None:
    shop.painters.before = lambda task: asyncio.Event().wait()
    async with shop.running():
        accepted = await shop.service.submit(prepared(saga=saga, product_id="tee"))
        async with asyncio.timeout(10):
            while shop.painters.running < 6:
                await asyncio.sleep(0.01)
        await shop.service.cancel(accepted["id"])
        record = await shop.ended(accepted["id"], within_s=5.0)
        assert shop.painters.running == 0
    assert record["status"] == "cancelled"
    await check_promises(shop, record)


async def test_cancels_at_any_moment_of_many_jobs(shop: Workshop) -> None:
    products = [f"tee-{number}" for number in range(4)]
    async with shop.running(shards=2):
        earlier = [await shop.service.submit(prepared(product_id=product, views=VIEWS)) for product in products]
        earlier = [await shop.ended(job["id"]) for job in earlier]

        async def one(number: int) -> tuple[bool, dict[str, Any]]:
            request = prepared(saga=SAGAS[number % 2], product_id=products[number % 4], views=VIEWS, media="append")
            job_id = (await shop.service.submit(request))["id"]
            # Some wait for more events than a job has: their cancel comes too late.
            async for event in shop.service.follow(job_id):
                if event["sequence"] > number % 12:
                    break
            try:
                await shop.service.cancel(job_id)
            except JobEnded:
                return False, await shop.ended(job_id)
            return True, await shop.ended(job_id)

        ended = await asyncio.gather(*(one(number) for number in range(36)))
    for taken, record in ended:
        assert record["status"] == ("cancelled" if taken else "completed")
    records = [record for _, record in ended]
    assert {record["status"] for record in records} == {"cancelled", "completed"}
    await check_promises(shop, *records, *earlier)
