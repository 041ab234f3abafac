"""Errors on the wire: RFC 9457 problems, with the farm's code, whether a retry helps, and a hint."""

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from farm import errors
from farm.errors import FarmError
from serve_app.missing_page import missing_page

log = logging.getLogger(__name__)

ORIGIN = "/admin/render-engine"
"""The path of the render engine that this farm replaces: the same operations answer there."""
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
"""What a caller is told to wait where the error itself knows no better."""

STATUS: Mapping[type[FarmError], int] = {
    FarmError: 500,
    # what the caller did
    errors.InvalidRequest: 422,
    errors.HostNotServed: 421,
    errors.BadDesign: 422,
    errors.DesignNotAnImage: 415,
    errors.DesignTooLarge: 413,
    errors.DesignTooManyPixels: 413,
    errors.DesignTruncated: 422,
    errors.DesignDecodeFailed: 422,
    errors.LowResolution: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.AlreadyExists: 409,
    errors.IllegalTransition: 409,
    errors.JobEnded: 409,
    errors.DesignGone: 410,
    errors.DesignDeleted: 410,
    errors.PictureExpired: 410,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.IdempotencyMismatch: 422,
    errors.StillInFlight: 409,
    errors.TooManyRequests: 429,
    errors.QueueFull: 503,
    errors.BodyTooLarge: 413,
    # what the operator did
    errors.InvalidSettings: 500,
    errors.TemplateBroken: 500,
    errors.BakeMissing: 409,
    errors.BakeTooSmall: 422,
    errors.BakeBroken: 500,
    # what the picture did
    errors.RenderError: 500,
    # what the world did
    errors.InfrastructureError: 503,
    errors.FetchFailed: 424,
    errors.StorageForbidden: 500,
    errors.ShopRefused: 502,
    errors.MissingLibrary: 500,
    errors.VersionMismatch: 500,
    # what the saga did
    errors.SagaError: 500,
}
"""The HTTP status of each class; one that is not named has its nearest ancestor's."""

OWN_CODES = ("not_found", "method_not_allowed", "body_too_large", "unsupported_media_type", "http_error", "farm_error")
"""Codes of refusals that are no error of the farm's, but of the framework's."""
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}
_HINTS = {
    404: "Check the path; /openapi.json lists every operation.",
    405: "Look at the Allow header for what this path understands.",
    413: "Send less; big designs go straight to the object store by POST /v1/uploads.",
    415: "Send multipart/form-data or application/json.",
}


class FieldProblem(BaseModel):
    """What is wrong with one member of the request."""

    pointer: str = Field(examples=["/size"])
    reason: str = Field(examples=["Input should be less than or equal to 4096"])


class Problem(BaseModel):
    """What went wrong, whether the same request may work later, and what to do."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem details."})

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no job 'job_0'."])
    code: str = Field(examples=["not_found"], description="Stable; never renamed.")
    retryable: bool = Field(description="Whether the very same request may work later.")
    hint: str = Field(examples=["Check the id; list what there is first."])
    errors: list[FieldProblem] | None = Field(default=None, description="Per member, where the request is at fault.")


def status_of(error: FarmError) -> int:
    """The HTTP status of an error: its class's in `STATUS`, or the nearest ancestor's."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    raise AssertionError(f"{type(error).__name__} is no FarmError")


def problem_of(error: FarmError) -> JSONResponse:
    """The answer for one of the farm's own errors."""
    status = status_of(error)
    body = {**_body(status, error.message), **error.to_dict()}
    body.pop("message")
    body.pop("cause", None)
    if pointed := error.fields.get("errors"):
        body["errors"] = [{"pointer": item["pointer"], "reason": item["reason"]} for item in pointed]
    return _answer(status, body, retry_after_s=error.fields.get("retry_after_s"))


def install(app: FastAPI) -> None:
    """Have every error of ``app`` answered as a problem, those of the framework too."""

    @app.exception_handler(FarmError)
    async def _farm_error(request: Request, error: FarmError) -> JSONResponse:
        if status_of(error) >= 500:
            log.warning("%s %s: %s: %s", request.method, request.url.path, error.code, error)
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        pointed = [
            {"pointer": "/" + "/".join(str(part) for part in item["loc"]), "reason": str(item["msg"])}
            for item in error.errors()
        ]
        reason = "; ".join(f"{item['pointer']}: {item['reason']}" for item in pointed)[:500]
        return problem_of(errors.InvalidRequest(reason=reason, errors=pointed))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        status = error.status_code
        if status == 404 and (page := missing_page(request)) is not None:
            return page
        if status == 400:  # the framework's own word for a body that cannot be read
            return problem_of(errors.InvalidRequest(reason=str(error.detail)))
        headers = dict(error.headers or {})
        if status == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        body = _body(status, str(error.detail))
        body |= {
            "code": _CODES.get(status, "http_error"),
            "retryable": status >= 500,
            "hint": _HINTS.get(status, "See /openapi.json for what this operation takes."),
        }
        return _answer(status, body, headers=headers)


def unexpected(method: str, path: str, error: Exception) -> JSONResponse:
    """The answer for what nobody foresaw.

    Nothing of such an error goes out: it may hold anything. The log has it, under the same number.
    """
    number = secrets.token_hex(4)
    log.error("unexpected error %s at %s %s", number, method, path, exc_info=error)
    body = _body(500, f"Something went wrong in the farm; its log knows it as {number}.")
    body |= {
        "code": "farm_error",
        "retryable": True,
        "hint": "Try again; tell the operator the number if it stays.",
    }
    return _answer(500, body)


def _allowed(request: Request) -> list[str]:
    """All methods this path understands; the framework names those of the first route that fits alone."""
    path = request.url.path
    if path.startswith(ORIGIN):
        path = "/v1" + path.removeprefix(ORIGIN)
    found = {
        method.upper()
        for pattern, methods in request.app.openapi()["paths"].items()
        if compile_path(pattern)[0].match(path)
        for method in methods
    }
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _body(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}


def _title(status: int) -> str:
    from http import HTTPStatus

    return HTTPStatus(status).phrase


def _answer(
    status: int,
    body: Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    retry_after_s: float | None = None,
) -> JSONResponse:
    sent = dict(headers or {})
    if status in (429, 503) or retry_after_s is not None:
        sent["Retry-After"] = str(max(1, round(retry_after_s or RETRY_AFTER_S)))
    if status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="farm"'
    return JSONResponse(dict(body), status_code=status, headers=sent, media_type=MEDIA_TYPE)
