"""A slice of a run: its relit rows as one batch, its other rows as ordinary jobs, and its part of the report.

Nothing here is remembered: ids of batch and jobs are made of run and row, so whoever takes the slice up again finds
what was begun, and begins the rest.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from farm.concurrency import all_of
from farm.domain import keys
from farm.domain.ids import new_token, row_job_id
from farm.domain.request import Engine as Engine_
from farm.domain.request import parse_request
from farm.domain.status import Status
from farm.errors import AlreadyExists, FarmError, Fenced, FetchFailed, JobEnded, NotFound, describe
from farm.render.bulkhead import blocking, from_strangers
from farm.render.catalog import report
from farm.render.catalog.batch import batch_definition, batch_id, batch_projection
from farm.render.catalog.kit import Kit, Reader, Wanted
from farm.render.catalog.lessons import of_job, of_run
from farm.render.catalog.ports import KnownDesign
from farm.render.catalog.report import ReportRow, Tally
from farm.render.catalog.row import Fault, Row
from farm.render.catalog.run import RunOrder, SliceDone
from farm.render.catalog.slices import RunRowsPlace, write_lines
from farm.render.catalog.standing import standing_job
from farm.render.catalog.weather import is_weather
from farm.render.prepare import PreparedDesign, prepare
from farm.saga.clock import Clock, SystemClock
from farm.saga.engine import Engine
from farm.saga.failpoint import Failpoints, parse_failpoints
from farm.saga.fold import fold
from farm.saga.inbox import CANCEL
from farm.saga.journal import Draft, Entry, EntryKind

log = logging.getLogger(__name__)

LOOK_S = 0.3
SUBMITTED_AT_ONCE = 4
"""Designs being decoded at once for ordinary jobs."""


class Slices:
    """Implements `farm.render.catalog.run.SliceWorker`.

    Args:
        owner: unique to this incarnation.
    """

    def __init__(self, kit: Kit, *, owner: str, clock: Clock | None = None) -> None:
        self._kit = kit
        self._owner = owner
        self._clock: Clock = clock or SystemClock()
        self._reader = Reader(kit)
        self._rng = Random()
        self._engine = Engine(kit.batches, projector=batch_projection, clock=self._clock)
        self._traced: set[str] = set()
        """Runs with ordinary jobs among them, whose work other slots do."""

    async def width(self) -> int:
        return 1 + max(1, await self._kit.workers.row_slots())

    async def learn(self, run_id: str, *, start_s: float, moving_s: float, rows: int) -> None:
        work_s = self._kit.pieces.take_worked(run_id)
        if run_id not in self._traced:
            slots = await self._kit.workers.row_slots()
            lessons = of_run(start_s=start_s, moving_s=moving_s, slots=slots, work_s=work_s, rows=rows)
            await self._kit.paces.learn(lessons)

    async def made(self, run_id: str, numbers: Iterable[int]) -> float:
        batches = [batch_id(run_id, number) for number in numbers]
        shares = [share.now for share in await self._kit.service.live.shares_each(batches)]
        beside = [_beside(batch) for batch in batches]
        return self._kit.pieces.made(batches, shares) + self._kit.pieces.made(beside, [{} for _ in beside])

    async def work(self, run_id: str, order: RunOrder, number: int) -> SliceDone:
        items = await self._items(run_id, order, number)
        relit, ordinary, failed = await self._as_begun(run_id, number, *self._sorted(items))
        lines = failed | {place: report.of_fault(item) for place, item in enumerate(items) if isinstance(item, Fault)}
        if ordinary:
            self._traced.add(run_id)
        beside = _beside(batch_id(run_id, number))
        self._kit.pieces.begin(beside, len(lines))
        batched, alone = self._batch(run_id, order, number, items, relit), self._jobs(run_id, order, ordinary, beside)
        for found in await all_of((batched, alone)):
            lines |= found
        return await self._store(run_id, order, number, list(lines.items()))

    async def settle(self, run_id: str, order: RunOrder, number: int) -> SliceDone | None:
        items = await self._items(run_id, order, number)
        relit, ordinary, failed = await self._as_begun(run_id, number, *self._sorted(items))
        batch = await self._kit.batches.records.get(batch_id(run_id, number))
        begun = await self._begun(run_id, ordinary)
        if batch is None and not begun:
            return None
        lines: dict[int, ReportRow] = {}
        for place, item in enumerate(items):
            lines[place] = report.of_untouched(item, report.CANCELLED, "run_stopped")
            if isinstance(item, Fault):
                lines[place] = report.of_fault(item)
        lines |= failed
        if batch is not None:
            if not _ended(batch):
                await self._kit.batches.inbox.send(batch["id"], {"kind": CANCEL, "reason": "the run was stopped"})
            lines |= await self._batch(run_id, order, number, items, relit)
        for record in begun.values():
            if not Status(record["status"]).ended:
                try:
                    await self._kit.service.cancel(record["id"])
                except JobEnded:
                    continue
        for place in begun:
            record = await self._ended_job(row_job_id(run_id, ordinary[place].row.number, ordinary[place].row.variant))
            lines[place] = self._line(ordinary[place].row, record)
        return await self._store(run_id, order, number, list(lines.items()))

    async def _begun(self, run_id: str, ordinary: Mapping[int, Wanted]) -> dict[int, Mapping[str, Any]]:
        """The records of the ordinary jobs that were made."""
        ids = [row_job_id(run_id, one.row.number, one.row.variant) for one in ordinary.values()]
        records = await asyncio.gather(*(self._kit.jobs.records.get(job_id) for job_id in ids))
        return {place: record for place, record in zip(ordinary, records, strict=True) if record is not None}

    async def forget(self, run_id: str, number: int) -> None:
        record = await self._kit.batches.records.get(batch_id(run_id, number))
        for name in (batch_id(run_id, number), _beside(batch_id(run_id, number))):
            self._kit.pieces.forget(name)
        if record is not None and _ended(record) and not record["compensation_pending"]:
            await self._kit.batches.journal.delete(record["id"])

    # --- what is in it ----------------------------------------------------------------------------------------------

    async def _items(self, run_id: str, order: RunOrder, number: int) -> Sequence[Row | Fault]:
        place = RunRowsPlace(tenant=order.tenant, run_id=run_id, token=order.rows_token)
        return await blocking(place.read, self._kit.parts.store, number)

    def _sorted(
        self, items: Sequence[Row | Fault]
    ) -> tuple[dict[int, Wanted], dict[int, Wanted], dict[int, ReportRow]]:
        """Rows for the batch, rows for ordinary jobs, rows that cannot be done, by their place."""
        relit: dict[int, Wanted] = {}
        ordinary: dict[int, Wanted] = {}
        failed: dict[int, ReportRow] = {}
        for place, item in enumerate(items):
            if isinstance(item, Fault):
                continue
            try:
                wanted = self._reader.wanted(place, item)
            except FarmError as error:
                if is_weather(error):
                    raise
                failed[place] = report.of_failure(item, describe(error))
                continue
            (relit if is_relit(wanted) else ordinary)[place] = wanted
        return relit, ordinary, failed

    async def _as_begun(
        self,
        run_id: str,
        number: int,
        relit: dict[int, Wanted],
        ordinary: dict[int, Wanted],
        failed: dict[int, ReportRow],
    ) -> tuple[dict[int, Wanted], dict[int, Wanted], dict[int, ReportRow]]:
        """The same rows as they were begun, if they were: the choice of the engine may have changed since then."""
        batch = await self._kit.batches.records.get(batch_id(run_id, number))
        if batch is not None:
            both = relit | ordinary
            ours = set(batch["rows"])
            relit, ordinary = (
                {place: one for place, one in both.items() if place in ours},
                {place: one for place, one in both.items() if place not in ours},
            )
            return relit, ordinary, {place: line for place, line in failed.items() if place not in ours}
        chosen = {place: one for place, one in relit.items() if one.request["engine"] == Engine_.AUTO}
        begun = await self._begun(run_id, chosen)
        return (
            {place: one for place, one in relit.items() if place not in begun},
            ordinary | {place: relit[place] for place in begun},
            failed,
        )

    def _line(self, row: Row, record: Mapping[str, Any], *, unchanged: bool = False) -> ReportRow:
        return report.of_record(row, record, unchanged=unchanged)

    async def _store(
        self, run_id: str, order: RunOrder, number: int, lines: Sequence[tuple[int, ReportRow]]
    ) -> SliceDone:
        tally = Tally()
        for _, line in lines:
            tally.add(line)
        texts = [line.to_line() for _, line in sorted(lines, key=lambda one: one[0])]
        key = keys.run_part(order.tenant, run_id, number)
        return SliceDone(sha256=await blocking(write_lines, self._kit.parts.store, key, texts), tally=tally)

    # --- the batch --------------------------------------------------------------------------------------------------

    async def _batch(
        self, run_id: str, order: RunOrder, number: int, items: Sequence[Row | Fault], relit: Mapping[int, Wanted]
    ) -> dict[int, ReportRow]:
        name = batch_id(run_id, number)
        record = await self._kit.batches.records.get(name)
        if record is None:
            if not relit:
                return {}
            record = await self._make_batch(name, run_id, order, number, list(relit))
        while not _ended(record):
            await self._drive(name, order)
            found = await self._kit.batches.records.get(name)
            if found is None:
                raise NotFound(kind="batch", id=name)
            record = found
        lines: dict[int, ReportRow] = {}
        rows = {place: items[place] for place in record["rows"]}
        records = await asyncio.gather(*(self._record(run_id, place, row, record) for place, row in rows.items()))
        for (place, row), job in zip(rows.items(), records, strict=True):
            assert isinstance(row, Row), "a batch is made of rows"
            error = record["failed"].get(str(place))
            if error is not None:
                lines[place] = report.of_failure(row, error)
            elif job is not None:
                lines[place] = self._line(row, job, unchanged=str(place) in record["unchanged"])
            elif record["status"] == "cancelled":
                lines[place] = report.of_untouched(row, report.CANCELLED, "run_stopped")
            else:
                lines[place] = report.of_failure(row, record["error"] or {"code": "batch_failed"})
        return lines

    async def _record(
        self, run_id: str, place: int, row: Row | Fault, batch: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        job_id = batch["unchanged"].get(str(place)) or row_job_id(run_id, row.number, row.variant)
        return await self._kit.jobs.records.get(job_id)

    async def _make_batch(
        self, name: str, run_id: str, order: RunOrder, number: int, places: Sequence[int]
    ) -> Mapping[str, Any]:
        data = {
            "tenant": order.tenant,
            "run": run_id,
            "slice": number,
            "rows": list(places),
            "force": order.force,
            "rows_token": order.rows_token,
            "at_s": self._clock.wall_s(),
        }
        entry = Entry(seq=1, kind=EntryKind.CREATED, data=data, at_s=self._clock.wall_s())
        projection = batch_projection(name, fold([entry]), [entry])
        try:
            await self._kit.batches.journal.create(name, [Draft(kind=EntryKind.CREATED, data=data)], projection)
        except AlreadyExists:  # by an incarnation before this one, which is no more
            log.info("batch %s is there already", name)
        record = await self._kit.batches.records.get(name)
        assert record is not None, "it was just made"
        return record

    async def _drive(self, name: str, order: RunOrder) -> None:
        """Take the batch to its end, or wait for the lease of a predecessor to lapse."""
        lease = await self._kit.batches.leases.acquire(
            name, f"{self._owner}/{new_token()}", self._kit.parts.settings.lease_s
        )
        if lease is None:
            await asyncio.sleep(LOOK_S)
            return
        engine = self._engine
        if order.batch_failpoints:
            points = Failpoints(parse_failpoints(order.batch_failpoints), self._kit.batches.counters)
            engine = Engine(self._kit.batches, projector=batch_projection, clock=self._clock, failpoints=points)
        try:
            await engine.drive(lease, batch_definition(self._kit, self._reader))
        except Fenced:
            log.warning("batch %s: another incarnation took over", name)
        except asyncio.CancelledError:
            await self._kit.batches.leases.release(lease)
            raise

    # --- ordinary jobs ----------------------------------------------------------------------------------------------

    async def _jobs(
        self, run_id: str, order: RunOrder, wanted: Mapping[int, Wanted], beside: str
    ) -> dict[int, ReportRow]:
        gate = asyncio.Semaphore(SUBMITTED_AT_ONCE)

        async def one(place: int) -> tuple[int, ReportRow]:
            line = await line_of(place)
            self._kit.pieces.settle(beside, 1)
            return place, line

        async def line_of(place: int) -> ReportRow:
            row = wanted[place].row
            job_id = row_job_id(run_id, row.number, row.variant)
            try:
                record = await self._kit.jobs.records.get(job_id)
                if record is None:
                    async with gate:
                        standing = await self._submit(run_id, order, job_id, wanted[place])
                    if standing is not None:
                        return self._line(row, await self._kit.service.get(standing), unchanged=True)
                ended = await self._ended_job(job_id)
                with contextlib.suppress(FarmError):  # for want of a lesson no row is held up
                    await self._kit.paces.learn(of_job(ended))
                return self._line(row, ended)
            except FarmError as error:
                if error.retryable and not isinstance(error, FetchFailed):
                    raise
                return report.of_failure(row, describe(error))

        return dict(await all_of(one(place) for place in wanted))

    async def _submit(self, run_id: str, order: RunOrder, job_id: str, wanted: Wanted) -> str | None:
        """Make the row's job; or return the earlier one whose pictures its product shows already."""
        kit, row = self._kit, wanted.row
        data, identity = await self._design(order.tenant, row.design)
        if identity is not None and not order.force:
            (known,) = await kit.book.look_up(order.tenant, [normalised_identity(identity)])
            if known is not None and row.product_id is not None:
                standing = await standing_job(kit, wanted, known, order.tenant)
                if standing is not None:
                    return standing
        request = parse_request({**row.request, "priority": max(-100, min(order.priority, -1))})
        prepared = await blocking(prepare, kit.parts.settings, request, [data])
        if identity is not None:
            await kit.book.remember(order.tenant, {normalised_identity(identity): _known(prepared.designs[0])})
        origin = {"run": {"id": run_id, "row": row.number, "variant": row.variant}}
        try:
            await kit.service.submit(prepared, tenant=order.tenant, job_id=job_id, origin=origin, force=order.force)
        except AlreadyExists:
            log.info("job %s is there already", job_id)
        return None

    async def _design(self, tenant: str, address: str) -> tuple[bytes, str | None]:
        """The design's bytes and identity.

        Raises:
            FetchFailed: when its server did not deliver after some attempts; that is the row's, and holds up no other.
        """
        settings, retry = self._kit.parts.settings, self._kit.parts.retry
        for failures in range(1, settings.view_attempts):
            try:
                return await from_strangers(tenant, self._kit.designs.fetch, address)
            except FetchFailed:
                await asyncio.sleep(self._rng.uniform(0.0, retry.bound_s(failures)))
        return await from_strangers(tenant, self._kit.designs.fetch, address)

    async def _ended_job(self, job_id: str) -> Mapping[str, Any]:
        wait_s = LOOK_S
        while True:
            record = await self._kit.service.get(job_id)
            if Status(record["status"]).ended:
                return record
            await asyncio.sleep(wait_s)
            wait_s = min(2.0, wait_s * 1.3)


def _known(design: PreparedDesign) -> KnownDesign:
    return KnownDesign(sha256=design.sha256, width_px=design.width_px, height_px=design.height_px)


def normalised_identity(identity: str) -> str:
    """The book's entry for an ordinary job: its design's hash is of the normalised PNG, a batch's of the file."""
    return f"normalised\n{identity}"


def is_relit(wanted: Wanted) -> bool:
    """Whether the row goes into a batch: relit stills, and nothing else asked for."""
    request = wanted.request
    stills = request["mode"] == "images-only" and not request["model"]
    return wanted.engine.get("chosen") == "relight" and stills


def _beside(batch: str) -> str:
    """What is counted of a slice beside its batch: rows that cannot be done, and ordinary jobs."""
    return f"{batch}/jobs"


def _ended(record: Mapping[str, Any]) -> bool:
    return bool(record["status"] != "running")
