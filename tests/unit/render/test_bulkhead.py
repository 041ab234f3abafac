"""Strangers' servers that never answer hold up neither the store nor another tenant, and a row's not the other rows."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from farm.adapters.design_source import Designs
from farm.adapters.file_store import FileStore
from farm.errors import FetchFailed, FetchRefused
from farm.render.bulkhead import SHARE, THREADS, blocking, from_strangers
from farm.render.catalog.identities import identities
from farm.settings import Settings

SLOW_S = 3.0


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def designs(tmp_path: Path) -> Iterator[Designs]:
    designs = Designs.of(Settings(home=tmp_path, fetch_hosts="127.0.0.1", fetch_timeout_s=SLOW_S))
    yield designs
    designs.web.close()


@asynccontextmanager
async def asking(designs: Designs, address: str, tenants: int) -> AsyncIterator[list[asyncio.Task[bytes]]]:
    """Within the block each of so many tenants fetches more than its share from there."""
    tasks = [
        asyncio.create_task(from_strangers(f"tenant-{number % tenants}", designs.from_web, f"{address}/{number}"))
        for number in range(tenants * (SHARE + 1))
    ]
    await asyncio.sleep(0.3)
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_store_answers_while_strangers_keep_every_thread_waiting(
    silent: str, designs: Designs, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "objects")
    async with asking(designs, silent, tenants=THREADS // SHARE + 1) as slow:
        began_s = time.monotonic()
        await blocking(store.put, "t/a", b"a", content_type="image/png")
        assert await blocking(store.get, "t/a") == b"a"
        assert not any(task.done() for task in slow), "or this test shows nothing"
        assert time.monotonic() - began_s < SLOW_S


async def test_a_tenant_has_its_share_and_leaves_room(silent: str, designs: Designs) -> None:
    async with asking(designs, silent, tenants=1) as slow:
        with pytest.raises(FetchRefused):
            await from_strangers("another", designs.from_web, "http://other.example/")
        assert not any(task.done() for task in slow)
    (failed, *_) = await asyncio.gather(*slow, return_exceptions=True)
    assert isinstance(failed, FetchFailed | asyncio.CancelledError)


async def test_slow_rows_cost_a_batch_one_time_out_and_its_other_rows_nothing(
    silent: str, designs: Designs, tmp_path: Path
) -> None:
    """A hundred addresses, one after the other, would have used up the step's time, and failed every row with it."""
    (tmp_path / "a.png").write_bytes(b"a")
    file, refused = (tmp_path / "a.png").as_uri(), "https://[x"
    addresses = [file, refused, *(f"{silent}/{number}" for number in range(100))]
    began_s = time.monotonic()
    found = await identities(designs, "one", addresses, ask_s=1.0)
    assert time.monotonic() - began_s < 3 * SLOW_S
    assert str(found[file]).startswith(file)
    assert isinstance(found[refused], FetchRefused)
    assert [found[address] for address in addresses[2:]] == [None] * 100
