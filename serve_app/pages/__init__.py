"""The web pages: plain files, served as they are; no build step, nothing from elsewhere."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from serve_app.policy import policy
from serve_app.services import TheServices

SITE = Path(__file__).parent / "site"
VENDOR = Path(__file__).parent / "vendor"

PAGES = {
    "/": "wizard.html",
    "/jobs": "jobs.html",
    "/jobs/{job_id}": "job.html",
    "/webhooks": "webhooks.html",
    "/catalog": "catalog.html",
    "/catalog/{run_id}": "run.html",
    "/cluster": "cluster.html",
    "/login": "login.html",
}
"""Every page by its path. A page itself holds nothing of anybody: what it shows, it asks the API for."""

router = APIRouter(include_in_schema=False)


_FILES = StaticFiles(directory=SITE)


def _page(name: str) -> Callable[[Request, TheServices], Awaitable[Response]]:
    async def show(request: Request, services: TheServices) -> Response:
        answer = await _FILES.get_response(name, request.scope)
        answer.headers["Content-Security-Policy"] = policy(await services.elsewhere.origin())
        answer.headers["Cache-Control"] = "no-cache"  # asked for again each time, and sent again when it changed
        return answer

    return show


for path, name in PAGES.items():
    router.add_api_route(path, _page(name), methods=["GET"], name=f"page {name}")


def static_mounts() -> list[Mount]:
    """The files that pages load, ours and those of others beside their licences."""
    mounts = [Mount("/static", StaticFiles(directory=SITE), name="static")]
    if VENDOR.is_dir():
        mounts.append(Mount("/vendor", StaticFiles(directory=VENDOR), name="vendor"))
    return mounts
