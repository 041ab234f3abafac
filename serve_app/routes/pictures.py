"""Pictures: one view of a request, relit while the caller waits."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from farm.domain.picture_address import PictureAddress
from farm.domain.picture_format import PictureFormat
from farm.errors import InvalidRequest
from farm.render.bulkhead import blocking
from farm.render.pictures import Picture, PictureOrder
from serve_app.auth import Reader
from serve_app.conditions import unchanged
from serve_app.intake import picture_body, read_json
from serve_app.operations import ADDRESS, PICTURE_BODY, problems
from serve_app.picture_addresses import request_of
from serve_app.reading import HEAD_ASKED
from serve_app.services import Services, TheServices

router = APIRouter(prefix="/pictures", tags=["pictures"])

LASTING_S = 31_536_000
"""How long a picture's address means the same picture, for caches: a year, the longest that they take."""
MOST_ACCEPT = 200
"""Characters of ``Accept`` by which orders are told from each other."""
ELSEWHERE = {
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Farm-Engine, Farm-Delta-E, Server-Timing",
    "Timing-Allow-Origin": "*",
}
"""A shop's page is of another origin than the farm: it may show a picture, read it, and say who made it."""
STEP_PX = 32
"""Sizes that nobody signed for come in steps of it: a slider would else fill every cache with pictures of its own."""

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture.",
        "content": {kind.content_type: {} for kind in PictureFormat},
        "headers": {
            "ETag": {
                "description": "Its fingerprint: equal ones are equal bytes.",
                "schema": {"type": "string"},
            },
            "Farm-Engine": {"description": "Who made it.", "schema": {"type": "string"}},
            "Farm-Delta-E": {
                "description": "The light's measured mean ΔE00 inside the print against the path tracer.",
                "schema": {"type": "number"},
            },
            "Server-Timing": {"description": "What making it took, by phase.", "schema": {"type": "string"}},
        },
    },
    304: {"description": "It is the one that the caller has."},
}


@router.post("", response_class=Response, responses=PICTURE | problems(404, 409, 410, 415), openapi_extra=PICTURE_BODY)
async def make_picture(request: Request, services: TheServices, who: Reader) -> Response:
    """One picture of kept designs, relit from the garment's light: no job, nothing stored.

    The body is a job's with one view, ``design_id`` and no other design. ``size`` is a multiple of 32.
    """
    given, designs = picture_body(await read_json(request))
    _in_steps(given)
    order = await blocking(services.pictures.order, who.tenant, given, designs, accept=request.headers.get("accept"))
    return await answer(request, services, order, cache="private, no-cache")


@router.get(
    "/{tenant}/{design_id}/{view}",
    response_class=Response,
    responses=PICTURE | problems(403, 404, 409, 410),
    openapi_extra=ADDRESS,
)
async def get_picture(
    request: Request,
    services: TheServices,
    tenant: Annotated[str, Path(max_length=40)],
    design_id: Annotated[str, Path(max_length=300, description="Or several, with commas.")],
    view: Annotated[str, Path(max_length=40)],
) -> Response:
    """One picture by its signed address (`farm pictures url`), for an ``<img>`` on any page; no key is needed."""
    query = request.scope["query_string"].decode("latin-1")
    address = await services.addresses.opened(tenant, design_id, view, query)
    left_s = services.addresses.left_s(address)
    order = await _ordered(services, address, query, request.headers.get("accept"))
    cache = f"public, max-age={LASTING_S if left_s is None else min(LASTING_S, left_s)}, immutable"
    headers = ELSEWHERE
    return await answer(request, services, order, cache=cache, headers=headers, counted=f"{tenant}/{address.key_id}")


async def _ordered(services: Services, address: PictureAddress, query: str, accept: str | None) -> PictureOrder:
    name = (address.tenant, address.designs, address.view, query, (accept or "")[:MOST_ACCEPT])
    known = services.pictures.recent(name)
    if known is not None:
        return known
    return await blocking(
        services.pictures.order,
        address.tenant,
        request_of(address),
        address.designs,
        accept=accept,
        name=name,
    )


async def answer(
    request: Request,
    services: Services,
    order: PictureOrder,
    *,
    cache: str,
    headers: Mapping[str, str] | None = None,
    counted: str | None = None,
) -> Response:
    """The picture of an order, or that the caller has it.

    Args:
        counted: against whose limit it is counted if it has to be made.

    Raises:
        TooManyRequests: past that limit.
    """
    etag = f'"{order.fingerprint}"'
    told = {**(headers or {}), "ETag": etag, "Cache-Control": cache, "Farm-Engine": "relight", "Vary": "Accept"}
    if order.delta_e is not None:
        told["Farm-Delta-E"] = f"{order.delta_e:.3f}"
    if unchanged(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=told)
    found = services.pictures.finished(order)
    if found is None and request.scope.get(HEAD_ASKED):
        # Its length is not known before it is made, and nobody wants it made.
        return _Unmeasured(headers=told, media_type=order.format.content_type)
    if found is None:
        if counted is not None:
            await services.making_limiter.take(f"pictures/{counted}")
        async with services.making:
            found = await blocking(services.pictures.make, order)
    told["Server-Timing"] = _timing(found)
    return Response(found.data, media_type=order.format.content_type, headers=told)


class _Unmeasured(Response):
    """The head of an answer whose body was not made."""

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers(headers)
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]


def _timing(picture: Picture) -> str:
    if not picture.seconds:
        return 'kept;desc="it was made before"'
    return ", ".join(f"{name};dur={1000 * took_s:.1f}" for name, took_s in picture.seconds.items())


def _in_steps(given: dict[str, Any]) -> None:
    size = given.get("size")
    if isinstance(size, int) and size % STEP_PX:
        nearest = max(64, round(size / STEP_PX) * STEP_PX)
        reason = f"without a signed address it is a multiple of {STEP_PX}, as {nearest}"
        raise InvalidRequest(reason=f"/size: {reason}", errors=[{"pointer": "/size", "reason": reason}])
