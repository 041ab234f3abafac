"""Jobs: submit, watch, cancel, retry, delete."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime

from farm.domain.access import Principal
from farm.domain.ids import new_job_id
from farm.domain.status import Status
from farm.errors import (
    AlreadyExists,
    IdempotencyMismatch,
    InfrastructureError,
    InvalidRequest,
    NotFound,
    QueueFull,
    TooManyRequests,
)
from farm.render.prepare import Prepared
from serve_app.auth import Reader, Writer
from serve_app.conditions import unchanged
from serve_app.event_stream import job_events
from serve_app.idempotency import IdempotencyKey, Operation, digest_of
from serve_app.intake import decode, read_json, receive_job
from serve_app.job_ids import is_same, job_id_of_client
from serve_app.job_json import POLL_S, ended, etag_of, job_json
from serve_app.json_body import JSON, JsonAnswer, json_bytes
from serve_app.operations import JOB_BODY, problems
from serve_app.own_job import OwnJob, own
from serve_app.schemas import DeletedJson, DryRun, Job, JobList
from serve_app.services import Services, TheServices

router = APIRouter(prefix="/jobs", tags=["jobs"])

Force = Annotated[bool, Query(description="Render also what was rendered before and is kept.")]
_QUEUE_WAIT_S = 15

_OVERRIDES = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/RenderRequest"},
                "example": {"samples": 64},
            }
        },
    }
}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job is on disk and will end, whatever dies.",
        "model": Job,
        "headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}},
    }
}


_DELETED: dict[int | str, dict[str, Any]] = {
    202: {"description": "It is gone; what is left of it is being removed.", "model": DeletedJson}
}


@router.post(
    "",
    status_code=202,
    responses=_ACCEPTED
    | {200: {"description": "Of a dry run: what would be.", "model": DryRun}}
    | problems(404, 409, 413, 415),
    openapi_extra=JOB_BODY,
)
async def submit(
    request: Request,
    services: TheServices,
    who: Writer,
    dry_run: Annotated[bool, Query(description="Check everything, change nothing.")] = False,
    force: Force = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Submit a job: one or more designs, and how to show them."""
    intake = await receive_job(request, services, who.tenant)
    who.check_priority(intake.request.priority)
    if dry_run:
        prepared = await decode(services, intake)
        told = await services.service.forecast(prepared, tenant=who.tenant, force=force)
        return JsonAnswer(_dry(prepared) | told)

    async def make(job_id: str) -> Response:
        prepared = await decode(services, intake)
        # Without a key nobody can have heard of this id before.
        return await _accept(request, services, who, prepared, job_id, force=force, repeats=idempotency_key is not None)

    if idempotency_key is None:
        return await make(_new_id())  # nothing is to be remembered of what was sent
    digest = digest_of(intake.digest, "force") if force else intake.digest
    return await services.answers.once(_operation(who, "submit", idempotency_key, digest), make)


def _operation(who: Principal, name: str, key: str | None, digest: str) -> Operation:
    return Operation(tenant=who.tenant, name=name, key=key, digest=digest, new_id=_new_id)


def _new_id() -> str:
    return new_job_id(int(time.time() * 1000))


@router.put("/{job_id}", status_code=202, responses=_ACCEPTED | problems(404, 409, 413, 415), openapi_extra=JOB_BODY)
async def submit_as(
    request: Request,
    services: TheServices,
    who: Writer,
    job_id: Annotated[str, Path(max_length=64, description="An id of your choice.")],
    force: Force = False,
) -> Response:
    """Submit a job under an id of your own: safe to repeat after a lost answer."""
    wanted = job_id_of_client(who.tenant, job_id)
    intake = await receive_job(request, services, who.tenant)
    who.check_priority(intake.request.priority)
    prepared = await decode(services, intake)
    return await _accept(request, services, who, prepared, wanted, force=force, repeats=True)


async def _accept(
    request: Request,
    services: Services,
    who: Principal,
    prepared: Prepared,
    job_id: str,
    *,
    force: bool,
    repeats: bool,
) -> Response:
    """Create the job, or answer the one that this very request created before.

    Args:
        repeats: whether it may have.
    """
    if repeats and (known := await _repeated(services, who, prepared, job_id)) is not None:
        return _accepted(known, request)
    await _check_room(services, who)
    try:
        accepted = await services.service.submit(prepared, tenant=who.tenant, job_id=job_id, force=force, is_new=True)
        return _accepted(accepted, request)
    except AlreadyExists:
        found = await _repeated(services, who, prepared, job_id)
        if found is None:
            raise
        return _accepted(found, request)


async def _repeated(services: Services, who: Principal, prepared: Prepared, job_id: str) -> Mapping[str, Any] | None:
    try:
        record = await own(services, who, job_id)
    except NotFound:
        return None
    if not is_same(record, prepared):
        raise IdempotencyMismatch
    return record


async def _check_room(services: Services, who: Principal) -> None:
    """Refuse before anything is stored.

    Raises:
        QueueFull, TooManyRequests: when there are too many jobs that have not ended, of all or of this tenant.
    """
    live = await services.service.live_count()
    if live >= services.settings.queue_max:
        raise QueueFull(live=live, limit=services.settings.queue_max, retry_after_s=_QUEUE_WAIT_S)
    limit = services.settings.tenant_queue_max
    if live >= limit and await services.service.live_count(tenant=who.tenant) >= limit:
        raise TooManyRequests(limit=limit, what="jobs", window="the queue", retry_after_s=_QUEUE_WAIT_S)


def _accepted(record: Mapping[str, Any], request: Request) -> Response:
    shown = job_json(record, request)
    return JsonAnswer(shown, status_code=202, headers={"Location": shown["status_url"], "Retry-After": str(POLL_S)})


def _dry(prepared: Prepared) -> dict[str, Any]:
    designs = [
        {"sha256": design.sha256, "width_px": design.width_px, "height_px": design.height_px}
        for design in prepared.designs
    ]
    return {
        "request": dict(prepared.request),
        "template": dict(prepared.template),
        "warnings": [dict(warning) for warning in prepared.warnings],
        "designs": designs,
    }


@router.get("", response_model=JobList, responses=problems())
async def list_jobs(
    request: Request,
    services: TheServices,
    who: Reader,
    product_id: Annotated[str | None, Query(max_length=128)] = None,
    status: Annotated[Status | None, Query()] = None,
    created_after: Annotated[
        AwareDatetime | None, Query(description="Jobs accepted later than this.", examples=["2026-01-31T08:00:00Z"])
    ] = None,
    find: Annotated[
        str | None,
        Query(
            min_length=1, max_length=128, description="Jobs with this in their id or their product, as far as it looks."
        ),
    ] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Jobs, newest first; the cursor stays valid while jobs arrive.

    ``find`` looks through the newest thousand jobs; a ``cursor`` then leads further back, though it found nothing.
    """
    if find is not None:
        found, following = await services.service.find(
            find, tenant=who.tenant, status=status, product_id=product_id, cursor=cursor, limit=limit
        )
        return JsonAnswer({"jobs": [job_json(record, request) for record in found], "cursor": following})
    records, following = await services.service.list(
        status=status,
        product_id=product_id,
        tenant=who.tenant,
        cursor=cursor,
        limit=limit,
        created_after_s=None if created_after is None else created_after.timestamp(),
    )
    return JsonAnswer({"jobs": [job_json(record, request) for record in records], "cursor": following})


@router.get(
    "/{job_id}",
    response_model=Job,
    responses=problems(404) | {304: {"description": "It is as you know it (If-None-Match)."}},
)
async def get(
    request: Request,
    services: TheServices,
    record: OwnJob,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One job."""
    body = json_bytes(job_json(record, request))
    headers = {"ETag": etag_of(body), "Cache-Control": "private, no-cache"}
    if not ended(record):
        headers["Retry-After"] = str(POLL_S)
    if unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


@router.post("/{job_id}/cancel", status_code=202, responses=_ACCEPTED | problems(404, 409))
async def cancel(request: Request, services: TheServices, who: Writer, record: OwnJob) -> Response:
    """Ask for the job's end: it becomes ``cancelled`` once everything is undone."""
    return JsonAnswer(job_json(await services.service.cancel(record["id"]), request), status_code=202)


@router.post(
    "/{job_id}/retry", status_code=202, responses=_ACCEPTED | problems(404, 409, 410, 413), openapi_extra=_OVERRIDES
)
async def retry(
    request: Request,
    services: TheServices,
    who: Writer,
    record: OwnJob,
    idempotency_key: IdempotencyKey = None,
    force: Force = False,
) -> Response:
    """A new job with an ended job's designs and settings, but for the members in the body; what is kept is taken."""
    overrides = await read_json(request)
    if not isinstance(overrides, dict):
        raise InvalidRequest(reason="the body must be a JSON object of members to change")
    if isinstance(overrides.get("priority"), int):
        who.check_priority(overrides["priority"])

    async def make(job_id: str) -> Response:
        with suppress(NotFound):  # made by a replica that died before it answered
            return _accepted(await own(services, who, job_id), request)
        await _check_room(services, who)
        try:
            # What somebody with a higher ceiling began goes on with this key's.
            wanted = {"priority": min(record["priority"], who.max_priority), **overrides}
            again = await services.service.retry(record["id"], wanted, new_id=job_id, force=force)
        except AlreadyExists:
            again = await own(services, who, job_id)
        return _accepted(again, request)

    digest = digest_of(overrides, "force") if force else digest_of(overrides)
    return await services.answers.once(_operation(who, f"retry {record['id']}", idempotency_key, digest), make)


@router.delete("/{job_id}", status_code=202, responses=_DELETED | problems(404, 409))
async def delete(
    services: TheServices,
    who: Writer,
    record: OwnJob,
    keep_media: Annotated[bool, Query(description="Leave shop and outputs; only forget the job.")] = False,
) -> Response:
    """Remove an ended job: its media entries, its outputs, its record. It is gone for everybody from here on."""
    try:
        await services.service.delete(record["id"], keep_media=keep_media)
    except InfrastructureError:
        # Decided or not? Only a decision makes the job vanish, and then the sweep finishes what was cut short.
        with suppress(NotFound):
            await services.service.get(record["id"])
            raise
    return JsonAnswer({"id": record["id"], "status": "deleted"}, status_code=202)


@router.get(
    "/{job_id}/log",
    response_class=Response,
    responses=problems(404) | {200: {"description": "Lines of text.", "content": {"text/plain": {}}}},
)
async def log(
    services: TheServices,
    record: OwnJob,
    tail: Annotated[int, Query(ge=1, le=10_000, description="So many lines from its end.")] = 1000,
) -> Response:
    """What the job's saga did, line by line, and what its workers wrote as long as they are at it."""
    lines = (await services.service.log(record["id"])).splitlines()[-tail:]
    return Response("\n".join(lines) + "\n", media_type="text/plain", headers={"Cache-Control": "private, no-store"})


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    responses=problems(404) | {200: {"description": "CloudEvents as server-sent events, numbered without gaps."}},
)
async def events(
    services: TheServices,
    record: OwnJob,
    last_event_id: Annotated[int, Header(alias="Last-Event-ID", ge=0, le=2**31)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """The job's events from the first, or behind ``Last-Event-ID``; live progress between them has no id."""
    async with aclosing(job_events(services.followers, record["id"], after=last_event_id)) as stream:
        async for event in stream:
            yield event
