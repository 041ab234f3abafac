"""A farm for catalogue runs in one process: real store, engine, batches and jobs; rows are painted and not relit."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import redis.asyncio

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.design_source import Designs
from farm.adapters.file_store import FileStore
from farm.adapters.memory_heartbeat import MemoryProgressBoard
from farm.adapters.redis_journal import open_linked, open_redis
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_pace_book import RedisPaceBook
from farm.adapters.redis_rows import RedisDesignBook, RedisRowRecords
from farm.adapters.redis_run_board import RedisRunBoard
from farm.domain.colour import rgb
from farm.domain.request import Engine, Format
from farm.errors import FarmError, describe
from farm.render.audit import Audit
from farm.render.bulkhead import blocking
from farm.render.catalog import brief
from farm.render.catalog.choice import fingerprints_for
from farm.render.catalog.columns import Reading, rows_of
from farm.render.catalog.coordinator import RunCoordinator
from farm.render.catalog.kit import Kit
from farm.render.catalog.outputs import output_key
from farm.render.catalog.pace import Pace, single_jobs
from farm.render.catalog.ports import RowsTask
from farm.render.catalog.report import ReportRow
from farm.render.catalog.row import Fault, Row
from farm.render.catalog.service import CatalogService
from farm.render.catalog.weather import is_weather
from farm.render.findings import AuditReport
from farm.render.ports import ObjectStore
from farm.saga.clock import SystemClock
from farm.saga.store import Store
from tests.crash.places import Place
from tests.workshop import NoTempFiles, Workshop, png, workshop


@dataclass(slots=True)
class RowPainters:
    """Row workers that paint each view in the fabric's colour.

    Attributes:
        painted: every row that was begun, as ``(job, design)``, in order.
        log: a file that gets a line for each, so that other processes can count too.
        before: called ahead of each row; may raise or wait.
        live: told how far each piece is, as by a worker's heartbeat.
    """

    store: ObjectStore
    designs: Designs
    fingerprints: Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]]
    log: Path
    slots: int = 2
    seconds: float = 0.0
    painted: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[Mapping[str, Any]], Any] | None = None
    live: MemoryProgressBoard | None = None

    async def row_slots(self) -> int:
        return self.slots

    async def relight_rows(self, task: RowsTask) -> Sequence[Mapping[str, Any]]:
        answers = []
        for number, row in enumerate(task.rows):
            if self.live is not None:
                await self.live.report(task.batch_id, task.name, number / len(task.rows))
            try:
                if self.before is not None:
                    waiting = self.before(row)
                    if waiting is not None:
                        await waiting
                await asyncio.sleep(self.seconds)
                answers.append({"i": row["i"], "seconds": 0.01, **await blocking(self._paint, task, row)})
            except FarmError as error:
                if error.code == "blender_crashed" or is_weather(error):
                    raise
                answers.append({"i": row["i"], "seconds": 0.0, "error": describe(error)})
        return answers

    def _paint(self, task: RowsTask, row: Mapping[str, Any]) -> dict[str, Any]:
        data, identity = self.designs.fetch(row["design"])
        self.painted.append((row["job"], row["design"]))
        with self.log.open("a") as log:
            log.write(f"{row['job']}\n")
        sha256 = hashlib.sha256(data).hexdigest()
        request = row["request"]
        facts = {
            "tenant": task.tenant,
            "request": request,
            "designs": [{"sha256": sha256}],
            "template": row["template"],
            "engine": row["engine"],
        }
        views = []
        for view, fingerprints in self.fingerprints(facts).items():
            picture = png((*rgb(request["fabric_color"]), len(view)), request["size"])
            key = output_key(task.tenant, row["job"], task.token, view + Format(request["format"]).suffix)
            stored = self.store.put(key, picture, content_type="image/png")
            views.append(
                {
                    "view": view,
                    "sha256": stored,
                    "size_bytes": len(picture),
                    "width_px": request["size"],
                    "height_px": request["size"],
                    "fingerprint": fingerprints[0],
                    "cached": False,
                }
            )
        return {
            "sha256": sha256,
            "identity": identity,
            "design_px": [8, 8],
            "renderer": "paint",
            "device": "cpu",
            "warnings": [],
            "views": views,
            "made": len(views),
            "alike": 1,
            "print_s": 0.0025,
            "busy_s": 0.0075,
            "cold": False,
        }


def choose(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Everything is baked here."""
    relit = Engine(request["engine"]) is not Engine.CYCLES
    sources = dict.fromkeys(request["views"], "relight 1 000000000000")
    return {"chosen": "relight", "sources": sources} if relit else {"chosen": "cycles"}


@dataclass(slots=True, kw_only=True)
class CatalogueShop:
    """The parts of one test farm that renders catalogues."""

    home: Path
    shop: Workshop
    kit: Kit
    service: CatalogService
    painters: RowPainters
    runs: Store
    link: RedisLink

    def design(self, name: str, colour: tuple[int, int, int] = (200, 16, 46)) -> str:
        """A design beside the manifests."""
        path = self.home / "designs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png((*colour, 255), 8))
        return name

    def items(self, rows: Sequence[Mapping[str, Any]], **defaults: Any) -> list[Row | Fault]:
        base = (self.home / "designs").as_uri() + "/"
        standard = {"engine": "relight", "size": 64, "views": ["front_0deg"], **defaults}
        reading = Reading(base=base, defaults=standard)
        return [item for number, cells in enumerate(rows, 1) for item in rows_of(number, cells, reading)]

    async def start(self, rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any] = {}, **options: Any) -> str:
        options = {"name": "spring", "manifest": "spring.csv", **options}
        record = await self.service.start(self.items(rows, **defaults), **options)
        return str(record["id"])

    def coordinator(self) -> RunCoordinator:
        return RunCoordinator("test", self.kit, self.service)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both coordinators at work, stopped at the end."""
        async with self.shop.running():
            task = asyncio.create_task(self.coordinator().run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def ended(self, run_id: str, within_s: float = 60.0) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            while True:
                record = await self.service.get(run_id)
                if record["finished_at"] is not None:
                    return record
                await asyncio.sleep(0.02)

    async def report(self, run_id: str) -> list[ReportRow]:
        report = await self.service.report(run_id)
        return [row async for part in report.parts() for row in part]

    async def audit(self) -> AuditReport:
        return await Audit(
            settings=self.shop.settings,
            sagas=self.shop.sagas,
            objects=self.shop.objects,
            catalog=self.shop.catalog,
            leases=self.shop.leases,
            temp_files=NoTempFiles(),
            clock=SystemClock(),
            runs=self.runs,
        ).run()


@asynccontextmanager
async def open_catalogue(
    place: Place, *, objects: ObjectStore | None = None, **settings: Any
) -> AsyncIterator[CatalogueShop]:
    """The farm of a place; several processes may open the same. Its objects lie in a folder, or as the test says."""
    objects = objects or FileStore(place.home / "objects")
    link = RedisLink(place.store_url, namespace=place.namespace)
    sagas = open_linked(link, expand=partial(brief.full, url_of=objects.url))
    runs = open_redis(place.store_url, namespace=f"{place.namespace}:run")
    batches = open_redis(place.store_url, namespace=f"{place.namespace}:batch")
    async with redis.asyncio.Redis.from_url(place.store_url) as client:
        catalog = BuiltinCatalog(client, namespace=f"{place.namespace}:catalog")
        shop = workshop(place.home, sagas, objects, catalog, **{"catalog_batch_rows": 5, **settings})
        designs = Designs.of(shop.settings)
        fingerprints = fingerprints_for(shop.settings)
        painters = RowPainters(objects, designs, fingerprints, place.home / "painted.log")
        kit = Kit(
            parts=shop.parts,
            jobs=sagas,
            runs=runs,
            batches=batches,
            rows=RedisRowRecords(link, f"{place.namespace}:batch"),
            book=RedisDesignBook(link, keep_s=600.0),
            designs=designs,
            workers=painters,
            service=shop.service,
            choose=choose,
            fingerprints=fingerprints,
            paces=RedisPaceBook(link.client, namespace=place.namespace),
            pace=Pace(0.0, partial(single_jobs, sagas), SystemClock()),
        )
        board = RedisRunBoard(link.client)
        service = CatalogService(settings=shop.settings, runs=runs, board=board, objects=objects, clock=SystemClock())
        try:
            yield CatalogueShop(
                home=place.home, shop=shop, kit=kit, service=service, painters=painters, runs=runs, link=link
            )
        finally:
            for journal in (sagas, runs, batches):
                await journal.close()


def products_line(report: Sequence[ReportRow]) -> str:
    """For messages of failed tests."""
    return json.dumps([[row.row, row.status, row.code] for row in report])
