"""What can be done with catalogue runs: plan, start, watch, pause, resume, cancel, retry, report."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.concurrency import side_by_side
from farm.domain.ids import DEFAULT_TENANT, RUN_ID, new_run_id, new_token
from farm.errors import AlreadyExists, Conflict, FarmError, InvalidRequest, JobEnded, NotFound
from farm.render.bulkhead import blocking
from farm.render.catalog import report
from farm.render.catalog.movement import Movement, RunBoard
from farm.render.catalog.row import Fault, Row
from farm.render.catalog.run import RunOrder, run_projection
from farm.render.catalog.run_report import RunReport
from farm.render.catalog.slices import RunRowsPlace, slices_of
from farm.render.ports import ObjectStore
from farm.saga.clock import Clock
from farm.saga.fold import fold
from farm.saga.inbox import CANCEL
from farm.saga.journal import Draft, Entry, EntryKind
from farm.saga.store import Store
from farm.settings import Settings

WRITTEN_AT_ONCE = 8
MOST_NOTES = 20
LIVE = ("running", "paused", "stopping")
PAUSED = "paused"
UNDONE = (report.FAILED, report.SKIPPED, report.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogService:
    """The use cases of runs. The command line and the HTTP face call these; the run actor does the work."""

    settings: Settings
    runs: Store
    board: RunBoard
    objects: ObjectStore
    clock: Clock

    # --- start ------------------------------------------------------------------------------------------------------

    async def start(
        self,
        items: Iterable[Row | Fault],
        *,
        name: str,
        manifest: str,
        tenant: str = DEFAULT_TENANT,
        window: int | None = None,
        max_failures: int | None = None,
        max_failure_share: float | None = None,
        force: bool = False,
        retry_of: str | None = None,
        run_id: str | None = None,
        notes: Sequence[Fault] = (),
        failpoints: str = "",
        batch_failpoints: str = "",
    ) -> dict[str, Any]:
        """Accept a run; when this returns it is on disk with all its rows, and needs neither manifest nor caller.

        Args:
            window: rows under way at once; ``None``: of the settings.
            max_failures: rows that may fail, else the run stops.
            max_failure_share: the same as a share of all rows.
            run_id: the id that the run shall have; a run of that id which is there already is answered instead.
            notes: how the manifest was read, as far as that is known once all items are.

        Raises:
            InvalidRequest: when there are no rows.
            StoreUnavailable, StorageUnavailable: nothing was accepted.
        """
        window = self.settings.catalog_window if window is None else window
        size = min(self.settings.catalog_batch_rows, window or self.settings.catalog_batch_rows)
        if run_id is not None and await self.runs.records.get(run_id) is not None:
            return await self.get(run_id)
        run_id = run_id or new_run_id(int(self.clock.wall_s() * 1000))
        # A place of its own: two callers may start the same id at once, and only one of them gets it.
        place = RunRowsPlace(tenant=tenant, run_id=run_id, token=new_token())
        try:
            slices, rows, faults = await self._write(place, slices_of(iter(items), size))
            if not rows:
                raise InvalidRequest(reason="the manifest has no rows")
            if max_failure_share is not None:
                max_failures = int(rows * max_failure_share)
            order = RunOrder(
                tenant=tenant,
                name=name,
                manifest=manifest,
                slices=slices,
                rows=rows,
                faults=faults,
                slice_rows=size,
                window=window,
                max_failures=max_failures,
                force=force,
                retry_of=retry_of,
                rows_token=place.token,
                notes=[note.to_dict() for note in notes[:MOST_NOTES]],
                failpoints=failpoints,
                batch_failpoints=batch_failpoints,
            )
            data = order.to_dict()
            entry = Entry(seq=1, kind=EntryKind.CREATED, data=data, at_s=self.clock.wall_s())
            projection = run_projection(run_id, fold([entry]), [entry])
            await self.runs.journal.create(run_id, [Draft(kind=EntryKind.CREATED, data=data)], projection)
        except AlreadyExists:
            await blocking(self.objects.delete_prefix, place.prefix)
        except BaseException:
            if not await self._may_be_accepted(place):
                await blocking(self.objects.delete_prefix, place.prefix)
            raise
        return await self.get(run_id)

    async def _may_be_accepted(self, place: RunRowsPlace) -> bool:
        """Whether the run is there with these very rows, or that cannot be told: then the audit finds them in a day."""
        try:
            record = await self.runs.records.get(place.run_id)
        except FarmError:
            return True
        return record is not None and record.get("rows_token") == place.token

    async def _write(self, place: RunRowsPlace, slices: Iterator[Sequence[Row | Fault]]) -> tuple[int, int, int]:
        """Write the slices, some at once; reading the manifest and writing take turns with each other."""
        number, rows, faults = 0, 0, 0
        gate = asyncio.Semaphore(WRITTEN_AT_ONCE)
        async with side_by_side() as writing:
            while (piece := await blocking(lambda: next(slices, None))) is not None:
                await gate.acquire()
                write = writing.create_task(blocking(place.write, self.objects, number, piece))
                write.add_done_callback(lambda _: gate.release())
                number += 1
                rows += len(piece)
                faults += sum(isinstance(item, Fault) for item in piece)
        return number, rows, faults

    # --- read -------------------------------------------------------------------------------------------------------

    async def get(self, run: str) -> dict[str, Any]:
        """A run's record, by its id, or the newest of that name.

        Raises:
            NotFound: when there is none.
        """
        record: Mapping[str, Any] | None
        if RUN_ID.fullmatch(run):
            record = await self.runs.records.get(run)
        else:
            page = await self.runs.records.list({"name": run}, limit=1)
            record = page.records[0] if page.records else None
        if record is None:
            raise NotFound(kind="run", id=run[:64])
        return (await self._shown([record]))[0]

    async def _shown(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """As readers see them, with the movement of those that are live."""
        live = [record["id"] for record in records if record["status"] in LIVE]
        posted = dict(zip(live, await self.board.read(live), strict=True))
        return [_shown(record, posted.get(record["id"])) for record in records]

    async def list(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """Runs, newest first."""
        return await self._shown((await self.runs.records.list(limit=limit)).records)

    async def page(
        self, *, tenant: str, status: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """A tenant's runs, newest first, and the cursor for what follows. A paused run is one that is ``running``."""
        filters = {"tenant": tenant} | ({} if status is None else {"status": status})
        page = await self.runs.records.list(filters, cursor=cursor, limit=limit)
        return await self._shown(page.records), page.cursor

    async def live_count(self) -> int:
        """How many runs want the run actor: paused ones do not."""
        page = await self.runs.records.list({"status": "running"}, limit=100)
        stopping = await self.runs.records.count({"status": "stopping"})
        return sum(not record.get(PAUSED) for record in page.records) + stopping

    async def report(self, run: str) -> RunReport:
        """The report of a run; of a live one as far as it is.

        Raises:
            NotFound: when there is no such run.
        """
        return self._report(await self.get(run))

    def _report(self, record: Mapping[str, Any]) -> RunReport:
        return RunReport(self.objects, record, record["status"] in LIVE)

    # --- change -----------------------------------------------------------------------------------------------------

    async def pause(self, run: str) -> dict[str, Any]:
        """Begin no more rows; what is under way is finished.

        Raises:
            Conflict: when the run has ended.
        """
        return await self._set_paused(run, True)

    async def resume(self, run: str) -> dict[str, Any]:
        """Go on after a pause."""
        return await self._set_paused(run, False)

    async def _set_paused(self, run: str, paused: bool) -> dict[str, Any]:
        record = await self.get(run)
        if record["status"] not in LIVE:
            raise Conflict(reason=f"run {record['id']} is {record['status']}")
        await self.runs.records.annotate(record["id"], {PAUSED: paused})
        return await self.get(record["id"])

    async def is_paused(self, run_id: str) -> bool:
        record = await self.runs.records.get(run_id)
        return bool(record and record.get(PAUSED))

    async def cancel(self, run: str) -> dict[str, Any]:
        """End the run: what is under way is undone, what is done stays, the rest is never begun.

        Raises:
            JobEnded: when it has ended.
        """
        record = await self.get(run)
        if not await self.runs.inbox.send(record["id"], {"kind": CANCEL, "reason": "asked"}):
            raise JobEnded(job_id=record["id"], status=record["status"])
        if record["status"] == PAUSED:  # so that somebody comes to end it
            await self.runs.records.annotate(record["id"], {PAUSED: False})
        return {**await self.get(run), "cancel_requested": True}

    async def retry(self, run: str, *, only: Sequence[str] = UNDONE, **options: Any) -> dict[str, Any]:
        """A new run of an ended run's rows that came to one of those ends.

        Rows whose line of the manifest could not be read are left out: the manifest has to be mended for them.

        Raises:
            Conflict: while the run goes on. InvalidRequest: when no row is left.
        """
        record = await self.get(run)
        if record["status"] in LIVE:
            raise Conflict(reason=f"run {record['id']} is still {record['status']}; cancel it first, or wait")
        return await self.start(
            self._again(record, frozenset(only)),
            name=record["name"],
            manifest=record["manifest"],
            tenant=record["tenant"],
            retry_of=record["id"],
            **options,
        )

    def _again(self, record: Mapping[str, Any], only: frozenset[str]) -> Iterator[Row]:
        found = self._report(record)
        for number in range(record["slices"]):
            wanted = {(line.row, line.variant) for line in found.part(number) if line.status in only}
            if wanted:
                for item in found.rows.read(self.objects, number):
                    if isinstance(item, Row) and (item.number, item.variant) in wanted:
                        yield item


def _shown(record: Mapping[str, Any], posted: Movement | None) -> dict[str, Any]:
    paused = bool(record.get(PAUSED)) and record["status"] == "running"
    movement = posted or Movement(rows_made=0)
    if paused or record["status"] != "running":
        movement = Movement(rows_made=movement.rows_made)  # it goes nowhere at no rate
    shown = {**movement.to_dict(), "rows_made": max(record["rows_done"], movement.rows_made)}
    return {**record, "status": PAUSED if paused else record["status"], PAUSED: paused, **shown}
