"""Links and stores that are closed whatever comes of the test, and their round trips counted."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection

from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_link import RedisLink
from farm.saga.store import Store


@pytest.fixture
async def open_link() -> AsyncIterator[Callable[[str], RedisLink]]:
    links: list[RedisLink] = []

    def opened(url: str) -> RedisLink:
        links.append(RedisLink(url))
        return links[-1]

    yield opened
    for link in links:
        await link.close()


@pytest.fixture
def open_store(open_link: Callable[[str], RedisLink]) -> Callable[[str], Store]:
    return lambda url: open_linked(open_link(url))


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An element for each round trip to a store."""
    sent: list[int] = []
    send = AbstractConnection.send_packed_command

    async def counted(connection: Any, *arguments: Any, **named: Any) -> Any:
        sent.append(1)
        return await send(connection, *arguments, **named)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    return sent
