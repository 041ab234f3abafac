"""What the operations work with: the farm as its clients see it, and how they ask for it."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.redis_board import RedisBoard
from farm.adapters.temp_folders import TempFolders
from farm.errors import ClusterUnavailable, FarmError
from farm.home.process import identity
from farm.notify.service import Webhooks
from farm.picture.decode_nursery import Nurseries
from farm.render.bulkhead import blocking
from farm.render.catalog.kit import Kit
from farm.render.catalog.service import CatalogService
from farm.render.designs import DesignShelf
from farm.render.overview import Overview
from farm.render.picture_maker import LIGHT_SHARE, PictureMaker
from farm.render.pictures import Pictures
from farm.render.ports import KeyRing, ObjectStore, ProductCatalog
from farm.render.preview import Previewer
from farm.render.service import FarmService
from farm.saga.clock import SystemClock
from farm.saga.store import Store
from farm.settings import Settings
from serve_app.followers import Followers
from serve_app.idempotency import Answers
from serve_app.limits import Limiter
from serve_app.picture_addresses import PictureAddresses
from serve_app.policy import Elsewhere
from serve_app.sessions import Sessions
from serve_app.uploads import Tickets

STATISTICS_S = 5.0
"""How long statistics hold: pages ask every two seconds, and they are made of hundreds of records."""


class Statistics:
    """Each tenant's statistics, made anew now and then."""

    def __init__(self, service: FarmService) -> None:
        self._service = service
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    async def of(self, tenant: str) -> dict[str, Any]:
        """See `farm.render.statistics`."""
        made_s, found = self._kept.get(tenant, (0.0, {}))
        if not found or time.monotonic() - made_s > STATISTICS_S:
            found = await self._service.statistics(tenant=tenant)
            self._kept[tenant] = (time.monotonic(), found)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One per replica.

    Attributes:
        decoding: bounds the designs that are decoded at once: each takes a process with memory of its own.
        designs: those kept by their content.
        pictures: relit ones, made when they are asked for.
        making: bounds the pictures that are made at once.
        addresses: of pictures, signed by tenants.
        making_limiter: of the pictures that are made for such addresses.
        nurseries: where these processes are born.
        kit: what a catalogue's plan looks at; its workers do nothing.
        planning: bounds the manifests that are read at once.
        elsewhere: where the store's own addresses lead; pages may show pictures from there.
        followers: of jobs' events, one for each job that somebody watches.
        scrape: reads the metrics of the cluster's nodes; blocking.
        temp: this process's folder for temporary files; those of dead processes are swept.
    """

    settings: Settings
    service: FarmService
    store: ObjectStore
    catalog: ProductCatalog
    sagas: Store
    keys: KeyRing
    sessions: Sessions
    limiter: Limiter
    decoding: asyncio.Semaphore
    nurseries: Nurseries
    previewer: Previewer
    designs: DesignShelf
    pictures: Pictures
    making: asyncio.Semaphore
    addresses: PictureAddresses
    making_limiter: Limiter
    answers: Answers
    tickets: Tickets
    catalogues: CatalogService
    kit: Kit
    planning: asyncio.Semaphore
    webhooks: Webhooks
    statistics: Statistics
    followers: Followers
    temp: Path
    scrape: Callable[[], Sequence[str]]
    overview: Overview
    elsewhere: Elsewhere


def no_cluster() -> Sequence[str]:
    """The metrics of a process that has joined no cluster.

    Raises:
        ClusterUnavailable: always.
    """
    raise ClusterUnavailable(reason="this process has joined no cluster")


@asynccontextmanager
async def open_services(
    settings: Settings, *, store_url: str, scrape: Callable[[], Sequence[str]] = no_cluster
) -> AsyncIterator[Services]:
    """Connect to the farm whose store is at ``store_url``.

    Raises:
        InvalidSettings: when a setting names nothing usable.
        StoreUnavailable: when the store does not answer.
    """
    from farm.wiring import NoWorkers, open_farm

    decoders = settings.decoders or os.cpu_count() or 1
    folders = TempFolders.of(settings)
    here = folders.process(str(identity()))
    async with AsyncExitStack() as stack:
        stack.callback(folders.drop, here)
        farm = await stack.enter_async_context(open_farm(settings, store_url=store_url))
        await farm.sagas.ping()
        secret, _ = await farm.keys.settle_signing_secret()
        designs = DesignShelf(settings, farm.store)
        light = BakeShelf.of(settings, most_bytes=int(settings.pictures_memory_bytes * LIGHT_SHARE))
        maker = PictureMaker(settings, store=farm.store, shelf=light)
        yield Services(
            settings=settings,
            service=farm.service,
            store=farm.store,
            catalog=farm.catalog,
            sagas=farm.sagas,
            keys=farm.keys,
            sessions=Sessions(farm.keys, secret, lasting_s=settings.session_hours * 3600),
            limiter=Limiter.of(farm.link, settings.requests_per_minute),
            decoding=asyncio.Semaphore(decoders),
            nurseries=stack.enter_context(Nurseries(decoders)),
            previewer=Previewer(settings, store=farm.store, maker=maker),
            designs=designs,
            pictures=Pictures(settings, store=farm.store, designs=designs, maker=maker),
            making=asyncio.Semaphore(os.cpu_count() or 1),
            addresses=PictureAddresses(secret, farm.picture_rings),
            making_limiter=Limiter.of(farm.link, settings.pictures_per_minute, what="pictures made"),
            answers=Answers(farm.redis),
            tickets=Tickets(secret),
            catalogues=farm.catalogues,
            kit=farm.kit(NoWorkers(), NoWorkers()),
            planning=asyncio.Semaphore(2),
            webhooks=farm.webhooks,
            statistics=Statistics(farm.service),
            followers=Followers(farm.service),
            temp=folders.make(here),
            scrape=scrape,
            overview=Overview(sagas=farm.sagas, board=RedisBoard(farm.redis), clock=SystemClock()),
            elsewhere=Elsewhere(farm.store),
        )


@asynccontextmanager
async def warmed(opening: AbstractAsyncContextManager[Services]) -> AsyncIterator[Services]:
    """The services, while what relights is being warmed up behind them."""
    async with opening as services:
        rehearsal = asyncio.create_task(blocking(services.pictures.rehearse))
        try:
            yield services
        finally:
            with contextlib.suppress(FarmError, asyncio.CancelledError):
                await rehearsal


async def _services(request: Request) -> Services:  # else FastAPI takes it to a thread, with each request
    return cast(Services, request.app.state.services)


TheServices = Annotated[Services, Depends(_services)]
"""The replica's services, as a parameter of an operation."""
