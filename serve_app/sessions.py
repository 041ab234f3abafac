"""Browser sessions: a signed cookie that names a key, for pages and for what cannot send a header."""

import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from farm.domain.access import Principal
from farm.domain.signing import SigningSecret
from farm.render.ports import KeyRing

COOKIE = "farm_session"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a cookie says that is ours and not too old; whether its key still opens anything, the store knows.

    Attributes:
        csrf: what a page must send along with every write; another site's page cannot read it.
    """

    key_id: str
    csrf: str

    def allows_write(self, csrf: str) -> bool:
        """Whether a write that came with ``csrf`` is this page's own."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An opened session."""

    principal: Principal
    csrf: str


class Sessions:
    """Opens and reads sessions. They are kept in the cookie alone, signed; a revoked key ends them."""

    def __init__(self, keys: KeyRing, secret: SigningSecret, *, lasting_s: float) -> None:
        self._keys = keys
        self._signer = URLSafeTimedSerializer(secret.value, salt="farm-session")
        self.lasting_s = lasting_s

    def begin(self, principal: Principal) -> str:
        """The cookie of a new session."""
        return self._signer.dumps([principal.key_id, secrets.token_urlsafe(16)])

    def pass_of(self, cookie: str) -> Pass | None:
        """What a cookie says; ``None`` when it is forged or too old."""
        try:
            key_id, csrf = self._signer.loads(cookie, max_age=int(self.lasting_s))
        except (BadData, ValueError, TypeError):
            return None
        return Pass(key_id=str(key_id), csrf=str(csrf))

    async def read(self, cookie: str) -> Session | None:
        """The session of a cookie; ``None`` when it is forged, too old, or its key was revoked."""
        found = self.pass_of(cookie)
        principal = await self._keys.holder(found.key_id) if found is not None else None
        return None if found is None or principal is None else Session(principal=principal, csrf=found.csrf)
