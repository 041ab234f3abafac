"""The catalogue on a real Medusa."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from farm.adapters.medusa_api import MedusaApi, MedusaSession
from farm.adapters.medusa_catalog import MedusaCatalog
from farm.adapters.shop_lock import ShopLock
from farm.domain.ids import DEFAULT_TENANT as TENANT
from farm.errors import ShopRefused, ShopUnavailable
from farm.render.ports import Association, Product
from tests.contract.catalog.wanted import ids, owners, wanted
from tests.contract.medusa.conftest import LIMITS
from tests.contract.medusa.merchant import BY_HAND, Merchant
from tests.contract.medusa.shop import Shop
from tests.contract.servers.faulty import Fault, Kind, faulty

pytestmark = [pytest.mark.medusa, pytest.mark.timeout(300)]

LEASE_S = 2.0
"""Of the late writers: long enough for a slow machine's calls."""

OpenCatalog = Callable[..., MedusaCatalog]


def job(name: str, **options: Any) -> Association:
    """As `wanted`, with ids of this test's own: an image's id is the whole shop's."""
    return wanted(f"{name}-{uuid4().hex[:8]}", **options)


async def shown(catalog: MedusaCatalog, merchant: Merchant) -> Product:
    product = await catalog.get_product(TENANT, merchant.product_id)
    assert product is not None
    return product


async def test_a_jobs_pictures_are_attached_in_one_write(catalog: MedusaCatalog, merchant: Merchant) -> None:
    by_hand = merchant.ids()
    a = job("a", film=True)
    answer = await catalog.associate(TENANT, merchant.product_id, a)
    assert answer == {"media_ids": [f"{a.job_id}.front", f"{a.job_id}.back"], "superseded": []}
    there = merchant.look()
    assert there["images"] == [*zip(by_hand, BY_HAND, strict=True), *((new.id, new.url) for new in a.entries)]
    assert there["thumbnail"] == a.thumbnail
    assert set(there["metadata"]) == {"note", f"render_{a.job_id}"}
    product = await shown(catalog, merchant)
    assert product.media[2:] == a.entries
    assert owners(product) == {**dict.fromkeys(by_hand), **dict.fromkeys(answer["media_ids"], a.job_id)}
    assert product.thumbnail == a.thumbnail
    assert product.metadata == {"note": "mine", f"render_{a.job_id}": a.metadata}
    assert product in await catalog.list_products(TENANT)


async def test_repeating_changes_nothing(catalog: MedusaCatalog, merchant: Merchant) -> None:
    a, b = job("a"), job("b")
    before = merchant.look()
    await catalog.dissociate(TENANT, merchant.product_id, f"never-{uuid4().hex}")
    assert merchant.look() == before
    await catalog.associate(TENANT, merchant.product_id, a)
    with_a = merchant.look()
    first = await catalog.associate(TENANT, merchant.product_id, b)
    with_b = merchant.look()
    assert await catalog.associate(TENANT, merchant.product_id, b) == first
    assert (await catalog.associate(TENANT, merchant.product_id, a))["media_ids"] == [new.id for new in a.entries]
    assert merchant.look() == with_b
    for _ in range(2):
        await catalog.dissociate(TENANT, merchant.product_id, b.job_id)
        assert merchant.look() == with_a
    for _ in range(2):
        await catalog.dissociate(TENANT, merchant.product_id, a.job_id)
        assert merchant.look() == before


async def test_replaced_pictures_come_back_to_their_places(catalog: MedusaCatalog, merchant: Merchant) -> None:
    a, black, b = job("a", film=True), job("black", color="#000000"), job("b", replace=False)
    for each in (a, black, b):
        await catalog.associate(TENANT, merchant.product_id, each)
    before = merchant.look()
    hand = [image_id for image_id, url in before["images"] if url in BY_HAND]
    new = job("new", views=("front", "left", "back"))
    answer = await catalog.associate(TENANT, merchant.product_id, new)
    assert sorted(answer["superseded"]) == sorted([a.job_id, b.job_id])
    product = await shown(catalog, merchant)
    assert ids(product) == [*hand, *answer["media_ids"], *(entry.id for entry in black.entries)]
    assert product.metadata == {"note": "mine"}
    await catalog.dissociate(TENANT, merchant.product_id, new.job_id)
    assert merchant.look()["images"] == before["images"]
    assert merchant.look()["thumbnail"] == before["thumbnail"]
    assert (await shown(catalog, merchant)).metadata == {"note": "mine", f"render_{a.job_id}": a.metadata}


async def test_what_people_did_stays(catalog: MedusaCatalog, merchant: Merchant) -> None:
    medium, large = merchant.variant_ids()
    hand = merchant.ids()
    merchant.assign(medium, hand[:1])
    a = job("a")
    await catalog.associate(TENANT, merchant.product_id, a)
    merchant.change({
        "images": [{"id": i, "url": url} for i, url in merchant.look()["images"]] + [{"url": "https://hand/3.png"}],
        "thumbnail": "https://hand/3.png",
        "metadata": {"note": "changed"},
    })  # fmt: skip
    await catalog.dissociate(TENANT, merchant.product_id, a.job_id)
    there = merchant.look()
    assert [url for _, url in there["images"]] == [*BY_HAND, "https://hand/3.png"]
    assert there["images"][:2] == list(zip(hand, BY_HAND, strict=True))
    assert (there["thumbnail"], there["metadata"]) == ("https://hand/3.png", {"note": "changed"})
    # A picture of the medium size alone is not shown for the large one; all others are.
    assert set(merchant.ids()) - merchant.shown_for(large) == {hand[0]}


async def test_a_product_that_is_gone(catalog: MedusaCatalog, merchant: Merchant) -> None:
    a = job("a")
    await catalog.associate(TENANT, merchant.product_id, a)
    merchant.delete()
    await catalog.dissociate(TENANT, merchant.product_id, a.job_id)
    assert await catalog.get_product(TENANT, merchant.product_id) is None
    with pytest.raises(ShopRefused) as refused:
        await catalog.associate(TENANT, merchant.product_id, job("b"))
    assert (refused.value.retryable, refused.value.product_id) == (False, merchant.product_id)


async def test_another_tenant_has_no_products_here(catalog: MedusaCatalog, merchant: Merchant) -> None:
    before = merchant.look()
    assert await catalog.get_product("other", merchant.product_id) is None
    assert await catalog.list_products("other") == ()
    with pytest.raises(ShopRefused):
        await catalog.associate("other", merchant.product_id, job("a"))
    await catalog.dissociate("other", merchant.product_id, "a")
    assert merchant.look() == before


async def test_a_wrong_key_is_refused_and_not_told(
    medusa: Shop, merchant: Merchant, open_catalog: OpenCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    catalog = open_catalog(medusa.url, "sk_not_this_one")
    with pytest.raises(ShopRefused) as refused:
        await catalog.associate(TENANT, merchant.product_id, job("a"))
    assert "FARM_SHOP_API_KEY" in refused.value.message
    assert not refused.value.retryable
    assert "sk_not_this_one" not in refused.value.message + caplog.text


async def test_an_id_of_another_product_is_refused_and_nothing_happens(
    catalog: MedusaCatalog, medusa: Shop, merchant: Merchant
) -> None:
    other = Merchant.with_product(medusa, f"other-{uuid4().hex}")
    a = job("a")
    await catalog.associate(TENANT, other.product_id, a)
    before = merchant.look()
    with pytest.raises(ShopRefused, match="already exists"):
        await catalog.associate(TENANT, merchant.product_id, a)
    assert merchant.look() == before


async def test_more_pictures_than_a_change_can_carry_are_refused(catalog: MedusaCatalog, merchant: Merchant) -> None:
    urls = {f"v{number}": f"https://farm/{'x' * 100}/{number}" for number in range(800)}
    with pytest.raises(ShopRefused, match="413"):
        await catalog.associate(TENANT, merchant.product_id, job("a", views=tuple(urls), urls=urls))
    assert merchant.urls() == list(BY_HAND)


@pytest.mark.parametrize("kind", [Kind.LOSE, Kind.TRUNCATE, Kind.DRIP])
async def test_a_lost_answer_leaves_every_entry_there_once(
    medusa: Shop, merchant: Merchant, open_catalog: OpenCatalog, kind: Kind
) -> None:
    a, b = job("a"), job("b")
    with faulty(medusa.url) as proxy:
        limits = type(LIMITS)(connect_s=2.0, call_s=2.0, answer_max_bytes=1_000_000)
        catalog = open_catalog(proxy.endpoint_url, medusa.api_key, limits=limits, settle_s=0.2)
        await catalog.associate(TENANT, merchant.product_id, a)
        for act in (
            lambda: catalog.associate(TENANT, merchant.product_id, b),
            lambda: catalog.dissociate(TENANT, merchant.product_id, b.job_id),
        ):
            proxy.seen.clear()
            proxy.faults[:] = [Fault(kind=kind, method="POST", path="/admin/products", times=1, seconds=6.0)]
            with pytest.raises(ShopUnavailable) as lost:
                await act()
            assert (lost.value.retryable, lost.value.in_doubt) == (True, True)
            after_the_loss = merchant.look()
            await act()
            assert merchant.look() == after_the_loss
            # The second time it was found done, and nothing was written again.
            assert proxy.seen.count("POST") == 1
    assert merchant.urls() == [*BY_HAND, *(new.url for new in a.entries)]


async def test_a_write_that_never_arrived_is_made_again(
    medusa: Shop, merchant: Merchant, open_catalog: OpenCatalog
) -> None:
    a = job("a")
    with faulty(medusa.url) as proxy:
        catalog = open_catalog(proxy.endpoint_url, medusa.api_key, settle_s=0.2)
        proxy.faults.append(Fault(kind=Kind.ANSWER, method="POST", times=1, status=503))
        with pytest.raises(ShopUnavailable):
            await catalog.associate(TENANT, merchant.product_id, a)
        assert merchant.urls() == list(BY_HAND)
        await catalog.associate(TENANT, merchant.product_id, a)
    assert merchant.urls() == [*BY_HAND, *(new.url for new in a.entries)]


async def test_four_jobs_at_once_two_of_them_taken_back(
    medusa: Shop, merchant: Merchant, open_catalog: OpenCatalog
) -> None:
    jobs = [job(f"j{number}", replace=False, color=f"#00000{number}") for number in range(4)]

    async def come_and_go(number: int) -> None:
        catalog = open_catalog(medusa.url, medusa.api_key)  # a process of its own, as far as the lock can tell
        await catalog.associate(TENANT, merchant.product_id, jobs[number])
        if number % 2:
            await catalog.dissociate(TENANT, merchant.product_id, jobs[number].job_id)

    for _ in range(2):
        merchant.change({"images": [{"url": url} for url in BY_HAND], "thumbnail": BY_HAND[0]})
        jobs = [job(f"j{number}", replace=False, color=f"#00000{number}") for number in range(4)]
        await asyncio.gather(*(come_and_go(number) for number in range(4)))
        staying = jobs[::2]
        there = merchant.look()
        assert sorted(url for _, url in there["images"]) == sorted(
            [*BY_HAND, *(new.url for each in staying for new in each.entries)]
        )
        assert there["thumbnail"] in {each.thumbnail for each in staying}
        catalog = open_catalog(medusa.url, medusa.api_key)
        await asyncio.gather(*(catalog.dissociate(TENANT, merchant.product_id, each.job_id) for each in staying))
        there = merchant.look()
        assert [url for _, url in there["images"]] == list(BY_HAND)
        assert (there["thumbnail"], there["metadata"]) == (BY_HAND[0], {"note": "mine"})


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_killed_writer_is_waited_for_and_then_made_good(
    medusa: Shop, merchant: Merchant, redis_url: str, open_catalog: OpenCatalog, arrives: bool
) -> None:
    """SIGKILL in the middle of the write, whether the shop got it or not."""
    a = job("a")
    kind = Kind.DRIP if arrives else Kind.SILENCE
    with faulty(medusa.url) as proxy:
        proxy.faults.append(Fault(kind=kind, method="POST", path="/admin/products", times=1, seconds=30.0))
        arguments = (redis_url, proxy.endpoint_url, medusa.api_key, merchant.product_id, a.job_id)
        writer = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.contract.medusa.writer", *arguments)
        while "POST" not in proxy.seen:
            assert writer.returncode is None
            await asyncio.sleep(0.02)
        while arrives and len(merchant.urls()) == len(BY_HAND):
            await asyncio.sleep(0.02)
        writer.send_signal(signal.SIGKILL)
        await writer.wait()
        assert await asyncio.to_thread(merchant.urls) == [*BY_HAND, *(new.url for new in a.entries if arrives)]
        proxy.seen.clear()
        catalog = open_catalog(proxy.endpoint_url, medusa.api_key)
        await catalog.associate(TENANT, merchant.product_id, a)
        assert proxy.seen == (["GET"] if arrives else ["GET", "POST"])
    assert merchant.urls() == [*BY_HAND, *(new.url for new in a.entries)]


class Suspended(MedusaApi):
    """A process that is stopped between the check of its lease and its write, until ``go``."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.url, shop.api_key, limits=LIMITS)
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MedusaSession]:
        async with super().session() as session:
            write = session.write

            async def late(product_id: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
                self.reached.set()
                await self.go.wait()
                return await write(product_id, body)

            session.write = late  # type: ignore[method-assign]
            yield session


async def test_a_late_writer_mends_what_it_overwrote(
    catalog: MedusaCatalog, medusa: Shop, merchant: Merchant, redis: Redis
) -> None:
    suspended = Suspended(medusa)
    zombie = MedusaCatalog(suspended, ShopLock(redis, ttl_s=LEASE_S))
    late, quick = job("late", replace=False), job("quick", replace=False)
    writing = asyncio.create_task(zombie.associate(TENANT, merchant.product_id, late))
    await suspended.reached.wait()
    await catalog.associate(TENANT, merchant.product_id, quick)
    suspended.go.set()
    await writing
    expected = [*BY_HAND, *(new.url for new in late.entries), *(new.url for new in quick.entries)]
    assert sorted(merchant.urls()) == sorted(expected)
    for each in (late, quick):
        await catalog.dissociate(TENANT, merchant.product_id, each.job_id)
    assert merchant.urls() == list(BY_HAND)
    assert merchant.look()["thumbnail"] == BY_HAND[0]


async def test_whoever_comes_next_mends_what_a_late_writer_overwrote(
    catalog: MedusaCatalog, merchant: Merchant, redis: Redis
) -> None:
    """The late writer itself may have died of it."""
    a, b, c = job("a"), job("b", color="#000000"), job("c", color="#0000ff")
    await catalog.associate(TENANT, merchant.product_id, a)
    with_a = merchant.look()["images"]
    await catalog.associate(TENANT, merchant.product_id, b)
    async with ShopLock(redis, ttl_s=0.05).hold(merchant.product_id) as held:
        await held.before_write()
        merchant.change({"images": [{"id": image_id, "url": url} for image_id, url in with_a]})
        await asyncio.sleep(0.1)
        held.settled()
    assert held.lost
    await catalog.associate(TENANT, merchant.product_id, c)
    everything = {*BY_HAND, *(new.url for each in (a, b, c) for new in each.entries)}
    assert set(merchant.urls()) == everything
    # Only then: what a person removes afterwards stays away.
    there = merchant.look()["images"]
    merchant.change(
        {"images": [{"id": image_id, "url": url} for image_id, url in there if image_id != b.entries[0].id]}
    )
    await catalog.dissociate(TENANT, merchant.product_id, c.job_id)
    assert set(merchant.urls()) == everything - {b.entries[0].url} - {new.url for new in c.entries}


async def test_a_late_writer_whose_job_was_taken_back_leaves_nothing(
    catalog: MedusaCatalog, medusa: Shop, merchant: Merchant, redis: Redis
) -> None:
    before = merchant.look()
    suspended = Suspended(medusa)
    zombie = MedusaCatalog(suspended, ShopLock(redis, ttl_s=LEASE_S))
    late = job("late")
    writing = asyncio.create_task(zombie.associate(TENANT, merchant.product_id, late))
    await suspended.reached.wait()
    await catalog.dissociate(TENANT, merchant.product_id, late.job_id)
    suspended.go.set()
    with pytest.raises(ShopRefused, match="taken back"):
        await writing
    assert merchant.look() == before
    with pytest.raises(ShopRefused, match="taken back"):
        await catalog.associate(TENANT, merchant.product_id, late)
    assert merchant.look() == before
