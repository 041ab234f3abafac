"""What a page may load, and from where: itself, and pictures from the object store where the API sends them there."""

import logging
from urllib.parse import urlsplit

from farm.errors import FarmError
from farm.render.bulkhead import blocking
from farm.render.ports import ObjectStore

log = logging.getLogger(__name__)

_PROBE = "t/-/probe/none"


def policy(elsewhere: str = "") -> str:
    """The ``Content-Security-Policy`` of an answer.

    Scripts in strings or in pages are never run. The 3D viewer needs two exceptions: its decoder is WebAssembly, and
    its own style stands in its template (the hash changes with its version; tests/web opens it under this policy).

    Args:
        elsewhere: the origin that pictures and films are also shown from; empty: from here alone. Nothing is fetched
            from there: a bucket would have to allow that (CORS), so pages ask the API for models and downloads itself.
    """
    also = f" {elsewhere}" if elsewhere else ""
    return (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
        "style-src 'self' 'sha256-PXtZZkJMMyc18o/DN1ZEFOJ2qEGq95IQbVaJFMOXOb0='; "
        f"img-src 'self' blob: data:{also}; media-src 'self' blob:{also}; "
        "connect-src 'self' blob:; font-src 'self'; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


class Elsewhere:
    """The origin that a store's signed addresses lead to, as the store itself signs them; kept once it is known."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._found: str | None = None

    async def origin(self) -> str:
        """``scheme://host:port``; empty for a store that signs none, and as long as it cannot tell."""
        if self._found is None:
            try:
                signed = await blocking(self._store.signed_url, _PROBE, 60)
            except FarmError as error:
                log.warning("where the object store shows pictures is not known yet: %s", error)
                return ""
            parts = urlsplit(signed or "")
            self._found = f"{parts.scheme}://{parts.netloc}" if signed else ""
        return self._found
