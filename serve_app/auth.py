"""Who asks: a Bearer key, or a browser's session; and may they?"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from farm.domain.access import Principal, Scope
from farm.errors import Forbidden, Unauthorised
from serve_app.limits import Allowance
from serve_app.services import Services, TheServices
from serve_app.sessions import COOKIE, CSRF_HEADER

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SESSION_OVER = "the session has ended; log in again"

_bearer = HTTPBearer(auto_error=False, description="A key made by `farm keys create`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="A browser's session, opened at /login.")


async def _principal(
    request: Request,
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
    principal, allowance = await _admitted(request, services, bearer, cookie)
    request.state.rate_headers = allowance.headers()
    return principal


async def _admitted(
    request: Request, services: Services, bearer: HTTPAuthorizationCredentials | None, cookie: str | None
) -> tuple[Principal, Allowance]:
    if bearer is not None:
        admitted = await services.limiter.admit(bearer.credentials)
        if admitted is None:
            raise Unauthorised(reason="the key is wrong, or was revoked")
        return admitted
    if cookie is None:
        raise Unauthorised(reason="there is neither a key nor a session")
    pass_ = services.sessions.pass_of(cookie)
    if pass_ is None:
        raise Unauthorised(reason=_SESSION_OVER)
    if request.method not in _SAFE_METHODS and not pass_.allows_write(request.headers.get(CSRF_HEADER, "")):
        raise Forbidden(reason=f"a browser's write needs its page's {CSRF_HEADER}")
    admitted = await services.limiter.admit_holder(pass_.key_id)
    if admitted is None:
        raise Unauthorised(reason=_SESSION_OVER)
    return admitted


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
