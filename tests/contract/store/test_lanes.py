"""What only reads does not wait for others' writes to be on disk."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_link import LANES, RedisLink
from farm.adapters.redis_scripts import script

PUT = script("redis.call('SET', key('t', ARGV[2]), now)")
LOOK = script("return redis.call('GET', key('t', ARGV[2]))")


async def test_a_question_goes_past_writes_that_wait_for_the_disk(
    tmp_path: Path, open_link: Callable[[str], RedisLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = asyncio.Event()
    send = RedisLink._send

    async def with_a_slow_disk(link: RedisLink, batch: list[Any], **how: bool) -> None:
        if any(asked.durable for asked in batch):
            await synced.wait()
        await send(link, batch, **how)

    monkeypatch.setattr(RedisLink, "_send", with_a_slow_disk)
    store = EmbeddedStore.start(tmp_path / "store")
    try:
        link = open_link(store.url)
        writes = [asyncio.create_task(link.call(PUT, str(number), durable=True)) for number in range(2 * LANES)]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await link.call(LOOK, "0") is None
        synced.set()
        await asyncio.gather(*writes)
        assert await link.call(LOOK, "0")
        await link.close()
    finally:
        store.stop()
