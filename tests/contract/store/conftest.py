"""Links and stores that are closed whatever comes of the test, and their round trips counted."""

from collections.abc import AsyncIterator, Callable

import pytest

from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_link import RedisLink
from farm.saga.store import Store
from tests.round_trips import trips

__all__ = ["open_link", "open_store", "trips"]


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
