"""The composition root: settings become adapters, adapters become a farm. Nothing else chooses an adapter."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis.asyncio

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.design_source import Designs
from farm.adapters.redis_heartbeat import RedisProgressBoard
from farm.adapters.redis_hooks import RedisEndpoints, RedisOutbox
from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_keys import RedisKeys
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_nodes import RedisNodes
from farm.adapters.redis_pace_book import RedisPaceBook
from farm.adapters.redis_picture_rings import RedisPictureRings
from farm.adapters.redis_rows import RedisDesignBook, RedisRowRecords
from farm.adapters.redis_run_board import RedisRunBoard
from farm.adapters.shop_lock import ShopLock
from farm.adapters.storage import store_of
from farm.adapters.store_keys import KEYS
from farm.adapters.temp_folders import TempFolders
from farm.adapters.web_post import WebPost
from farm.domain.artifact import Artifact
from farm.domain.ids import new_token
from farm.errors import ClusterUnavailable, InvalidSettings
from farm.notify.collector import Collector
from farm.notify.postman import HOLD_S, Postman
from farm.notify.service import Webhooks
from farm.render.audit import Audit
from farm.render.catalog import brief
from farm.render.catalog.batch import batch_definition, batch_projection
from farm.render.catalog.choice import Choice, fingerprints_for
from farm.render.catalog.kit import Kit, Reader
from farm.render.catalog.pace import Pace, single_jobs
from farm.render.catalog.ports import RowsTask, RowWorkers
from farm.render.catalog.service import CatalogService
from farm.render.findings import AuditReport
from farm.render.ports import (
    ComposeTask,
    FilmTask,
    KeyRing,
    ModelTask,
    NodeHealth,
    ObjectStore,
    PictureRings,
    ProductCatalog,
    TextureRef,
    ViewDone,
    ViewTask,
    Workers,
)
from farm.render.record import projector
from farm.render.sagas import Sagas
from farm.render.service import FarmService
from farm.render.steps.parts import Parts
from farm.saga.clock import SystemClock
from farm.saga.engine import Engine
from farm.saga.store import Store
from farm.settings import Settings

JOBS, RUNS, BATCHES = KEYS.namespace, KEYS.runs, KEYS.batches
"""Three stores on one server: jobs, catalogue runs, their batches."""
DAY_S = 86_400.0
BOOK_S = 90 * DAY_S
"""How long it is remembered which design lies behind an unchanged file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """One farm as its clients see it."""

    settings: Settings
    sagas: Store
    store: ObjectStore
    catalog: ProductCatalog
    service: FarmService
    keys: KeyRing
    picture_rings: PictureRings
    redis: redis.asyncio.Redis
    link: RedisLink
    runs: Store
    batches: Store
    catalogues: CatalogService
    webhooks: Webhooks
    nodes: NodeHealth

    async def audit(self) -> AuditReport:
        """Look for orphans and broken promises."""
        return await Audit(
            settings=self.settings,
            sagas=self.sagas,
            objects=self.store,
            catalog=self.catalog,
            leases=self.sagas.leases,
            temp_files=TempFolders.of(self.settings),
            clock=SystemClock(),
            runs=self.runs,
        ).run()

    def parts(self, workers: Workers) -> Parts:
        """What a coordinator's steps work with."""
        return Parts(
            store=self.store,
            catalog=self.catalog,
            workers=workers,
            settings=self.settings,
            fetch=Designs.of(self.settings).from_web,
        )

    def collector(self, postman: Postman) -> Collector:
        """Makes deliveries of what happens to jobs, and tells the postman."""
        return Collector(
            events=self.sagas.events,
            records=self.sagas.records,
            book=self.webhooks.book,
            outbox=self.webhooks.outbox,
            oldest_job_s=self.settings.job_deadline_s + DAY_S,
            ring=postman.ring,
        )

    def kit(self, workers: Workers, rows: RowWorkers) -> Kit:
        """What a run coordinator's slices and batches work with."""
        return _kit(self.parts(workers), rows, self.service, self.link, (self.sagas, self.runs, self.batches))


@asynccontextmanager
async def open_farm(settings: Settings, *, store_url: str) -> AsyncIterator[Farm]:
    """Connect to a farm whose store is at ``store_url``; closes the connections at the end.

    Raises:
        InvalidSettings: when a setting names nothing usable.
        StoreUnavailable: when the store does not answer.
    """
    link = RedisLink(store_url, namespace=JOBS)  # refuses an address that is none
    objects = open_objects(settings)
    sagas = open_linked(link, expand=partial(brief.full, url_of=objects.url))
    runs, batches = open_linked(link.beside(RUNS)), open_linked(link.beside(BATCHES))
    client = link.client
    try:
        catalog = open_catalog(settings, client)
        parts = Parts(store=objects, catalog=catalog, workers=NoWorkers(), settings=settings)
        service = FarmService(
            settings=settings,
            sagas=sagas,
            objects=objects,
            catalog=catalog,
            live=RedisProgressBoard(client),
            paces=RedisPaceBook(client).read,
            clock=SystemClock(),
            resume_compensation=_Resume(sagas, parts),
            resume_batch=lambda batch: _resume_batch(
                _kit(parts, NoWorkers(), service, link, (sagas, runs, batches)), batch
            ),
        )
        yield Farm(
            settings=settings,
            sagas=sagas,
            store=objects,
            catalog=catalog,
            service=service,
            keys=RedisKeys(client),
            picture_rings=RedisPictureRings(client),
            redis=client,
            link=link,
            runs=runs,
            batches=batches,
            catalogues=CatalogService(
                settings=settings, runs=runs, board=RedisRunBoard(client), objects=objects, clock=SystemClock()
            ),
            webhooks=open_webhooks(settings, link, sagas),
            nodes=RedisNodes(client, SystemClock(), limit=settings.node_failures),
        )
    finally:
        for store in (batches, runs, sagas):  # the link of the jobs owns the connections
            await store.close()


def open_webhooks(settings: Settings, link: RedisLink, sagas: Store) -> Webhooks:
    """The webhooks in the store behind ``link``."""
    keep_s = settings.webhook_log_days * DAY_S
    return Webhooks(
        book=RedisEndpoints(link, sagas.events, keep_s=keep_s),
        outbox=RedisOutbox(link, keep_s=keep_s, most=settings.webhook_log_max),
        post=open_post(settings),
        clock=SystemClock(),
        hold_s=max(HOLD_S, 2 * settings.webhook_timeout_s),
    )


def open_post(settings: Settings) -> WebPost:
    """What sends to the addresses that tenants registered."""
    hosts = frozenset(host.strip() for host in settings.webhook_http_hosts.split(",") if host.strip())
    return WebPost(hosts, timeout_s=settings.webhook_timeout_s)


def open_objects(settings: Settings) -> ObjectStore:
    """The object store of these settings; its configuration travels to workers by pickling the settings."""
    return store_of(settings)


def open_catalog(settings: Settings, client: redis.asyncio.Redis) -> ProductCatalog:
    """The product catalogue: the shop's, or the built-in one in the farm's own store.

    Raises:
        InvalidSettings: when the shop's address or key cannot be used, or the shop could not reach the pictures.
    """
    if not settings.shop_url:
        return BuiltinCatalog(client)
    # Imported here: a farm without a shop need not wait for an HTTP client to load.
    from farm.adapters.medusa_api import MedusaApi
    from farm.adapters.medusa_catalog import MedusaCatalog

    if not settings.public_url and settings.effective_storage_url.startswith("file:"):
        reason = "a shop shows pictures by their public address, and a folder of this machine has none; set it"
        raise InvalidSettings(variable="FARM_PUBLIC_URL", value="", reason=reason)
    hosts = [host.strip() for host in settings.shop_http_hosts.split(",") if host.strip()]
    return MedusaCatalog(MedusaApi(settings.shop_url, settings.shop_api_key, http_hosts=hosts), ShopLock(client))


def _kit(
    parts: Parts, rows: RowWorkers, service: FarmService, link: RedisLink, stores: tuple[Store, Store, Store]
) -> Kit:
    sagas, runs, batches = stores
    settings = parts.settings
    return Kit(
        parts=parts,
        jobs=sagas,
        runs=runs,
        batches=batches,
        rows=RedisRowRecords(link, BATCHES),
        book=RedisDesignBook(link, keep_s=BOOK_S),
        designs=Designs.of(settings),
        workers=rows,
        service=service,
        choose=Choice(settings, parts.store),
        fingerprints=fingerprints_for(settings),
        paces=RedisPaceBook(link.client),
        pace=Pace(settings.catalog_writes_per_s, partial(single_jobs, sagas), SystemClock()),
    )


async def _resume_batch(kit: Kit, batch: str) -> None:
    """See a batch's pending compensation through, in this process: undoing needs no worker."""
    engine = Engine(kit.batches, projector=batch_projection)
    await engine.resume_compensation(
        batch,
        batch_definition(kit, Reader(kit)),
        owner=f"compensate/{new_token()}",
        ttl_s=kit.parts.settings.lease_s,
    )


class _Resume:
    """Sees a pending compensation through, in this process: undoing needs no worker."""

    def __init__(self, sagas: Store, parts: Parts) -> None:
        self._sagas = sagas
        self._parts = parts

    async def __call__(self, job_id: str) -> None:
        entries = await self._sagas.journal.load(job_id)
        engine = Engine(self._sagas, projector=projector(self._parts.store.url))
        await engine.resume_compensation(
            job_id,
            Sagas(self._parts).of(entries[0].data["request"]),
            owner=f"compensate/{new_token()}",
            ttl_s=self._parts.settings.lease_s,
        )


class NoWorkers:
    """The workers of a process that renders nothing."""

    async def compose(self, task: ComposeTask) -> Sequence[TextureRef]:
        raise ClusterUnavailable(reason="this process has no workers")

    async def render(self, task: ViewTask) -> ViewDone:
        raise ClusterUnavailable(reason="this process has no workers")

    async def relight(self, task: ViewTask) -> ViewDone:
        raise ClusterUnavailable(reason="this process has no workers")

    async def encode(self, task: FilmTask) -> Artifact:
        raise ClusterUnavailable(reason="this process has no workers")

    async def model(self, task: ModelTask) -> ViewDone:
        raise ClusterUnavailable(reason="this process has no workers")

    async def relight_rows(self, task: RowsTask) -> Sequence[Mapping[str, Any]]:
        raise ClusterUnavailable(reason="this process has no workers")

    async def row_slots(self) -> int:
        return 0
