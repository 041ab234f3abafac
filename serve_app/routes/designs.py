"""Designs kept by their content: sent once, then named by their id in jobs, pictures and manifests."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from farm.domain.ids import DESIGN_ID
from farm.errors import InvalidRequest
from farm.render.bulkhead import blocking
from farm.render.designs import DesignShelf, KeptDesign, told_time
from serve_app.auth import Reader, Uploader
from serve_app.intake import bounded, media_type, read_parts, unknown_part
from serve_app.job_json import base_of
from serve_app.operations import DESIGN_BODY, problems
from serve_app.schemas import DesignJson
from serve_app.services import TheServices

router = APIRouter(prefix="/designs", tags=["designs"])

RAW = frozenset({"image/png", "image/jpeg", "application/octet-stream"})
DesignPath = Annotated[str, Path(pattern=f"^{DESIGN_ID.pattern}$")]

_KEPT: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was kept already, and is from now on anew.", "model": DesignJson},
    201: {
        "description": "It is kept.",
        "model": DesignJson,
        "headers": {"Location": {"description": "The design.", "schema": {"type": "string"}}},
    },
}


@router.post("", status_code=201, responses=_KEPT | problems(413, 415), openapi_extra=DESIGN_BODY)
async def keep_design(request: Request, services: TheServices, who: Uploader) -> Response:
    """Keep a design by its content; the same file has the same id, and is decoded once."""
    data = bounded(await _file(request), services.settings)
    async with services.decoding:
        kept, is_new = await blocking(services.designs.keep, who.tenant, data, nurseries=services.nurseries)
    url = f"{base_of(request)}/designs/{kept.id}"
    return JSONResponse(_shown(services.designs, kept), status_code=201 if is_new else 200, headers={"Location": url})


@router.get("/{design_id}", response_model=DesignJson, responses=problems(404, 410))
async def get_design(services: TheServices, who: Reader, design_id: DesignPath) -> Response:
    """What is known of a design."""
    kept = await blocking(services.designs.find, who.tenant, design_id)
    return JSONResponse(_shown(services.designs, kept))


@router.delete("/{design_id}", status_code=204, responses=problems(404, 410))
async def delete_design(services: TheServices, who: Uploader, design_id: DesignPath) -> Response:
    """Forget a design: no picture is made of it any more. Jobs that it was sent to keep what they made."""
    await blocking(services.designs.delete, who.tenant, design_id)
    return Response(status_code=204)


async def _file(request: Request) -> bytes:
    """The file, as one part `design` of a form or as the body itself.

    Raises:
        InvalidRequest: when there is none, or more than one. HTTPException: 415 for another content type.
    """
    kind = media_type(request)
    if kind in RAW:
        return await request.body()
    if kind != "multipart/form-data":
        raise HTTPException(
            415, detail=f"the body is {kind or 'of no stated type'}, not image/png, image/jpeg or a form"
        )
    parts = await read_parts(request)
    for part in parts:
        if part.name != "design":
            raise unknown_part(part, "send one `design` (a file)")
    if len(parts) != 1:
        reason = f"send one `design`, not {len(parts)}"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/design", "reason": reason}])
    return parts[0].data


def _shown(shelf: DesignShelf, kept: KeptDesign) -> dict[str, Any]:
    return {
        "id": kept.id,
        "sha256": kept.sha256,
        "size_bytes": kept.size_bytes,
        "format": kept.format,
        "width_px": kept.width_px,
        "height_px": kept.height_px,
        "alpha": kept.alpha,
        "width_cm_at_300_dpi": round(kept.width_px / 300 * 2.54, 1),
        "width_cm_at_150_dpi": round(kept.width_px / 150 * 2.54, 1),
        "warnings": [dict(note) for note in kept.warnings],
        "sent_at": told_time(kept.sent_s),
        "expires_at": shelf.expires_at(kept),
    }
