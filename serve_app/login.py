"""Logging in with a key: a browser cannot send a Bearer header for pictures and event streams, so it has a session."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Cookie, Request, Response
from fastapi.responses import JSONResponse

from farm.errors import Unauthorised
from serve_app.operations import problems
from serve_app.schemas import SessionJson
from serve_app.services import Services, TheServices
from serve_app.sessions import COOKIE, Session

router = APIRouter(tags=["session"])

_FORM_BYTES = 64 * 1024
"""What a form has around the file that is sent with it, at most."""


@router.post("/session", response_model=SessionJson, responses=problems())
async def open_session(
    request: Request,
    services: TheServices,
    key: Annotated[str, Body(embed=True, max_length=200, description="An API key.")],
) -> Response:
    """Open a session: the cookie stands for the key, and ``csrf`` must come with every write."""
    # Tries are counted by where they come from: nobody is known yet.
    await services.limiter.take(f"login {request.client.host if request.client else ''}")
    principal = await services.keys.admit(key)
    if principal is None:
        raise Unauthorised(reason="the key is wrong, or was revoked")
    cookie = services.sessions.begin(principal)
    session = await services.sessions.read(cookie)
    if session is None:
        raise Unauthorised(reason="the key was revoked this moment")
    answer = JSONResponse(_shown(services, session))
    answer.set_cookie(
        COOKIE, cookie, max_age=int(services.sessions.lasting_s), httponly=True, samesite="strict",
        secure=request.url.scheme == "https", path="/",
    )  # fmt: skip
    return answer


@router.get("/session", response_model=SessionJson, responses=problems())
async def read_session(services: TheServices, cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None) -> Response:
    """The browser's session, for a page that was just loaded."""
    session = await services.sessions.read(cookie) if cookie else None
    if session is None:
        raise Unauthorised(reason="there is no session")
    return JSONResponse(_shown(services, session))


@router.delete("/session", status_code=204)
async def close_session() -> Response:
    """Forget the session in this browser."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _shown(services: Services, session: Session) -> dict[str, Any]:
    return {
        "csrf": session.csrf,
        "tenant": session.principal.tenant,
        "scopes": sorted(str(scope) for scope in session.principal.scopes),
        "design_max_bytes": services.settings.design_max_bytes,
        "design_max_pixels": services.settings.design_max_pixels,
        "dpi_floor": services.settings.dpi_floor,
        "manifest_max_bytes": min(services.settings.manifest_max_bytes, services.settings.body_max_bytes - _FORM_BYTES),
        "currency": services.settings.currency,
    }
