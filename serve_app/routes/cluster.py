"""The cluster for its operator: nodes and what each renders, the queue, what needs a person, and a way to help."""

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse

from farm.adapters.text_meter import TextMeter
from farm.domain.access import Principal
from farm.domain.ids import JOB_ID
from farm.errors import ClusterUnavailable
from farm.render.bulkhead import blocking
from farm.render.census import Census
from serve_app.auth import Admin
from serve_app.job_json import base_of, job_json
from serve_app.json_body import JsonAnswer
from serve_app.metrics import CONTENT_TYPE, merged
from serve_app.operations import problems
from serve_app.schemas import ClusterJson, Job
from serve_app.services import TheServices

router = APIRouter(tags=["cluster"])
scraped = APIRouter(tags=["cluster"])


@router.get("/cluster", response_model=ClusterJson, responses=problems())
async def cluster(request: Request, services: TheServices, who: Admin) -> JsonAnswer:
    """Nodes, GPUs, slots and what each renders; the queue; the last hour; jobs that are stuck or not wholly undone."""
    seen = await services.overview.look()
    nodes = [{**node, "views": [_view(view, request, who) for view in node["views"]]} for node in seen["nodes"]]
    return JsonAnswer({**seen, "nodes": nodes})


@router.post(
    "/jobs/{job_id}/compensate",
    status_code=202,
    responses=problems(404, 409, 502)
    | {202: {"description": "A coordinator takes it up; the job as it is until then.", "model": Job}},
)
async def compensate(
    request: Request,
    services: TheServices,
    who: Admin,
    job_id: Annotated[str, Path(pattern=f"^{JOB_ID.pattern}$", examples=["job_01kawr3v00000000000000000a"])],
) -> JsonAnswer:
    """Have the undoing of a failed job finished that had to be given up; of any tenant.

    It is on disk when this answers and begins at once; `compensation_pending` stays true until it does, and is true
    again should it fail again.
    """
    asked = await services.service.ask_compensation(job_id)
    return JsonAnswer(job_json(asked, request), status_code=202)


@scraped.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=problems() | {200: {"description": "Prometheus' text format.", "content": {"text/plain": {}}}},
)
async def metrics(services: TheServices, who: Admin) -> PlainTextResponse:
    """How things stand, and what every node's Ray exports, for a Prometheus without access to the nodes."""
    meter = TextMeter()
    await Census(meter=meter, sagas=services.sagas, board=services.overview.board).take()
    texts = [meter.text()]
    with suppress(ClusterUnavailable):  # how things stand is known without the nodes
        texts += await blocking(services.scrape)
    return PlainTextResponse(merged(texts), media_type=CONTENT_TYPE)


def _view(view: dict[str, Any], request: Request, who: Principal) -> dict[str, Any]:
    """A running view; with the last finished picture of its job where that is the caller's own."""
    shown = {name: value for name, value in view.items() if name not in ("tenant", "last_view", "node")}
    own = view["last_view"] is not None and view["tenant"] == who.tenant
    address = f"{base_of(request)}/jobs/{view['job_id']}/views/{view['last_view']}"
    return {**shown, "picture_url": address if own else None}
