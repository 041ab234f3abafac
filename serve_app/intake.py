"""A job's request as it arrives: multipart with the design files, or JSON."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field, ValidationError
from starlette.exceptions import HTTPException

from farm.domain.ids import DESIGN_ID
from farm.domain.request import RenderRequest, parse_request
from farm.domain.web_address import NoAddress, WebAddress
from farm.errors import BodyTooLarge, DesignTooLarge, InvalidRequest
from farm.render.bulkhead import blocking
from farm.render.prepare import MAX_DESIGNS, Prepared, PreparedDesign, prepare, prepare_later
from farm.settings import Settings
from serve_app.idempotency import digest_of
from serve_app.multipart import Part, parts_of
from serve_app.services import Services
from serve_app.uploads import UPLOAD_ID, read_upload

Url = Annotated[str, Field(max_length=2048, examples=["https://shop.example/designs/nordlys.png"])]
UploadId = Annotated[str, Field(pattern=f"^{UPLOAD_ID.pattern}$", examples=["upl_01kawr3v00000000000000000a"])]
DesignId = Annotated[str, Field(pattern=f"^{DESIGN_ID.pattern}$", examples=["dsn_01kawr3v00000000000000000a"])]
MAX_REQUEST_BYTES = 256 * 1024
"""The longest request JSON: sixteen layers take a few kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What a caller sent, parsed but not yet decoded.

    Attributes:
        given: the members of the request that were sent, as they were sent.
        urls: where the designs are that the job itself shall fetch, in place of ``designs``.
    """

    given: dict[str, Any]
    request: RenderRequest
    designs: tuple[bytes | PreparedDesign, ...] = ()
    urls: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of all that was asked for; multipart boundaries and the order of members do not count."""
        hashes = [
            design.sha256 if isinstance(design, PreparedDesign) else hashlib.sha256(design).hexdigest()
            for design in self.designs
        ]
        return digest_of(self.request.model_dump(mode="json"), hashes, self.urls)


class JobBody(RenderRequest):
    """A job's request as JSON: its members, and where its design is.

    Exactly one of ``design_url``, ``upload_id`` and ``design_id`` says so. Several designs are named by lists.
    """

    design_url: Url | Annotated[tuple[Url, ...], Field(min_length=1, max_length=MAX_DESIGNS)] | None = None
    upload_id: UploadId | Annotated[tuple[UploadId, ...], Field(min_length=1, max_length=MAX_DESIGNS)] | None = None
    design_id: DesignId | Annotated[tuple[DesignId, ...], Field(min_length=1, max_length=MAX_DESIGNS)] | None = None


WHERE = ("design_url", "upload_id", "design_id")
"""The members of a `JobBody` that say where its designs are."""


async def receive_job(request: Request, services: Services, tenant: str) -> Intake:
    """Read a job's body: multipart as `receive`, or JSON with ``design_url``, ``upload_id`` or ``design_id``.

    Raises:
        InvalidRequest, DesignTooLarge, BodyTooLarge, HTTPException: as `receive`.
        NotFound: when nothing was uploaded under that id.
        DesignUnknown, DesignDeleted: when no design is kept under that id.
    """
    if media_type(request) != "application/json":
        return await receive(request, services.settings)
    given = await read_json(request)
    if not isinstance(given, dict):
        raise InvalidRequest(reason="the body must be a JSON object", errors=[{"pointer": "", "reason": "no object"}])
    rest = {name: value for name, value in given.items() if name not in WHERE}
    parsed = parse_request(rest)
    urls, uploads, kept = (_several(given.get(name)) for name in WHERE)
    if sum(map(bool, (urls, uploads, kept))) != 1:
        raise _no_design("send exactly one of design_url, upload_id and design_id, or files as multipart/form-data")
    try:
        JobBody.model_validate(given)
    except ValidationError as error:
        raise pointed(error) from None
    for url in urls:
        check_url(url)
    designs: list[bytes | PreparedDesign]
    designs = [(await blocking(read_upload, services.store, tenant, one, services.settings))[1] for one in uploads]
    designs += [await blocking(services.designs.read, tenant, one) for one in kept]
    return Intake(given=rest, request=parsed, designs=tuple(designs), urls=tuple(urls))


class PictureBody(RenderRequest):
    """A picture's request: a job's with one view, and its designs by their ids."""

    design_id: DesignId | Annotated[tuple[DesignId, ...], Field(min_length=1, max_length=MAX_DESIGNS)]
    format: Literal["auto", "webp", "avif", "jpeg", "png"] = "auto"  # type: ignore[assignment]  # more than a job has


def picture_body(given: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A picture's request as it was given, without its designs; and their ids.

    Raises:
        InvalidRequest: when it is no object, or names no kept design.
    """
    if not isinstance(given, dict):
        raise InvalidRequest(reason="the body must be a JSON object", errors=[{"pointer": "", "reason": "no object"}])
    named = _several(given.get("design_id"))
    if not 1 <= len(named) <= MAX_DESIGNS or not all(DESIGN_ID.fullmatch(one) for one in named):
        reason = "name one or more designs that POST /v1/designs keeps, as dsn_…"
        raise InvalidRequest(reason=f"/design_id: {reason}", errors=[{"pointer": "/design_id", "reason": reason}])
    return {name: value for name, value in given.items() if name != "design_id"}, tuple(named)


def _several(given: Any) -> list[str]:
    if given is None:
        return []
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]


def check_url(url: str) -> None:
    """Refuse at once what the job could not fetch anyway.

    Raises:
        InvalidRequest: when it is no web address; http is for hosts that the operator lists, which the job knows.
    """
    try:
        WebAddress.of(url)
    except NoAddress as fault:
        raise _no_design(str(fault)) from fault


def _no_design(reason: str) -> InvalidRequest:
    return InvalidRequest(reason=reason, errors=[{"pointer": "/design_url", "reason": reason}])


async def receive(request: Request, settings: Settings) -> Intake:
    """Read a ``multipart/form-data`` body: ``design`` files, and ``request``, the request's JSON.

    Either may come with a file name or without: clients differ, and the names say what is what.

    Raises:
        InvalidRequest: naming every wrong member.
        DesignTooLarge, BodyTooLarge: past the limits.
        HTTPException: 415 for another content type.
    """
    text: str | None = None
    designs: list[bytes] = []
    for part in await read_parts(request):
        if part.name == "design":
            designs.append(bounded(part.data, settings))
        elif part.name == "request" and text is None:
            text = request_text(part)
        else:
            raise unknown_part(part, "send one `request` (JSON text) and one or more `design` (files)")
    given = parse_json("{}" if text is None else text)
    return Intake(given=given, request=parse_request(given), designs=tuple(designs))


async def read_parts(request: Request) -> list[Part]:
    """The parts of a ``multipart/form-data`` body; what limits bodies as a whole (`Manners`) limits them together.

    Raises:
        InvalidRequest: when it cannot be read.
        HTTPException: 415 for another content type.
    """
    kind = media_type(request)
    if kind != "multipart/form-data":
        raise HTTPException(415, detail=f"the body is {kind or 'of no stated type'}, not multipart/form-data or JSON")
    return parts_of(request.headers["content-type"], await request.body())


def request_text(part: Part) -> str:
    """The JSON text in a part.

    Raises:
        InvalidRequest: when it is no text. BodyTooLarge: past 256 KiB.
    """
    if len(part.data) > MAX_REQUEST_BYTES:
        raise BodyTooLarge(limit_bytes=MAX_REQUEST_BYTES)
    return part.text()


def unknown_part(part: Part, reason: str) -> InvalidRequest:
    """The refusal of a part that nobody asked for."""
    return InvalidRequest(reason=reason, errors=[{"pointer": f"/{part.name}"[:80], "reason": reason}])


def media_type(request: Request) -> str:
    """The body's kind, without its parameters.

    Raises:
        HTTPException: 415 where the body is packed (``Content-Encoding``): nobody unpacks it here.
    """
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        headers = {"Accept-Encoding": "identity"}
        raise HTTPException(415, detail=f"the body is packed ({packed[:40]}); send it as it is", headers=headers)
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def pointed(error: ValidationError) -> InvalidRequest:
    """What pydantic says, in the farm's words."""
    faults = [
        {
            "pointer": "/" + "/".join(str(part) for part in item["loc"]),
            "reason": item["msg"].removeprefix("Value error, "),
        }
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    reason = "; ".join(f"{fault['pointer']}: {fault['reason']}" for fault in faults)
    return InvalidRequest(reason=reason[:2000], errors=faults)


def bounded(design: bytes, settings: Settings) -> bytes:
    """The design, if it is not too large.

    Raises:
        DesignTooLarge: past ``FARM_DESIGN_MAX_BYTES``.
    """
    if len(design) > settings.design_max_bytes:
        raise DesignTooLarge(size_bytes=len(design), limit_bytes=settings.design_max_bytes)
    return design


def parse_json(text: str) -> Any:
    """JSON text, decoded.

    Raises:
        InvalidRequest: when it is none, or holds a number that JSON has not.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = f"the request is no JSON: {error}"[:300]
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/request", "reason": reason}]) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


async def read_json(request: Request) -> Any:
    """A JSON body, ``{}`` where there is none.

    Raises:
        InvalidRequest: when it is none, or nested past what Python reads.
        BodyTooLarge: past 256 KiB.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise BodyTooLarge(limit_bytes=MAX_REQUEST_BYTES)
    if not body:
        return {}
    try:
        return parse_json(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidRequest(reason="the body is no UTF-8 text") from error


async def decode(services: Services, intake: Intake) -> Prepared:
    """`farm.render.prepare.prepare`, no more of it at once than this replica has room for."""
    if intake.urls:
        return await blocking(prepare_later, services.settings, intake.request, intake.urls)
    async with services.decoding:
        return await blocking(prepare, services.settings, intake.request, intake.designs, nurseries=services.nurseries)
