"""The HTTP face in this process, over a real store, with workers that paint."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio
from fastapi import FastAPI

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_keys import RedisKeys
from farm.domain.access import EVERYTHING, Scope
from serve_app.api import build_api
from serve_app.services import Services
from tests.catalogue_shop import CatalogueShop, open_catalogue
from tests.crash.places import Place
from tests.round_trips import trips
from tests.served import services_of
from tests.workshop import Workshop

__all__ = ["trips"]


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("store"))
    yield store.url
    store.stop()


@dataclass(slots=True, kw_only=True)
class Shopfront:
    """A served farm, and clients of it."""

    place: CatalogueShop
    keys: RedisKeys
    client: httpx.AsyncClient
    """With a key that opens everything."""
    connect: Callable[..., httpx.AsyncClient]
    app: FastAPI

    @property
    def workshop(self) -> Workshop:
        return self.place.shop

    async def visitor(self, tenant: str = "default", *scopes: Scope) -> httpx.AsyncClient:
        """A client with a key of its own; without scopes it may read and write jobs."""
        wanted = scopes or (Scope.JOBS_READ, Scope.JOBS_WRITE)
        _, token = await self.keys.create(tenant=tenant, scopes=wanted, name="visitor")
        return self.connect(headers={"Authorization": f"Bearer {token}"})


Open = Callable[..., Awaitable[Shopfront]]


@pytest.fixture
async def opened(store_url: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens shopfronts whose settings differ as the test says."""
    async with AsyncExitStack() as stack:
        redis_client = await stack.enter_async_context(redis.asyncio.Redis.from_url(store_url))
        await redis_client.flushdb()

        async def make(**settings: Any) -> Shopfront:
            place = await stack.enter_async_context(open_catalogue(Place(tmp_path, store_url, "farm"), **settings))
            keys = RedisKeys(redis_client)
            services = await services_of(place, keys, redis_client, stack)

            @asynccontextmanager
            async def opening() -> AsyncIterator[Services]:
                yield services

            app = build_api(services.settings, opening)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)

            def connect(**options: Any) -> httpx.AsyncClient:
                return httpx.AsyncClient(transport=transport, base_url="http://localhost", **options)

            _, token = await keys.create(tenant="default", scopes=EVERYTHING, name="test")
            client = connect(headers={"Authorization": f"Bearer {token}"})
            return Shopfront(place=place, keys=keys, client=client, connect=connect, app=app)

        yield make


@pytest.fixture
async def shop(opened: Open) -> Shopfront:
    return await opened()
