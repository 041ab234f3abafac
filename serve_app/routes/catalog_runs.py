"""Catalogue runs: a manifest in, every row rendered that is not rendered yet, one honest report."""

import contextlib
import hashlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from farm.adapters.design_source import Designs
from farm.adapters.report_file import ReportStream
from farm.domain.access import Principal
from farm.domain.ids import RUN_ID, new_run_id
from farm.errors import InvalidRequest, NotFound
from farm.render.bulkhead import blocking, from_strangers
from farm.render.catalog.plan import Planner
from farm.render.catalog.report import ReportRow
from farm.render.catalog.run_report import Mark
from serve_app.auth import Cataloguer
from serve_app.idempotency import IdempotencyKey, Operation, digest_of
from serve_app.json_body import JsonAnswer
from serve_app.manifest import ManifestOrder, OpenedManifest, opened, receive_manifest
from serve_app.operations import problems
from serve_app.run_json import POLL_S, run_json
from serve_app.schemas import PlanJson, RunJson, RunList
from serve_app.services import Services, TheServices
from serve_app.uploads import read_upload

router = APIRouter(prefix="/catalog-runs", tags=["catalogue runs"])

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The run is on disk with all its rows; it needs neither manifest nor caller any more.",
        "model": RunJson,
        "headers": {"Location": {"description": "The run.", "schema": {"type": "string"}}},
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "manifest": {
                            "type": "string",
                            "format": "binary",
                            "description": "Parquet, CSV or JSON, told by the file's name or content.",
                        },
                        "request": {"type": "string", "description": "A RunBody as JSON text.", "default": "{}"},
                    },
                    "required": ["manifest"],
                },
                "encoding": {"request": {"contentType": "application/json"}},
                "example": {"request": '{"name": "spring", "defaults": {"engine": "relight"}}'},
            },
            "application/json": {
                "schema": {"$ref": "#/components/schemas/RunBody"},
                "example": {"manifest_url": "https://shop.example/spring.csv", "name": "spring"},
            },
        },
    }
}


class Only(StrEnum):
    """Which rows of an ended run shall be done again."""

    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ReportFormat(StrEnum):
    """How a report is written."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


_MEDIA_TYPES = {
    ReportFormat.PARQUET: "application/vnd.apache.parquet",
    ReportFormat.CSV: "text/csv; charset=utf-8",
    ReportFormat.JSONL: "application/x-ndjson",
}


class AgainBody(BaseModel):
    """How the rows shall be done again."""

    model_config = ConfigDict(extra="forbid")

    window: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = None
    force: Annotated[bool, Field(strict=True)] = False


async def _own_run(
    services: TheServices,
    who: Cataloguer,
    run_id: Annotated[str, Path(pattern=f"^{RUN_ID.pattern}$", examples=["run_01kawr3v00000000000000000a"])],
) -> dict[str, Any]:
    """The run in the path, if it is this tenant's: another's does not exist for them."""
    record = await services.catalogues.get(run_id)
    if record["tenant"] != who.tenant:
        raise NotFound(kind="run", id=run_id)
    return record


OwnRun = Annotated[dict[str, Any], Depends(_own_run)]


@router.post(
    "",
    status_code=202,
    responses=_ACCEPTED
    | {200: {"description": "Of a dry run: what would be.", "model": PlanJson}}
    | problems(404, 409, 413, 415, 424),
    openapi_extra=_BODY,
)
async def start_run(
    request: Request,
    services: TheServices,
    who: Cataloguer,
    dry_run: Annotated[bool, Query(description="Validate every row and estimate; change nothing.")] = False,
    remote: Annotated[
        bool, Query(description="Of a dry run: ask servers which version of a design they have, one by one.")
    ] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a run: a manifest as a file, by its https address, or uploaded before.

    Designs stand in the manifest's column ``design`` as https addresses. A row that cannot be done is reported and
    stops nothing.
    """
    order = await receive_manifest(request)
    if order.body.upload_id is not None:
        named = await blocking(read_upload, services.store, who.tenant, order.body.upload_id, services.settings)
        order = ManifestOrder(body=order.body, file=named)
    if dry_run:
        return JsonAnswer(await _plan(services, who, order, remote=remote))

    async def make(run_id: str) -> Response:
        return _accepted(await _start(services, who, order, run_id), request)

    sha256 = hashlib.sha256(order.file[1]).hexdigest() if order.file else None
    operation = _operation(who, "run", idempotency_key, digest_of(order.body.model_dump(), sha256))
    return await services.answers.once(operation, make)


def _operation(who: Principal, name: str, key: str | None, digest: str) -> Operation:
    return Operation(
        tenant=who.tenant, name=name, key=key, digest=digest, new_id=lambda: new_run_id(int(time.time() * 1000))
    )


async def _opened(stack: ExitStack, services: Services, who: Principal, order: ManifestOrder) -> OpenedManifest:
    """The manifest, brought here; before its turn to be planned, which no slow server shall hold."""
    manifest = opened(order, Designs.of(services.settings), services.temp, who.tenant)
    return await from_strangers(who.tenant, stack.enter_context, manifest)


async def _plan(services: Services, who: Principal, order: ManifestOrder, *, remote: bool) -> dict[str, Any]:
    with ExitStack() as stack:
        manifest = await _opened(stack, services, who, order)
        async with services.planning:
            planner = Planner(
                services.kit, tenant=who.tenant, cores=os.cpu_count() or 1, remote=remote, force=order.body.force
            )
            plan = await planner.plan(manifest.items)
            return {
                **plan.to_dict(),
                "name": manifest.name,
                "manifest": manifest.shown,
                "notes": [note.to_dict() for note in manifest.notes],
            }


async def _start(services: Services, who: Principal, order: ManifestOrder, run_id: str) -> dict[str, Any]:
    with ExitStack() as stack:
        manifest = await _opened(stack, services, who, order)
        async with services.planning:
            body = order.body
            return await services.catalogues.start(
                manifest.items,
                name=manifest.name,
                manifest=manifest.shown,
                tenant=who.tenant,
                window=body.window,
                max_failures=body.max_failures,
                max_failure_share=body.max_failure_share,
                force=body.force,
                run_id=run_id,
                notes=manifest.notes,
            )


def _accepted(record: Mapping[str, Any], request: Request) -> Response:
    shown = run_json(record, request)
    return JsonAnswer(shown, status_code=202, headers={"Location": shown["status_url"], "Retry-After": str(POLL_S)})


@router.get("", response_model=RunList, responses=problems())
async def list_runs(
    request: Request,
    services: TheServices,
    who: Cataloguer,
    status: Annotated[
        Literal["running", "stopping", "completed", "failed", "cancelled"] | None,
        Query(description="A paused run is a running one."),
    ] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Runs, newest first."""
    records, following = await services.catalogues.page(tenant=who.tenant, status=status, cursor=cursor, limit=limit)
    return JsonAnswer({"runs": [run_json(record, request) for record in records], "cursor": following})


@router.get("/{run_id}", response_model=RunJson, responses=problems(404))
async def get_run(request: Request, record: OwnRun) -> Response:
    """One run."""
    shown = run_json(record, request)
    headers = {} if record["finished_at"] else {"Retry-After": str(POLL_S)}
    return JsonAnswer(shown, headers=headers)


@router.post("/{run_id}/pause", response_model=RunJson, responses=problems(404, 409))
async def pause_run(request: Request, services: TheServices, record: OwnRun) -> Response:
    """Begin no more rows; those under way are finished."""
    return JsonAnswer(run_json(await services.catalogues.pause(record["id"]), request))


@router.post("/{run_id}/resume", response_model=RunJson, responses=problems(404, 409))
async def resume_run(request: Request, services: TheServices, record: OwnRun) -> Response:
    """Go on after a pause."""
    return JsonAnswer(run_json(await services.catalogues.resume(record["id"]), request))


@router.post("/{run_id}/cancel", status_code=202, responses=_ACCEPTED | problems(404, 409))
async def cancel_run(request: Request, services: TheServices, record: OwnRun) -> Response:
    """End the run: rows under way are undone, finished ones stay, the others are never begun."""
    return JsonAnswer(run_json(await services.catalogues.cancel(record["id"]), request), status_code=202)


@router.post("/{run_id}/retry", status_code=202, responses=_ACCEPTED | problems(404, 409))
async def retry_run(
    request: Request,
    services: TheServices,
    who: Cataloguer,
    record: OwnRun,
    only: Annotated[
        str, Query(max_length=40, description="Some of failed, skipped, cancelled; with commas.")
    ] = ",".join(Only),
    body: Annotated[AgainBody | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new run of an ended run's rows that were not completed; lines that cannot be read have to be mended first."""
    wanted = [part.strip() for part in only.split(",") if part.strip()]
    if not wanted or not set(wanted) <= set(Only):
        reason = f"only must name some of {', '.join(Only)}"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/query/only", "reason": reason}])
    body = body or AgainBody()

    async def make(run_id: str) -> Response:
        again = await services.catalogues.retry(
            record["id"], only=wanted, window=body.window, force=body.force, run_id=run_id
        )
        return _accepted(again, request)

    digest = digest_of(sorted(wanted), body.model_dump())
    return await services.answers.once(_operation(who, f"retry {record['id']}", idempotency_key, digest), make)


@router.get(
    "/{run_id}/report",
    response_class=Response,
    responses=problems(404)
    | {
        200: {
            "description": "A line for each row, in the manifest's order; of a live run as far as it is.",
            "content": {media: {} for media in ("application/json", *_MEDIA_TYPES.values())},
        }
    },
)
async def report(
    services: TheServices,
    record: OwnRun,
    form: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.JSON,
    only: Annotated[
        Literal["completed", "failed", "cancelled", "skipped", "pending"] | None,
        Query(description="Of JSON: rows of this status alone."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Of JSON: so many rows at most.")] = 1000,
    after: Annotated[int, Query(ge=0, le=2**31, description="Of JSON: rows of the manifest behind this one.")] = 0,
    cursor: Annotated[
        str | None, Query(max_length=40, description="Of JSON: go on where the page with this cursor ended.")
    ] = None,
) -> Response:
    """The report of a run: as a whole file (Parquet, CSV, JSON Lines), sent as it is read; or in pages of JSON."""
    found = await services.catalogues.report(record["id"])
    if form is ReportFormat.JSON:
        mark = Mark.parse(cursor) if cursor is not None else await found.mark_behind(after) if after else Mark()
        rows, following = await found.page(mark, limit=limit, only=only)
        shown = [{name: getattr(row, name) for name in row.__slots__} for row in rows]
        told = None if following is None else str(following)
        return JsonAnswer({"run_id": record["id"], "rows": shown, "cursor": told})
    parts = found.parts()
    first = await anext(parts)  # a store that is away is told as such, and not by a file that breaks off
    name = f"{record['id']}.{form}"
    return StreamingResponse(
        _streamed(first, parts, ReportStream(f".{form}")),
        media_type=_MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _streamed(
    first: Sequence[ReportRow], parts: AsyncGenerator[Sequence[ReportRow]], stream: ReportStream
) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(parts):
        yield await blocking(stream.add, first)
        async for part in parts:
            if piece := await blocking(stream.add, part):
                yield piece
        yield await blocking(stream.end)
