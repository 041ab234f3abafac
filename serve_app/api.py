"""The application, put together: operations, errors, manners. Knows no Ray; `serve_app.app` runs it on Serve."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

import farm
from farm.domain.request import RenderRequest
from farm.settings import Settings
from serve_app import login, pages, problems
from serve_app.hosts import Hosts
from serve_app.intake import JobBody, PictureBody
from serve_app.manifest import RunBody
from serve_app.manners import Manners
from serve_app.reading import Reading
from serve_app.routes import (
    catalog_runs,
    cluster,
    designs,
    health,
    jobs,
    outputs,
    pictures,
    preview,
    shelf,
    uploads,
    webhooks,
)
from serve_app.services import Services

_ABOUT = """
Send a design, get product pictures: six camera angles of a printed garment, and if asked a film, attached to a product.
A job that was accepted (202) ends, whatever dies in between; a job that fails leaves nothing behind.

Every error is `application/problem+json` with a stable `code`, whether a retry helps (`retryable`), and a `hint`.
"""

Opening = Callable[[], AbstractAsyncContextManager[Services]]


def build_api(settings: Settings, opening: Opening) -> FastAPI:
    """The HTTP face of a farm.

    Args:
        opening: opens the services when the application starts; they are closed when it stops.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="T-shirt render farm",
        version=farm.__version__,
        summary="A design in, product pictures out, or nothing at all.",
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from a CDN; /openapi.json serves any viewer
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "this farm"}],
    )
    problems.install(app)
    api = APIRouter()
    for module in (jobs, cluster, uploads, designs, outputs, pictures, preview, shelf, catalog_runs, webhooks, health):
        api.include_router(module.router)
    app.include_router(api, prefix="/v1")
    app.include_router(api, prefix=problems.ORIGIN, include_in_schema=False)
    app.include_router(health.probes)
    app.include_router(cluster.scraped)
    app.include_router(login.router)
    app.include_router(pages.router)
    app.router.routes.extend(pages.static_mounts())
    app.add_middleware(Reading)
    app.add_middleware(Manners, hosts=Hosts.of(settings.http_hosts), body_max_bytes=settings.body_max_bytes)
    _describe(app)
    return app


def build_pictures(settings: Settings, opening: Opening) -> FastAPI:
    """The pictures alone, for a deployment of their own: the same operations, at the same paths.

    Args:
        opening: as for `build_api`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as services:
            app.state.services = services
            yield

    app = FastAPI(title="Pictures", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    app.include_router(pictures.router, prefix="/v1")
    app.add_middleware(Reading)
    app.add_middleware(Manners, hosts=Hosts.of(settings.http_hosts), body_max_bytes=settings.body_max_bytes)
    app.add_middleware(WholePath)
    return app


class WholePath:
    """Undoes what a route prefix does to a path: the operations know where they lie."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": ""}
        await self._app(scope, receive, send)


def _describe(app: FastAPI) -> None:
    """Put the schemas into the document that operations refer to by name: of problems, and of a job's request."""
    document = app.openapi

    def with_problems() -> dict[str, Any]:
        found = document()
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            for model in (problems.Problem, RenderRequest, JobBody, PictureBody, RunBody):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
        return found

    app.openapi = with_problems  # type: ignore[method-assign]


def _operation_id(route: APIRoute) -> str:
    return route.name
