"""The lease per product, on a real Redis."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.shop_lock import LockLost, ShopLock
from farm.errors import ShopUnavailable, StoreUnavailable


def a_lock(redis: Redis, *, ttl_s: float = 5.0, settle_s: float = 0.3, wait_s: float = 5.0) -> ShopLock:
    return ShopLock(redis, ttl_s=ttl_s, settle_s=settle_s, wait_s=wait_s)


async def test_one_writer_at_a_time(redis: Redis) -> None:
    inside, most, epochs = 0, 0, []

    async def work() -> None:
        nonlocal inside, most
        async with a_lock(redis).hold("busy") as held:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.005)
            epochs.append(held.epoch)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(12)))
    assert most == 1
    assert epochs == sorted(set(epochs))


async def test_products_do_not_wait_for_each_other(redis: Redis) -> None:
    lock = a_lock(redis, wait_s=0.0)
    async with AsyncExitStack() as stack:
        for number in range(5):
            await stack.enter_async_context(lock.hold(f"own-{number}"))


async def test_patience_ends(redis: Redis) -> None:
    lock = a_lock(redis, wait_s=0.1)
    async with lock.hold("held"):
        with pytest.raises(ShopUnavailable) as busy:
            async with lock.hold("held"):
                pytest.fail("held twice")
    assert busy.value.retryable
    async with lock.hold("held"):
        pass


async def test_a_holder_that_died_is_waited_for_no_longer_than_its_lease(redis: Redis) -> None:
    dead = a_lock(redis, ttl_s=0.2).hold("dead")
    await dead.__aenter__()
    began_s = asyncio.get_running_loop().time()
    async with a_lock(redis).hold("dead"):
        assert 0.1 < asyncio.get_running_loop().time() - began_s < 2.0


async def test_an_overtaken_holder_may_not_write_and_gives_nothing_back(redis: Redis) -> None:
    async with a_lock(redis, ttl_s=0.1).hold("slow") as slow:
        async with a_lock(redis).hold("slow") as quick:
            assert quick.epoch > slow.epoch
            with pytest.raises(LockLost):
                await slow.before_write()
            await quick.before_write()
            quick.settled()
    assert slow.lost
    assert not quick.lost


async def test_a_lapsed_lease_may_not_write_although_nobody_holds_it(redis: Redis) -> None:
    async with a_lock(redis, ttl_s=0.05).hold("lapsed") as held:
        await asyncio.sleep(0.1)
        with pytest.raises(LockLost):
            await held.before_write()


async def test_a_lease_is_prolonged_for_the_write(redis: Redis) -> None:
    lock = a_lock(redis, ttl_s=0.4)
    async with lock.hold("long") as held:
        await asyncio.sleep(0.25)
        await held.before_write()
        await asyncio.sleep(0.25)
        held.settled()
    assert not held.lost


async def test_a_write_in_doubt_keeps_others_out_for_a_while(redis: Redis) -> None:
    lock = a_lock(redis, settle_s=0.4)

    async def write() -> None:
        async with lock.hold("doubt") as held:
            await held.before_write()
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await write()
    began_s = asyncio.get_running_loop().time()
    async with lock.hold("doubt"):
        assert asyncio.get_running_loop().time() - began_s > 0.25


async def test_a_cancelled_writer_leaves_its_write_in_doubt(redis: Redis) -> None:
    lock = a_lock(redis, settle_s=5.0)
    writing = asyncio.Event()

    async def write() -> None:
        async with lock.hold("cancelled") as held:
            await held.before_write()
            writing.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 < await redis.pttl("farm:shop:lock:cancelled") <= 5000


async def test_a_cancelled_reader_gives_the_lease_back(redis: Redis) -> None:
    with pytest.raises(RuntimeError):
        async with a_lock(redis).hold("reader"):
            raise RuntimeError
    assert not await redis.exists("farm:shop:lock:reader")


async def test_what_was_taken_back_is_remembered_for_a_day(redis: Redis) -> None:
    lock = a_lock(redis)
    assert not await lock.buried("job-1")
    await lock.bury("job-1")
    assert await a_lock(redis).buried("job-1")
    assert 23 * 3600 < await redis.ttl("farm:shop:undone:job-1") <= 24 * 3600


async def test_without_the_store_nothing_is_held() -> None:
    client: Redis = Redis.from_url("unix:///nowhere/redis.sock", retry=Retry(NoBackoff(), 0))
    with pytest.raises(StoreUnavailable):
        async with a_lock(client, wait_s=0.1).hold("any"):
            pytest.fail("held without a store")
    await client.aclose()


async def test_a_store_that_comes_back_in_time_costs_nothing(tmp_path: Path) -> None:
    store = EmbeddedStore.start(tmp_path)
    client: Redis = Redis.from_url(store.url, retry=Retry(NoBackoff(), 0))
    lock = a_lock(client, wait_s=20.0)
    store.stop()
    burying = asyncio.create_task(lock.bury("job-2"))
    holding = asyncio.create_task(epoch_of(lock))
    await asyncio.sleep(0.3)
    assert not burying.done()
    assert not holding.done()
    again = await asyncio.to_thread(EmbeddedStore.start, tmp_path)
    assert again.url == store.url
    await burying
    assert await holding >= 1
    assert await lock.buried("job-2")
    await client.aclose()
    again.stop()


async def epoch_of(lock: ShopLock) -> int:
    async with lock.hold("comes back") as held:
        return held.epoch
