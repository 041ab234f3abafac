"""A job's outputs: pictures, film, manifest and contact sheet, as bytes or as a signed address."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from farm.domain import keys
from farm.domain.request import Format
from farm.domain.view import View
from farm.errors import NotFound, ObjectMissing
from farm.render.bulkhead import blocking
from farm.render.prepare import MAX_DESIGNS
from serve_app.conditions import one_range, still_valid, unchanged
from serve_app.operations import problems
from serve_app.own_job import OwnJob
from serve_app.reading import HEAD_ASKED
from serve_app.services import TheServices

router = APIRouter(prefix="/jobs/{job_id}", tags=["outputs"])

MANIFEST = "manifest.json"
LINK_S = 900
_PICTURES: dict[str, Any] = {kind.content_type: {} for kind in Format}
_CACHE = "private, max-age=31536000, immutable"


@router.get(
    "/outputs/{name}",
    response_class=Response,
    responses=problems(404, 416)
    | {
        200: {"description": "The bytes.", "content": {"image/png": {}, "video/mp4": {}, "model/gltf-binary": {}}},
        206: {"description": "The bytes that were asked for."},
        304: {"description": "As you know it."},
        307: {"description": "Where the bytes are, for a quarter of an hour."},
    },
)
async def output(
    request: Request,
    services: TheServices,
    record: OwnJob,
    name: Annotated[str, Path(max_length=120, examples=["front_0deg.png"])],
    redirect: Annotated[
        bool, Query(description="May the answer be the address of the bytes? `false`: the bytes themselves.")
    ] = True,
    range_: Annotated[str | None, Header(alias="Range")] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """One output by its name."""
    artifact = _artifact(record, name)
    etag = f'"{artifact["sha256"]}"' if artifact["sha256"] else None
    headers = {"Cache-Control": _CACHE if etag else "private, no-cache", "Accept-Ranges": "bytes"}
    if etag is not None:
        headers["ETag"] = etag
        if unchanged(if_none_match, etag):
            return Response(status_code=304, headers=headers)
    if request.scope.get(HEAD_ASKED):
        # Told here also where the bytes lie elsewhere: an address that is signed for GET refuses HEAD.
        found = await blocking(services.store.head, artifact["key"])
        if found is None:
            raise ObjectMissing(key=artifact["key"])
        headers["Content-Length"] = str(found.size_bytes)
        return Response(media_type=artifact["content_type"], headers=headers)
    link = await blocking(services.store.signed_url, artifact["key"], LINK_S) if redirect else None
    if link is not None:
        return RedirectResponse(link, status_code=307, headers={"Cache-Control": "private, no-store"})
    data = await blocking(services.store.get, artifact["key"], sha256=artifact["sha256"])
    return _answer(data, artifact["content_type"], headers, range_ if still_valid(if_range, etag) else None)


@router.get(
    "/views/{view}",
    response_class=Response,
    responses=problems(404) | {200: {"description": "The picture.", "content": _PICTURES}},
)
async def finished_view(services: TheServices, record: OwnJob, view: View) -> Response:
    """A finished view's picture while its job still runs; later it is an output."""
    return await _passing(services, record, view, "picture")


@router.get(
    "/previews/{view}",
    response_class=Response,
    responses=problems(404) | {200: {"description": "The picture.", "content": _PICTURES}},
)
async def preview_of_view(services: TheServices, record: OwnJob, view: View) -> Response:
    """A relit preview of a view that is still being traced."""
    return await _passing(services, record, view, "preview")


@router.get(
    "/designs/{number}",
    response_class=Response,
    responses=problems(404, 410) | {200: {"description": "The design.", "content": {"image/png": {}}}},
)
async def design(services: TheServices, record: OwnJob, number: Annotated[int, Path(ge=0, lt=MAX_DESIGNS)]) -> Response:
    """One of the job's designs, normalised, as long as it is kept: what the job is made again from."""
    data = await services.service.design(record, number)
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, no-store"})


async def _passing(services: TheServices, record: Mapping[str, Any], view: View, what: str) -> Response:
    """A picture that is there only while its job runs."""
    key = next((one.get(what) for one in record["views"] if one["view"] == view), None)
    if key is None:
        raise NotFound(kind=f"{what} of a running job", id=str(view))
    try:
        data = await blocking(services.store.get, key)
    except ObjectMissing as error:  # the job has moved on this moment
        raise NotFound(kind=f"{what} of a running job", id=str(view)) from error
    kind = Format(record["request"]["format"]).content_type
    return Response(data, media_type=kind, headers={"Cache-Control": "private, no-store"})


def _artifact(record: dict[str, Any], name: str) -> dict[str, Any]:
    if name == MANIFEST and record["artifacts"]:
        key = keys.manifest_of(record)
        return {"key": key, "sha256": None, "content_type": "application/json"}
    for artifact in record["artifacts"]:
        if artifact["name"] == name:
            return dict(artifact)
    raise NotFound(kind="output", id=name)


def _answer(data: bytes, content_type: str, headers: dict[str, str], wanted: str | None) -> Response:
    """The whole, or the one range that was asked for; several ranges at once are answered with the whole."""
    part = one_range(wanted, len(data))
    if part is None:
        return Response(data, media_type=content_type, headers=headers)
    start, stop = part
    if start >= stop:
        raise HTTPException(416, detail="there are no such bytes", headers={"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(data[start:stop], status_code=206, media_type=content_type, headers=headers)
