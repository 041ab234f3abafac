"""Who asks: a Bearer key, or a browser's session; and may they?"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from farm.domain.access import Principal, Scope
from farm.errors import Forbidden, Unauthorised
from serve_app.services import Services, TheServices
from serve_app.sessions import COOKIE, CSRF_HEADER

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, description="A key made by `farm keys create`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="A browser's session, opened at /login.")


async def _principal(
    request: Request,
    response: Response,
    services: TheServices,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    cookie: Annotated[str | None, Security(_cookie)] = None,
) -> Principal:
    """Whoever asks, counted against their limit.

    Raises:
        Unauthorised: without a valid key or session.
        Forbidden: for a write of a session that another site's page may have sent.
        TooManyRequests: past the key's limit.
    """
    principal = await _known(request, services, bearer, cookie)
    allowance = await services.limiter.take(principal.key_id)
    response.headers.update(allowance.headers())
    request.state.rate_headers = allowance.headers()
    return principal


async def _known(
    request: Request, services: Services, bearer: HTTPAuthorizationCredentials | None, cookie: str | None
) -> Principal:
    if bearer is not None:
        principal = await services.keys.admit(bearer.credentials)
        if principal is None:
            raise Unauthorised(reason="the key is wrong, or was revoked")
        return principal
    if cookie is None:
        raise Unauthorised(reason="there is neither a key nor a session")
    session = await services.sessions.read(cookie)
    if session is None:
        raise Unauthorised(reason="the session has ended; log in again")
    if request.method not in _SAFE_METHODS and not session.allows_write(request.headers.get(CSRF_HEADER, "")):
        raise Forbidden(reason=f"a browser's write needs its page's {CSRF_HEADER}")
    return session.principal


def holder_of(*scopes: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency: whoever asks, if they have one of ``scopes``."""

    async def principal_with_scope(principal: Annotated[Principal, Depends(_principal)]) -> Principal:
        if not any(principal.may(scope) for scope in scopes):
            raise Forbidden(reason=f"it needs the scope {' or '.join(scopes)}")
        return principal

    return principal_with_scope


Reader = Annotated[Principal, Depends(holder_of(Scope.JOBS_READ))]
Writer = Annotated[Principal, Depends(holder_of(Scope.JOBS_WRITE))]
Cataloguer = Annotated[Principal, Depends(holder_of(Scope.CATALOG))]
Uploader = Annotated[Principal, Depends(holder_of(Scope.JOBS_WRITE, Scope.CATALOG))]
Admin = Annotated[Principal, Depends(holder_of(Scope.ADMIN))]
Teller = Annotated[Principal, Depends(holder_of(Scope.WEBHOOKS))]
"""Whoever may have the farm tell others."""
