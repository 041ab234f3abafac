"""Is it alive, can it take jobs, and how much is there to do?"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from farm.domain import template as templates
from farm.domain.status import Status
from farm.errors import FarmError
from farm.render.bulkhead import blocking
from serve_app.auth import Reader
from serve_app.operations import problems
from serve_app.schemas import Health, Stats
from serve_app.services import Services, TheServices

probes = APIRouter(tags=["health"])
router = APIRouter(tags=["statistics"])

_PATIENCE_S = 3.0
_PROBE_PREFIX = "t/-/"


@probes.get("/healthz", response_model=Health)
async def healthz() -> JSONResponse:
    """Whether this process lives."""
    return JSONResponse({"status": "ok", "checks": {}})


@probes.get(
    "/readyz",
    response_model=Health,
    responses={503: {"model": Health, "description": "What is away is named; jobs are not accepted meanwhile."}},
)
async def readyz(services: TheServices) -> JSONResponse:
    """Whether jobs can be accepted: every dependency with its state."""
    wanted: dict[str, Awaitable[Any]] = {
        "store": services.sagas.ping(),
        "storage": _storage(services),
        "templates": blocking(templates.find, services.settings.template_folders, "crew-tee"),
    }
    states = await asyncio.gather(*(_state(probe) for probe in wanted.values()))
    checks = dict(zip(wanted, states, strict=True))
    ready = all(state == "ok" for state in states)
    headers = {} if ready else {"Retry-After": "5"}
    body = {"status": "ok" if ready else "unavailable", "checks": checks}
    return JSONResponse(body, status_code=200 if ready else 503, headers=headers)


async def _storage(services: Services) -> None:
    await blocking(services.store.head, _PROBE_PREFIX + "probe/none")


async def _state(probe: Awaitable[Any]) -> str:
    """``ok``, or the error's code: readiness is asked without a key, so it tells no more."""
    try:
        await asyncio.wait_for(probe, _PATIENCE_S)
    except TimeoutError:
        return "timed_out"
    except FarmError as error:
        return error.code
    return "ok"


@router.get("/stats", response_model=Stats, responses=problems())
async def stats(services: TheServices, who: Reader) -> JSONResponse:
    """How many of this tenant's jobs there are in each status, and how those of the last hour did."""
    count = services.service.count
    counts = await asyncio.gather(*(count(status=status, tenant=who.tenant) for status in Status))
    pending = await count(compensation="pending", tenant=who.tenant)
    return JSONResponse(
        {
            "jobs": {str(status): found for status, found in zip(Status, counts, strict=True)},
            "live": sum(found for status, found in zip(Status, counts, strict=True) if not status.ended),
            "compensation_pending": pending,
            **await services.statistics.of(who.tenant),
        }
    )
