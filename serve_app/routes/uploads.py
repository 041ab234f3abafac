"""Uploads: an address for bytes that are to be named in a request later."""

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from farm.errors import AlreadyExists, BodyTooLarge, DesignTooLarge, InvalidRequest
from farm.render.bulkhead import blocking
from serve_app.auth import Uploader
from serve_app.idempotency import IdempotencyKey, Operation, digest_of
from serve_app.job_json import base_of
from serve_app.operations import problems
from serve_app.schemas import UploadJson
from serve_app.services import TheServices
from serve_app.uploads import LASTING_S, UPLOAD_ID, Upload, limit_of, new_upload_id, safe_name, shown

router = APIRouter(prefix="/uploads", tags=["uploads"])


class UploadBody(BaseModel):
    """What is to be uploaded."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "logo.png", "size_bytes": 48_213}})

    size_bytes: Annotated[int, Field(ge=1, strict=True, description="Exactly; the address takes nothing else.")]
    name: Annotated[str, Field(max_length=200, description="The file's; a manifest's ending says its kind.")] = "design"


@router.post("", status_code=201, response_model=UploadJson, responses=problems(409, 413))
async def create_upload(
    request: Request, services: TheServices, who: Uploader, body: UploadBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """An address for one ``PUT`` of a design or a manifest, which a request then names as ``upload_id``.

    On S3 the bytes go to the bucket and not through the API. An upload serves any number of requests for a day.
    """
    name = safe_name(body.name)
    settings, base = services.settings, base_of(request)

    async def make(upload_id: str) -> Response:
        upload = Upload(tenant=who.tenant, id=upload_id, name=name, size_bytes=body.size_bytes)
        signed = await blocking(
            services.store.signed_upload,
            upload.key,
            size_bytes=upload.size_bytes,
            content_type=upload.content_type,
            expires_s=LASTING_S,
        )
        limit = limit_of(settings, name, through_api=signed is None)
        if upload.size_bytes > limit:
            if limit == settings.design_max_bytes:
                raise DesignTooLarge(size_bytes=upload.size_bytes, limit_bytes=limit)
            raise BodyTooLarge(limit_bytes=limit)
        url = signed or f"{base}/uploads/{upload.id}?ticket={services.tickets.write(upload)}"
        return JSONResponse(shown(upload, url), status_code=201)

    operation = Operation(
        tenant=who.tenant,
        name="upload",
        key=idempotency_key,
        digest=digest_of(body.model_dump()),
        new_id=lambda: new_upload_id(int(time.time() * 1000)),
    )
    return await services.answers.once(operation, make)


@router.put("/{upload_id}", status_code=204, responses=problems(409, 413))
async def put_upload(
    request: Request,
    services: TheServices,
    upload_id: Annotated[str, Path(pattern=f"^{UPLOAD_ID.pattern}$")],
    ticket: Annotated[str, Query(max_length=1000, description="Of the address that POST /v1/uploads answered.")] = "",
) -> Response:
    """Put the bytes, once; the ticket in the address is the permission, and no key is needed."""
    upload = services.tickets.read(ticket)
    if upload.id != upload_id:
        raise InvalidRequest(reason="the ticket is another upload's")
    if await blocking(services.store.head, upload.key) is not None:
        raise AlreadyExists(kind="upload", id=upload_id)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > upload.size_bytes:
            raise BodyTooLarge(limit_bytes=upload.size_bytes)
    if len(body) != upload.size_bytes:
        raise InvalidRequest(reason=f"{len(body)} bytes came, and {upload.size_bytes} were announced")
    await blocking(services.store.put, upload.key, bytes(body), content_type=upload.content_type)
    return Response(status_code=204)
