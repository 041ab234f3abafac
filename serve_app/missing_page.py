"""The page for an address that there is not."""

from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse

MISSING = Path(__file__).parent / "pages" / "site" / "missing.html"
_FOR_PROGRAMS = ("/v1/", "/admin/", "/static/", "/vendor/")


def missing_page(request: Request) -> Response | None:
    """What a browser is shown at an address that there is not; ``None`` for a program, or below the API."""
    wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    if not wants_page or request.url.path.startswith(_FOR_PROGRAMS):
        return None
    return FileResponse(MISSING, 404, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})
