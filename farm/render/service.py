"""What can be done with jobs: submit, watch, cancel, retry, delete. The command line and the HTTP face call these.

Everything here talks to the store alone; the coordinators are woken by it and do the work.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from farm.domain import keys
from farm.domain.colour import TRANSPARENT
from farm.domain.event import TERMINAL
from farm.domain.ids import DEFAULT_TENANT, JOB_ID, new_job_id, new_token
from farm.domain.request import RenderRequest, parse_request
from farm.domain.status import Status
from farm.errors import (
    AlreadyExists,
    Conflict,
    DesignGone,
    FarmError,
    InvalidRequest,
    JobEnded,
    NotFound,
    ObjectAltered,
    ObjectMissing,
)
from farm.render.bulkhead import blocking
from farm.render.deletion import PENDING, Deletion
from farm.render.estimate import USUAL, Paces
from farm.render.finding import find
from farm.render.forecast import forecast
from farm.render.job_log import saga_lines
from farm.render.making import choose
from farm.render.ports import LiveProgress, ObjectStore, ProductCatalog
from farm.render.prepare import Prepared, PreparedDesign, prepare, prepare_later
from farm.render.progress import NOTHING, with_shares
from farm.render.record import in_batch, projector
from farm.render.results import ResultCache
from farm.render.statistics import WINDOW_S, statistics_of
from farm.render.tasks.drill import split
from farm.render.usage import prices_of
from farm.saga.clock import Clock
from farm.saga.failpoint import Failpoints, parse_failpoints
from farm.saga.fold import fold
from farm.saga.inbox import CANCEL, COMPENSATE
from farm.saga.journal import Draft, Entry, EntryKind
from farm.saga.store import Store
from farm.settings import Settings

SUBMIT_ATTEMPTS = 3
FOLLOW_IDLE_S = 5.0
TASK_LOGS = 40
SAMPLE = 500
"""Jobs that statistics are made of."""


async def _no_batches(batch_id: str) -> None:
    raise NotFound(kind="batch", id=batch_id)


async def _nothing_learned() -> Paces:
    return USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmService:
    """The farm's use cases."""

    settings: Settings
    sagas: Store
    objects: ObjectStore
    catalog: ProductCatalog
    live: LiveProgress
    clock: Clock
    resume_compensation: Callable[[str], Awaitable[None]]
    resume_batch: Callable[[str], Awaitable[None]] = _no_batches
    paces: Callable[[], Awaitable[Paces]] = _nothing_learned

    # --- submit -----------------------------------------------------------------------------------------------------

    async def submit(
        self,
        prepared: Prepared,
        *,
        tenant: str = DEFAULT_TENANT,
        failpoints: str = "",
        job_id: str | None = None,
        origin: Mapping[str, Any] | None = None,
        force: bool = False,
        is_new: bool = False,
    ) -> dict[str, Any]:
        """Accept a job; when this returns it is on disk and will end, whatever dies.

        Args:
            failpoints: drills that travel with the job, see `farm.saga.failpoint`.
            origin: ``retried_from`` and ``retry_count`` of a retry.
            force: render also what was rendered before and is kept.
            is_new: the caller has heard from the store a moment ago, and of no job with this id: it is not asked again.

        Returns:
            The record, as it was accepted.

        Raises:
            AlreadyExists: when ``job_id`` is taken.
            BakeMissing, FilmBakeMissing, BakeTooSmall: when it is to be relit and its template is not baked so.
            StoreUnavailable, StorageUnavailable: nothing was accepted, nothing is left.
        """
        job_id = job_id or new_job_id(int(self.clock.wall_s() * 1000))
        drills = Failpoints(parse_failpoints(split(failpoints)[0]), self.sagas.counters)
        for attempt in range(1, SUBMIT_ATTEMPTS + 1):
            try:
                await drills.reach(job_id, "create_job.before")
                break
            except FarmError as error:
                if not error.retryable or attempt == SUBMIT_ATTEMPTS:
                    raise
        # Asked before anything is written: a store that is away, or an id that is taken, then leaves no trace.
        if not is_new and await self.sagas.records.get(job_id) is not None:
            raise AlreadyExists(kind="job", id=job_id)
        engine = await blocking(choose, self.settings, self.objects, prepared.request, prepared.template)
        # Names of its own: two may want the same id at once, and only one of them gets it. No folder of its own:
        # a store of files would have to sync one more.
        begins = f"{keys.uploads(tenant, job_id)}{new_token()}-"
        names = [f"{begins}{index}.png" for index in range(len(prepared.designs))]
        try:
            uploads = [await self._upload(*each) for each in zip(names, prepared.designs, strict=True)]
            data = {
                "tenant": tenant,
                "request": dict(prepared.request),
                "template": dict(prepared.template),
                "designs": uploads or [{"url": url} for url in prepared.urls],
                "warnings": [dict(warning) for warning in prepared.warnings],
                "engine": engine.to_dict(),
                **({"force": True} if force else {}),
                "film_frames": self.settings.film_frames,
                "film_fps": self.settings.film_fps,
                "prices": prices_of(self.settings),
                "currency": self.settings.currency,
                "failpoints": failpoints,
                **(origin or {}),
            }
            entry = Entry(seq=1, kind=EntryKind.CREATED, data=data, at_s=self.clock.wall_s())
            projection = projector(self.objects.url)(job_id, fold([entry]), [entry])
            await self.sagas.journal.create(job_id, [Draft(kind=EntryKind.CREATED, data=data)], projection)
        except AlreadyExists:
            await blocking(self.objects.delete, names)
            raise
        except BaseException:
            # Whether or not the journal took the job: if it did, the coordinator finds the upload gone only when
            # nobody ever learned the job's id; else nothing may stay behind.
            if await self._was_not_accepted(job_id):
                await blocking(self.objects.delete, names)
            raise
        return (await self._with_live([json.loads(json.dumps(projection.record))]))[0]

    async def _upload(self, key: str, design: PreparedDesign) -> dict[str, Any]:
        await blocking(self.objects.put, key, design.data, content_type="image/png")
        return {
            "key": key,
            "sha256": design.sha256,
            "size_bytes": len(design.data),
            "width_px": design.width_px,
            "height_px": design.height_px,
        }

    @property
    def _results(self) -> ResultCache:
        return ResultCache(self.objects, days=self.settings.cache_days)

    async def forecast(
        self, prepared: Prepared, *, tenant: str = DEFAULT_TENANT, force: bool = False
    ) -> dict[str, Any]:
        """What a job would be, had it been submitted; changes nothing.

        Raises:
            BakeMissing, FilmBakeMissing, BakeTooSmall: as `submit`.
        """
        return await blocking(
            forecast,
            self.settings,
            self.objects,
            self._results,
            prepared,
            tenant=tenant,
            force=force,
            paces=await self.paces(),
        )

    async def _was_not_accepted(self, job_id: str) -> bool:
        try:
            return await self.sagas.records.get(job_id) is None
        except FarmError:
            return False  # Unknown: the sweep of uploads without a job decides later.

    # --- read -------------------------------------------------------------------------------------------------------

    async def get(self, job_id: str) -> dict[str, Any]:
        """The job's record, with the progress of views that render right now.

        Raises:
            NotFound: when there is no such job.
        """
        record = await self.sagas.records.get(job_id) if JOB_ID.fullmatch(job_id) else None
        if record is None or record.get("deleted"):
            raise NotFound(kind="job", id=job_id[:64])
        return (await self._with_live([dict(record)]))[0]

    async def _with_live(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """With the progress of those that render, which is asked for in one go."""
        for record in records:
            record.setdefault("superseded_by", None)
        rendering = [record["id"] for record in records if record["status"] == Status.RENDERING]
        shares = dict(zip(rendering, await self.live.shares_each(rendering), strict=True))
        now_s = self.clock.wall_s()
        return [with_shares(record, shares.get(record["id"], NOTHING), now_s) for record in records]

    async def find(
        self, text: str, *, tenant: str | None = None, cursor: str | None = None, limit: int = 50, **filters: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Jobs whose id or product has ``text`` in it, newest first, see `farm.render.finding`."""
        records, following = await find(
            self.sagas.records, text, {**filters, "tenant": tenant}, cursor=cursor, limit=limit
        )
        return await self._with_live([dict(record) for record in records]), following

    async def list(
        self,
        *,
        status: str | None = None,
        product_id: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        created_after_s: float | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Jobs, newest first, and the cursor for what follows."""
        if status is not None and status not in set(Status):
            raise InvalidRequest(reason=f"{status!r} is no status; there are {', '.join(Status)}")
        wanted = {"status": status, "product_id": product_id, "tenant": tenant}
        filters = {name: value for name, value in wanted.items() if value is not None}
        page = await self.sagas.records.list(filters, cursor=cursor, limit=limit, created_after_s=created_after_s)
        shown = [dict(record) for record in page.records if not record.get("deleted")]
        return await self._with_live(shown), page.cursor

    async def follow(self, job_id: str, after: int = 0) -> AsyncGenerator[dict[str, Any]]:
        """The job's events after number ``after`` as they come; ends behind the last one of an ended job."""
        record: Mapping[str, Any] | None = await self.get(job_id)
        # Of a job that has ended nothing more will come: one short look is enough.
        idle_s = 0.1 if record and Status(record["status"]).ended else FOLLOW_IDLE_S
        async with aclosing(self.sagas.events.follow(job_id, after, idle_s=idle_s)) as events:
            async for event in events:
                if event is None:
                    record = await self.sagas.records.get(job_id)
                    if record is None or Status(record["status"]).ended:
                        return
                    continue
                yield {**event.data, "id": f"{job_id}/{event.number}", "sequence": event.number}
                if event.data["type"] in TERMINAL:
                    return

    async def progress(self, job_id: str) -> Mapping[str, float]:
        """Share done, 0 to 1, of the views that render now."""
        return await self.live.read(job_id)

    async def live_count(self, *, tenant: str | None = None) -> int:
        """How many jobs have not ended, of all tenants or of one."""
        own = {} if tenant is None else {"tenant": tenant}
        return sum(
            await self.sagas.records.count_each([{"status": status, **own} for status in Status if not status.ended])
        )

    async def log(self, job_id: str) -> str:
        """What the saga did, and what the workers of its attempts wrote, as far as it is kept.

        Workers' logs lie beside their attempts' pictures, and go with these when the job ends.
        """
        record = await self.get(job_id)
        parts = ["\n".join(saga_lines(record)) + "\n"]
        if not Status(record["status"]).ended:
            parts += await blocking(self._task_logs, record["tenant"], job_id)
        return "\n".join(parts)

    def _task_logs(self, tenant: str, job_id: str) -> Sequence[str]:
        found = [item for item in self.objects.list(keys.work(tenant, job_id)) if item.key.endswith(".log")]
        texts = []
        for item in sorted(found, key=lambda item: item.modified_s)[-TASK_LOGS:]:
            with suppress(ObjectMissing):  # the job has moved on this moment
                texts.append(self.objects.get(item.key).decode("utf-8", errors="replace"))
        return texts

    async def statistics(self, *, tenant: str) -> dict[str, Any]:
        """How a tenant's jobs of the last hour did, see `farm.render.statistics`; of many the newest tell."""
        now_s = self.clock.wall_s()
        page = await self.sagas.records.list({"tenant": tenant}, limit=SAMPLE, created_after_s=now_s - WINDOW_S)
        return statistics_of(page.records, now_s)

    async def count(self, **filters: str) -> int:
        """How many jobs have all of ``filters`` in their index: ``status``, ``tenant``, ``product_id``, …"""
        return await self.sagas.records.count(filters)

    # --- change -----------------------------------------------------------------------------------------------------

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask for the job's end; it becomes ``cancelled`` once all is undone.

        Raises:
            JobEnded: when it has ended already.
        """
        record = await self.get(job_id)
        if in_batch(record) and not Status(record["status"]).ended:
            raise Conflict(reason=f"job {job_id} is a row of run {record['run']['id']}; cancel the run, or wait")
        if Status(record["status"]).ended or not await self.sagas.inbox.send(
            job_id, {"kind": CANCEL, "reason": "asked"}
        ):
            raise JobEnded(job_id=job_id, status=(await self.get(job_id))["status"])
        return {**record, "cancel_requested": True}

    async def retry(
        self,
        job_id: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        tenant: str | None = None,
        failpoints: str = "",
        new_id: str | None = None,
        force: bool = False,
    ) -> dict[str, Any]:
        """A new job with the old one's designs and settings, but for ``overrides``; what is kept is not made again.

        Args:
            force: make all again.

        Raises:
            AlreadyExists: when ``new_id``, the id the new job shall have, is taken.
            Conflict: while the job runs.
            DesignGone: when its designs are no longer kept, nor an address from which they could be fetched again.
        """
        record = await self.get(job_id)
        if not Status(record["status"]).ended:
            raise Conflict(reason=f"job {job_id} is still {record['status']}; cancel it first, or wait")
        request = _request_again(record["request"], overrides or {})
        try:
            designs = await self._designs_of(record)
            prepared = await blocking(prepare, self.settings, request, designs)
        except DesignGone:
            if not (urls := record.get("design_urls")):
                raise
            prepared = await blocking(prepare_later, self.settings, request, urls)
        origin = {"retried_from": job_id, "retry_count": int(record["retry_count"]) + 1}
        return await self.submit(
            prepared,
            tenant=tenant or record["tenant"],
            failpoints=failpoints,
            job_id=new_id,
            origin=origin,
            force=force,
        )

    async def design(self, record: Mapping[str, Any], number: int) -> bytes:
        """A job's design as PNG, normalised.

        Raises:
            NotFound: when the job has no design of that number.
            DesignGone: when it is not kept (any more).
        """
        if not record["designs"] or in_batch(record):
            raise DesignGone(job_id=record["id"])
        if number >= len(record["designs"]):
            raise NotFound(kind="design", id=str(number))
        key = keys.design(record["tenant"], record["id"], number)
        try:
            return await blocking(self.objects.get, key, sha256=record["designs"][number])
        except (ObjectMissing, ObjectAltered) as error:
            raise DesignGone(job_id=record["id"]) from error

    async def _designs_of(self, record: Mapping[str, Any]) -> Sequence[bytes]:
        if not record["designs"]:
            raise DesignGone(job_id=record["id"])
        return [await self.design(record, number) for number in range(len(record["designs"]))]

    async def delete(self, job_id: str, *, keep_media: bool = False) -> None:
        """Remove an ended job: its media, its objects, what is kept of its designs, then its record and journal.

        It is gone for everybody at once, and durably so: what fails half way is finished by the sweep, or by asking
        again. With ``keep_media`` shop and outputs stay, and the record too, because it says whose they are; but the
        job is no longer shown, and its design goes.

        Raises:
            Conflict: while the job runs, or its compensation is pending.
            StoreUnavailable, StorageUnavailable, ShopUnavailable: it is not finished yet.
        """
        deletion = Deletion(sagas=self.sagas, objects=self.objects, catalog=self.catalog)
        begun = await self.sagas.records.get(job_id) if JOB_ID.fullmatch(job_id) else None
        if begun is not None and begun.get(PENDING) is not None:
            await deletion.finish(job_id)
            return
        record = await self.get(job_id)
        if not Status(record["status"]).ended or record["compensation_pending"]:
            raise Conflict(
                reason=f"job {job_id} is {record['status']}; only an ended job without open compensation can go"
            )
        await deletion.begin(record, keep_media=keep_media)
        await deletion.finish(job_id)

    async def ask_compensation(self, job_id: str) -> dict[str, Any]:
        """Have a coordinator take up a compensation that had to be given up: asked for durably, and not waited for.

        That of a row of a run, whose batch no coordinator claims, is seen through here and now.

        Raises:
            Conflict: when nothing is pending, or somebody is at it.
        """
        record = await self.get(job_id)
        if not record["compensation_pending"]:
            raise Conflict(reason=f"job {job_id} has no compensation pending")
        if in_batch(record):
            return await self.compensate(job_id)
        if not await self.sagas.inbox.send(job_id, {"kind": COMPENSATE}, to_pending=True):
            raise Conflict(reason=f"somebody is undoing job {job_id} already")
        return record

    async def compensate(self, job_id: str) -> dict[str, Any]:
        """Take up a compensation that had to be given up, and see it through.

        Raises:
            Conflict: when nothing is pending, or somebody is at it.
        """
        record = await self.get(job_id)
        if not record["compensation_pending"]:
            raise Conflict(reason=f"job {job_id} has no compensation pending")
        if in_batch(record):
            await self.resume_batch(f"{record['run']['id']}.{record['run']['slice']:06d}")
        else:
            await self.resume_compensation(job_id)
        return await self.get(job_id)


def _request_again(request: Mapping[str, Any], overrides: Mapping[str, Any]) -> RenderRequest:
    again = dict(request)
    if again["preset"] is not None or "preset" in overrides:
        del again["placements"]  # They were the preset's, or give way to one; a new template brings its own.
    if "quality" in overrides:
        again.pop("samples", None)
    if "format" in overrides and again["background_color"] == TRANSPARENT:
        del again["background_color"]  # The default: what it means depends on the format.
    return parse_request({**again, **overrides})
