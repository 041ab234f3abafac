"""The batch: the relit rows of one slice as one saga, so that a row costs a hundredth of a job's journal.

Its four steps are the seven of a job, done for all rows at once: accept (1, 2), relight (3, 4), attach (6), finish
(5, 7). What one row meets is that row's: it fails alone, and what it left goes before the batch ends. The pivot of the
rows is one atomic write of all their records, under the batch's lease; before it a cancel undoes all, after it nothing
does.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.domain.event import rfc3339
from farm.domain.ids import new_token, row_job_id
from farm.domain.request import Format
from farm.domain.status import Status
from farm.errors import BadPicture, FarmError, InfrastructureError, SagaError, describe
from farm.render.catalog.brief import brief, output_key
from farm.render.catalog.kit import Kit, Reader, Wanted
from farm.render.catalog.ports import KnownDesign, RowRecord, RowsTask
from farm.render.catalog.row import Row
from farm.render.catalog.slices import read_slice
from farm.render.steps.associate_media import association
from farm.render.steps.parts import blocking
from farm.saga.journal import Entry, Projection
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition, StepContext

ACCEPT, RELIGHT, ATTACH, FINISH = "accept_rows", "relight_rows", "attach_rows", "finish_rows"
PIECE_ROWS = 25
"""Rows of one piece of work: some seconds for a worker, so that little is done again after a crash and a single job
need not wait long."""
MOST_PIECES = 6
SHOP_AT_ONCE = 8
CATALOG = "catalog"
"""The value of the index ``kind`` for live jobs that belong to a run."""


_NOT_FINISHED = {
    "code": "batch_failed",
    "message": "The row's batch could not be finished.",
    "retryable": True,
    "hint": "See the run's last error; `farm catalog retry` tries the row again.",
}


def batch_id(run_id: str, number: int) -> str:
    return f"{run_id}.{number:06d}"


class _Step:
    """What the four share: reading the batch's rows again, which costs little and keeps the journal small."""

    name = ""

    def __init__(self, kit: Kit, reader: Reader) -> None:
        self._kit = kit
        self._parts = kit.parts
        self._reader = reader
        self.retry: RetryPolicy = kit.parts.patient
        self.timeout_s = kit.parts.settings.render_timeout_s

    async def _rows(self, ctx: StepContext) -> dict[int, Row]:
        """The batch's rows by their place in the slice."""
        tenant, run_id, number = ctx.input["tenant"], ctx.input["run"], ctx.input["slice"]
        items = await blocking(read_slice, self._parts.store, tenant, run_id, number)
        wanted = set(ctx.input["rows"])
        return {place: item for place, item in enumerate(items) if place in wanted and isinstance(item, Row)}

    def _job(self, ctx: StepContext, row: Row) -> str:
        return row_job_id(ctx.input["run"], row.number, row.variant)

    async def _write(
        self,
        ctx: StepContext,
        rows: Mapping[int, Row],
        statuses: Mapping[int, Status],
        *,
        now_s: float | None = None,
        **more: Mapping[int, Any],
    ) -> None:
        """Write the records of the rows in ``statuses``."""
        created_at_s = float(ctx.input["at_s"])
        records = []
        for place, status in statuses.items():
            row = rows[place]
            record = brief(
                self._job(ctx, row),
                tenant=ctx.input["tenant"],
                status=status,
                run_id=ctx.input["run"],
                place=(ctx.input["slice"], row.number, row.variant),
                request=row.request,
                template=self._template(place, row),
                created_at_s=created_at_s,
                finished_at_s=now_s if status.ended else None,
                price_cpu_hour=self._kit.parts.settings.price_cpu_hour,
                **{name: of_place[place] for name, of_place in more.items() if place in of_place},
            )
            index = {"status": str(status), "tenant": ctx.input["tenant"]}
            if row.product_id is not None:
                index["product_id"] = row.product_id
            left = bool(more.get("steps_left", {}).get(place))
            if left:
                index["compensation"] = "pending"
            if not status.ended:
                index["kind"] = CATALOG
            job = RowRecord(
                job_id=record["id"],
                created_at_s=created_at_s,
                record=record,
                index=index,
                ended=status.ended and not left,
            )
            records.append(job)
        await self._kit.rows.write(ctx.lease, records)

    def _template(self, place: int, row: Row) -> Mapping[str, str]:
        try:
            return self._reader.wanted(place, row).template
        except FarmError:  # it was removed meanwhile; the record is written all the same
            return {"id": str(row.request.get("template", "")), "version": "", "hash": ""}

    async def _has_ended(self, ctx: StepContext, rows: Mapping[int, Row]) -> bool:
        """Whether the rows are behind their pivot: all their records were written at once, so one tells for all."""
        todo = ctx.outputs.get(ACCEPT, {}).get("todo", [])
        if not todo:
            return False
        record = await self._kit.jobs.records.get(self._job(ctx, rows[todo[0]]))
        return record is not None and Status(record["status"]).ended and not record["compensation_pending"]


class AcceptRows(_Step):
    """Looks which rows are done already, and makes the jobs of the others.

    Idempotency: the jobs' ids are made of run and row; a record that is there is written again as it is.
    Compensation: the jobs end as failed or cancelled, unless they have ended.
    """

    name = ACCEPT

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        wanted, failed = self._wanted(rows)
        identities = await blocking(self._identities, wanted, failed)
        known = await self._look_up(ctx.input["tenant"], identities)
        unchanged = {} if ctx.input["force"] else await self._unchanged(ctx, wanted, known)
        todo = [place for place in wanted if place not in unchanged and place not in failed]
        await self._write(ctx, rows, dict.fromkeys(todo, Status.PENDING))
        await ctx.reach("inside")
        return {
            "todo": todo,
            "unchanged": {str(place): job_id for place, job_id in unchanged.items()},
            "failed": {str(place): error for place, error in failed.items()},
            "known": {
                str(place): [known[place].sha256, known[place].width_px, known[place].height_px]
                for place in todo
                if place in known
            },
        }

    async def compensate(self, ctx: StepContext) -> None:
        rows = await self._rows(ctx)
        await ctx.reach("inside")
        if await self._has_ended(ctx, rows):
            return
        # Where accepting was cut short it is not known which jobs were made: all that might be are looked at.
        todo = ctx.outputs[ACCEPT]["todo"] if ACCEPT in ctx.outputs else await self._made(ctx, rows)
        status = Status.CANCELLED if ctx.reason == "cancelled" else Status.FAILED
        errors = dict.fromkeys(todo, _NOT_FINISHED) if status is Status.FAILED else {}
        now_s = ctx.clock.wall_s()
        await self._write(ctx, rows, dict.fromkeys(todo, status), now_s=now_s, error=errors)

    async def _made(self, ctx: StepContext, rows: Mapping[int, Row]) -> list[int]:
        records = await asyncio.gather(*(self._kit.jobs.records.get(self._job(ctx, row)) for row in rows.values()))
        return [place for place, record in zip(rows, records, strict=True) if record is not None]

    def _wanted(self, rows: Mapping[int, Row]) -> tuple[dict[int, Wanted], dict[int, dict[str, Any]]]:
        wanted: dict[int, Wanted] = {}
        failed: dict[int, dict[str, Any]] = {}
        for place, row in rows.items():
            try:
                wanted[place] = self._reader.wanted(place, row)
            except FarmError as error:
                failed[place] = describe(error)
        return wanted, failed

    def _identities(self, wanted: Mapping[int, Wanted], failed: dict[int, dict[str, Any]]) -> dict[int, str]:
        found: dict[int, str] = {}
        asked: dict[str, str | None] = {}
        for place, one in wanted.items():
            address = one.row.design
            try:
                if address not in asked:
                    asked[address] = self._kit.designs.identity(address)
                if (identity := asked[address]) is not None:
                    found[place] = identity
            except FarmError as error:
                if not error.retryable:  # else the worker may have more luck
                    failed[place] = describe(error)
        return found

    async def _look_up(self, tenant: str, identities: Mapping[int, str]) -> dict[int, KnownDesign]:
        found = await self._kit.book.look_up(tenant, list(identities.values()))
        return {place: known for place, known in zip(identities, found, strict=True) if known is not None}

    async def _unchanged(
        self, ctx: StepContext, wanted: Mapping[int, Wanted], known: Mapping[int, KnownDesign]
    ) -> dict[int, str]:
        """Rows whose product shows these very pictures already, with the job that made them."""
        places = [place for place in known if wanted[place].row.product_id is not None]
        tenant = ctx.input["tenant"]
        jobs = await asyncio.gather(*(standing_job(self._kit, wanted[one], known[one], tenant) for one in places))
        return {place: job for place, job in zip(places, jobs, strict=True) if job is not None}


async def standing_job(kit: Kit, wanted: Wanted, known: KnownDesign, tenant: str, *, look: bool = True) -> str | None:
    """The job whose pictures the row's product shows, if they are the ones that the row asks for and still whole.

    Args:
        look: whether to read the pictures; else the record is believed.
    """
    if wanted.request["media"] != "replace" or wanted.request["mode"] != "images-only" or wanted.request["model"]:
        return None
    product_id = str(wanted.row.product_id)
    page = await kit.jobs.records.list({"product_id": product_id, "tenant": tenant, "status": "completed"}, limit=16)
    colour = wanted.request["fabric_color"]
    record = next(
        (one for one in page.records if one["request"]["fabric_color"] == colour and not one.get("superseded_by")), None
    )
    if record is None or record.get("deleted"):
        return None
    data = {
        "tenant": tenant,
        "request": wanted.request,
        "designs": [{"sha256": known.sha256}],
        "template": wanted.template,
        "engine": wanted.engine,
    }
    fingerprints = kit.fingerprints(data)
    found = {item["view"]: item for item in record["artifacts"] if item["kind"] == "still"}
    if set(found) != set(fingerprints):
        return None
    if any(found[view].get("fingerprint") not in options for view, options in fingerprints.items()):
        return None
    whole = not look or await blocking(_all_whole, kit, list(found.values()))
    return str(record["id"]) if whole else None


def _all_whole(kit: Kit, artifacts: Sequence[Mapping[str, Any]]) -> bool:
    try:
        for item in artifacts:
            kit.parts.store.get(item["key"], sha256=item["sha256"])
    except FarmError as error:
        if error.retryable and error.code not in ("object_missing", "object_altered"):
            raise
        return False
    return True


class RelightRows(_Step):
    """Has the rows relit, piece by piece, and journals each piece as it is finished.

    Idempotency: pieces noted as done are not done again; each attempt writes under a token of its own, and only the
    noted one counts.
    Compensation: everything under the jobs' prefixes goes, unless they have ended.
    """

    name = RELIGHT

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        done = relit(ctx.notes)
        accepted = ctx.outputs[ACCEPT]
        left = [place for place in accepted["todo"] if place not in done]
        if left:
            await self._write(ctx, rows, dict.fromkeys(left, Status.RENDERING))
        slots = max(1, await self._kit.workers.row_slots())
        size = max(1, min(PIECE_ROWS, -(-len(left) // slots)))
        gate = asyncio.Semaphore(min(slots, MOST_PIECES))
        pieces = [left[at : at + size] for at in range(0, len(left), size)]

        async def work(piece: Sequence[int]) -> None:
            async with gate:
                await self._piece(ctx, rows, piece)

        await _all(work(piece) for piece in pieces)
        await ctx.reach("inside")
        return {"rows": [dict(row) for row in relit(ctx.notes).values()], "retried": retried(ctx.notes)}

    async def compensate(self, ctx: StepContext) -> None:
        rows = await self._rows(ctx)
        await ctx.reach("inside")
        if not await self._has_ended(ctx, rows):
            for place in ctx.outputs.get(ACCEPT, {}).get("todo", []):
                prefix = keys.job(ctx.input["tenant"], self._job(ctx, rows[place]))
                await blocking(self._parts.store.delete_prefix, prefix)

    async def _piece(self, ctx: StepContext, rows: Mapping[int, Row], places: Sequence[int]) -> None:
        """Until each row of the piece is done or has failed for good.

        A piece that fails as a whole is tried again row by row: the row that killed its worker must not fail others.
        """
        attempts = self._parts.settings.view_attempts
        for attempt in range(1, attempts + 1):
            await self._kit.pace.stand_aside()
            try:
                places = await self._attempt(ctx, rows, places, last=attempt == attempts)
            except (InfrastructureError, SagaError):
                raise
            except FarmError as error:
                if len(places) > 1:
                    for place in places:
                        await self._piece(ctx, rows, [place])
                    return
                if attempt == attempts or not error.retryable:
                    await ctx.note({"rows": [{"i": place, "error": describe(error)} for place in places]})
                    return
            if not places:
                return

    async def _attempt(
        self, ctx: StepContext, rows: Mapping[int, Row], places: Sequence[int], *, last: bool
    ) -> Sequence[int]:
        """One attempt; returns the rows that are worth another."""
        known = ctx.outputs[ACCEPT]["known"]
        token = new_token()
        task = RowsTask(
            tenant=ctx.input["tenant"],
            batch_id=ctx.saga_id,
            name=f"rows-{places[0]:04d}",
            token=token,
            rows=tuple(self._order(ctx, rows[place], place, known.get(str(place))) for place in places),
            deadline_s=self._parts.settings.view_timeout_s,
            force=bool(ctx.input["force"]),
        )
        # Noted first: what an attempt leaves that came to nothing is then cleared before the batch ends.
        await ctx.note({"attempt": token, "of": list(places)})
        answers = await self._kit.workers.relight_rows(task)
        again = [answer["i"] for answer in answers if not last and _may_do_better(answer.get("error"))]
        settled = [answer for answer in answers if answer["i"] not in again]
        if settled:
            await self._remember(ctx.input["tenant"], settled)
            await ctx.note({"rows": [_kept(answer, token) for answer in settled]})
        return again

    def _order(self, ctx: StepContext, row: Row, place: int, known: Sequence[Any] | None) -> Mapping[str, Any]:
        wanted = self._reader.wanted(place, row)
        return {
            "i": place,
            "job": self._job(ctx, row),
            "design": row.design,
            "request": wanted.request,
            "template": wanted.template,
            "engine": wanted.engine,
            "known": known,
        }

    async def _remember(self, tenant: str, answers: Iterable[Mapping[str, Any]]) -> None:
        found = {
            answer["identity"]: KnownDesign(
                sha256=answer["sha256"], width_px=answer["design_px"][0], height_px=answer["design_px"][1]
            )
            for answer in answers
            if answer.get("identity")
        }
        await self._kit.book.remember(tenant, found)


def _may_do_better(error: Mapping[str, Any] | None) -> bool:
    """Relighting is arithmetic: a picture that failed its verdict would fail it again."""
    return error is not None and bool(error.get("retryable")) and error.get("code") != BadPicture.code


def _kept(answer: Mapping[str, Any], token: str) -> dict[str, Any]:
    """What the journal keeps of an answer: what the record will need."""
    if answer.get("error"):
        return {"i": answer["i"], "error": answer["error"]}
    names = ("i", "sha256", "seconds", "renderer", "device", "views", "warnings")
    return {"token": token, **{name: answer[name] for name in names if name in answer}}


def relit(notes: Iterable[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """What was noted of the rows, by their place."""
    return {int(row["i"]): row for note in notes for row in note.get("rows", ())}


def retried(notes: Iterable[Mapping[str, Any]]) -> list[int]:
    """Rows that were attempted more than once, by their place."""
    attempts = Counter(place for note in notes for place in note.get("of", ()))
    return sorted(place for place, count in attempts.items() if count > 1)


class AttachRows(_Step):
    """Writes each product once: its entries and its thumbnail.

    Idempotency: entries have ids made of job and view; the catalogue keeps one record per job.
    Compensation: exactly these jobs' entries go, and what they replaced comes back; unless the jobs have ended.
    """

    name = ATTACH

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        done = {place: row for place, row in relit([ctx.outputs[RELIGHT]]).items() if "error" not in row}
        media: dict[str, Mapping[str, Any]] = {}
        failed: dict[str, Mapping[str, Any]] = {}

        async def attach(places: Sequence[int]) -> None:
            for place in places:
                request = self._reader.wanted(place, rows[place]).request
                job_id = self._job(ctx, rows[place])
                artifacts = artifacts_of(ctx.input["tenant"], job_id, done[place], request)
                wanted = association(job_id, request, artifacts, self._parts.store.url)
                await self._kit.pace.write()
                try:
                    answer = await self._parts.catalog.associate(ctx.input["tenant"], request["product_id"], wanted)
                    media[str(place)] = {"media_ids": answer["media_ids"], "superseded": answer["superseded"]}
                except FarmError as error:
                    if error.retryable:
                        raise
                    failed[str(place)] = describe(error)

        await _bounded((partial(attach, places) for places in _by_product(rows, done)), SHOP_AT_ONCE)
        await ctx.reach("inside")
        return {"media": media, "failed": failed}

    async def compensate(self, ctx: StepContext) -> None:
        rows = await self._rows(ctx)
        await ctx.reach("inside")
        if await self._has_ended(ctx, rows):
            return
        todo = ctx.outputs.get(ACCEPT, {}).get("todo", [])

        async def detach(places: Sequence[int]) -> None:
            for place in places:
                job_id = self._job(ctx, rows[place])
                await self._kit.pace.write()
                await self._parts.catalog.dissociate(ctx.input["tenant"], str(rows[place].product_id), job_id)

        await _bounded((partial(detach, places) for places in _by_product(rows, todo)), SHOP_AT_ONCE)


def _by_product(rows: Mapping[int, Row], places: Iterable[int]) -> list[list[int]]:
    """Rows of one product in their order, one after the other; products beside each other."""
    found: dict[str, list[int]] = {}
    for place in sorted(places):
        product_id = rows[place].product_id
        if product_id is not None:
            found.setdefault(product_id, []).append(place)
    return list(found.values())


class FinishRows(_Step):
    """Undoes what failed, writes the manifest, then ends all jobs in one atomic write: their pivot.

    Idempotency: the same bytes at the same key; a job that has ended keeps its record.
    Compensation: none; behind the pivot there is nothing to undo, and the other steps see that it has passed.
    """

    name = FINISH

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        rows = await self._rows(ctx)
        done = relit([ctx.outputs[RELIGHT]])
        refused = {int(place): error for place, error in ctx.outputs[ATTACH]["failed"].items()}
        media = {int(place): found for place, found in ctx.outputs[ATTACH]["media"].items()}
        errors = {place: row["error"] for place, row in done.items() if "error" in row} | refused
        good = {place: row for place, row in done.items() if place not in errors}
        await self._undo(ctx, rows, errors)
        for place in ctx.outputs[RELIGHT]["retried"]:
            if place in good:
                await blocking(self._clear, ctx.input["tenant"], self._job(ctx, rows[place]), good[place]["token"])
        await blocking(self._put_manifest, ctx, rows, good)
        await ctx.reach("inside")
        statuses = {place: Status.FAILED if place in errors else Status.COMPLETED for place in done}
        await self._write(ctx, rows, statuses, now_s=ctx.clock.wall_s(), done=good, media=media, error=errors)
        await self._tell_superseded(ctx, rows, media)
        return {}

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")
        rows = await self._rows(ctx)
        if not await self._has_ended(ctx, rows):
            key = keys.batch_manifest(ctx.input["tenant"], ctx.input["run"], ctx.input["slice"])
            await blocking(self._parts.store.delete, [key])

    async def _undo(self, ctx: StepContext, rows: Mapping[int, Row], places: Iterable[int]) -> None:
        for place in places:
            job_id = self._job(ctx, rows[place])
            if rows[place].product_id is not None:
                await self._parts.catalog.dissociate(ctx.input["tenant"], str(rows[place].product_id), job_id)
            await blocking(self._parts.store.delete_prefix, keys.job(ctx.input["tenant"], job_id))

    def _clear(self, tenant: str, job_id: str, token: str) -> None:
        """Remove what attempts left that do not count."""
        kept = keys.out(tenant, job_id, f"{token}/")
        strays = [
            item.key for item in self._parts.store.list(keys.job(tenant, job_id)) if not item.key.startswith(kept)
        ]
        self._parts.store.delete(strays)

    def _put_manifest(self, ctx: StepContext, rows: Mapping[int, Row], good: Mapping[int, Mapping[str, Any]]) -> None:
        """One manifest for all jobs of the batch: their requests, placements included, and their outputs."""
        tenant, jobs = ctx.input["tenant"], {}
        for place, row in good.items():
            job_id = self._job(ctx, rows[place])
            request = self._reader.wanted(place, rows[place]).request
            artifacts = artifacts_of(tenant, job_id, row, request)
            jobs[job_id] = {
                "product_id": rows[place].product_id,
                "design": row["sha256"],
                "template": dict(self._template(place, rows[place])),
                "request": dict(request),
                "outputs": [artifact.to_dict() for artifact in artifacts],
            }
        manifest = {"schema": 1, "run_id": ctx.input["run"], "jobs": jobs}
        data = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        key = keys.batch_manifest(tenant, ctx.input["run"], ctx.input["slice"])
        self._parts.store.put(key, data, content_type="application/json")

    async def _tell_superseded(
        self, ctx: StepContext, rows: Mapping[int, Row], media: Mapping[int, Mapping[str, Any]]
    ) -> None:
        for place, found in media.items():
            for older in found["superseded"]:
                await self._kit.jobs.records.annotate(older, {"superseded_by": self._job(ctx, rows[place])})


def artifacts_of(tenant: str, job_id: str, row: Mapping[str, Any], request: Mapping[str, Any]) -> list[Artifact]:
    """A relit row's outputs."""
    form = Format(request["format"])
    return [
        Artifact(
            kind=Kind.STILL,
            name=view["view"] + form.suffix,
            key=output_key(tenant, job_id, row["token"], view["view"] + form.suffix),
            sha256=view["sha256"],
            size_bytes=view["size_bytes"],
            content_type=form.content_type,
            width_px=view["width_px"],
            height_px=view["height_px"],
            view=view["view"],
            fingerprint=view["fingerprint"],
        )
        for view in row["views"]
    ]


async def _bounded(works: Iterable[Any], most: int) -> None:
    """Run all, so many at a time."""
    gate = asyncio.Semaphore(most)

    async def one(work: Any) -> None:
        async with gate:
            await work()

    await _all(one(work) for work in works)


async def _all(works: Iterable[Any]) -> None:
    """Run all; the first failure cancels the others and waits until they have really stopped."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except* FarmError as failures:
        raise failures.exceptions[0] from None


def batch_definition(kit: Kit, reader: Reader) -> SagaDefinition:
    """The saga of a batch."""
    settings = kit.parts.settings
    undo = RetryPolicy(
        max_attempts=settings.compensation_attempts, base_s=settings.backoff_base_s, max_wait_s=settings.backoff_max_s
    )
    return SagaDefinition(
        name="batch",
        steps=(AcceptRows(kit, reader), RelightRows(kit, reader), AttachRows(kit, reader), FinishRows(kit, reader)),
        last=FINISH,
        deadline_s=settings.job_deadline_s,
        undo_retry=undo,
        undo_timeout_s=600.0,
    )


def batch_projection(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
    """A `Projector`: what the run has to know of a batch that has ended."""
    accepted = state.outputs.get(ACCEPT, {})
    statuses = {SagaPhase.COMPLETED: "completed", SagaPhase.FAILED: "failed", SagaPhase.CANCELLED: "cancelled"}
    record = {
        "id": saga_id,
        "status": statuses.get(state.phase, "running"),
        "run": state.input["run"],
        "slice": state.input["slice"],
        "tenant": state.input["tenant"],
        "rows": state.input["rows"],
        "unchanged": accepted.get("unchanged", {}),
        "failed": accepted.get("failed", {}),
        "error": state.error,
        "compensation_pending": state.compensation_pending,
        "updated_at": rfc3339(state.updated_at_s or state.created_at_s),
    }
    return Projection(
        record=record, index={"run": state.input["run"]}, created_at_s=state.created_at_s, live=state.live, events=()
    )
