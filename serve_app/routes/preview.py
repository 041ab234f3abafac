"""A design on a garment at once, by relighting: no job, nothing stored."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from farm.domain.request import Format
from farm.domain.view import View
from farm.render.bulkhead import blocking
from farm.render.preview import requested
from serve_app.auth import Reader
from serve_app.intake import receive
from serve_app.operations import MULTIPART, problems
from serve_app.services import TheServices

router = APIRouter(tags=["preview"])

_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture.", "content": {kind.content_type: {} for kind in Format}}
}


@router.post(
    "/preview",
    response_class=Response,
    responses=_PICTURE | problems(404, 409, 413, 415),
    openapi_extra=MULTIPART,
)
async def preview(
    request: Request,
    services: TheServices,
    who: Reader,
    view: Annotated[View | None, Query(description="The view to show; without it the request's first.")] = None,
) -> Response:
    """One picture of a request, relit from the template's bake (`farm template bake`)."""
    intake = await receive(request, services.settings)
    given = intake.given | ({"views": [str(view)]} if view is not None else {})
    if "views" in given:
        given["views"] = given["views"][:1]
    async with services.decoding:
        prepared = await blocking(requested, services.settings, services.store, given, intake.designs)
        [picture] = await blocking(services.previewer.preview, prepared)
    kind = Format(prepared.request["format"])
    return Response(picture.data, media_type=kind.content_type, headers={"Cache-Control": "private, no-store"})
