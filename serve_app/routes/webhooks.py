"""Webhooks: who is told of the tenant's jobs, what was sent there, and sending it again."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from farm.notify.delivery import State
from farm.notify.endpoint import TELLING, Endpoint
from serve_app.auth import Teller
from serve_app.idempotency import IdempotencyKey
from serve_app.operations import problems
from serve_app.schemas import DeliveryJson, DeliveryList, NewWebhookJson, WebhookJson
from serve_app.services import TheServices

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

WebhookId = Annotated[str, Path(pattern="^hook_[0-9a-f]{24}$", examples=["hook_0123456789abcdef01234567"])]
DeliveryId = Annotated[str, Path(pattern="^msg_[0-9a-f]{32}$")]


class NewWebhook(BaseModel):
    """Where to send, and what."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"url": "https://shop.example/farm"}})

    url: str = Field(min_length=1, max_length=2000, description="https, on the open internet.")
    name: str = Field(default="", max_length=80, description="What you call it.")
    events: list[str] = Field(
        default=[], max_length=len(TELLING), description=f"Of {', '.join(TELLING)}; empty: all of these."
    )
    secret: str = Field(default="", max_length=120, description="`whsec_…` of your own; empty: one is made.")


@router.post("", status_code=201, response_model=NewWebhookJson, responses=problems(409))
async def add_webhook(
    services: TheServices,
    who: Teller,
    wanted: NewWebhook,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Have an address told of this tenant's jobs. The answer holds the secret that signs; no other answer does."""
    endpoint = await services.webhooks.add(tenant=who.tenant, key=idempotency_key, **wanted.model_dump())
    return JSONResponse(_with_secret(endpoint), status_code=201)


@router.get("", response_model=list[WebhookJson], responses=problems())
async def list_webhooks(services: TheServices, who: Teller) -> JSONResponse:
    """The tenant's webhooks, oldest first."""
    return JSONResponse([endpoint.shown() for endpoint in await services.webhooks.list(who.tenant)])


@router.get("/{webhook_id}", response_model=WebhookJson, responses=problems(404))
async def get_webhook(services: TheServices, who: Teller, webhook_id: WebhookId) -> JSONResponse:
    """One webhook."""
    return JSONResponse((await services.webhooks.get(who.tenant, webhook_id)).shown())


@router.delete("/{webhook_id}", status_code=204, responses=problems(404))
async def remove_webhook(services: TheServices, who: Teller, webhook_id: WebhookId) -> Response:
    """Forget a webhook and the log of its deliveries."""
    await services.webhooks.remove(who.tenant, webhook_id)
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate", response_model=NewWebhookJson, responses=problems(404))
async def rotate_webhook(services: TheServices, who: Teller, webhook_id: WebhookId) -> JSONResponse:
    """Replace its secret; for a day the one before signs beside the new one, so that no delivery is refused."""
    return JSONResponse(_with_secret(await services.webhooks.rotate(who.tenant, webhook_id)))


@router.post("/{webhook_id}/enable", response_model=WebhookJson, responses=problems(404))
async def enable_webhook(services: TheServices, who: Teller, webhook_id: WebhookId) -> JSONResponse:
    """Take a disabled webhook into use again; what was abandoned meanwhile waits for a replay."""
    return JSONResponse((await services.webhooks.enable(who.tenant, webhook_id)).shown())


@router.post("/{webhook_id}/test", response_model=DeliveryJson, responses=problems(404))
async def test_webhook(services: TheServices, who: Teller, webhook_id: WebhookId) -> JSONResponse:
    """Send something harmless there, once and now; the answer says what became of it."""
    return JSONResponse((await services.webhooks.test(who.tenant, webhook_id)).shown())


@router.get("/{webhook_id}/deliveries", response_model=DeliveryList, responses=problems(404))
async def list_deliveries(
    services: TheServices,
    who: Teller,
    webhook_id: WebhookId,
    state: Annotated[State | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """What was sent there, or is about to be, newest first."""
    page = await services.webhooks.deliveries(who.tenant, webhook_id, state=state, cursor=cursor, limit=limit)
    shown: list[dict[str, Any]] = [delivery.shown() for delivery in page.deliveries]
    return JSONResponse({"deliveries": shown, "cursor": page.cursor})


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=DeliveryJson,
    responses=problems(404, 409),
)
async def replay_delivery(
    services: TheServices, who: Teller, webhook_id: WebhookId, delivery_id: DeliveryId
) -> JSONResponse:
    """Have a delivery made again, under the same `webhook-id`, from the start of its schedule."""
    delivery = await services.webhooks.replay(who.tenant, webhook_id, delivery_id)
    return JSONResponse(delivery.shown(), status_code=202)


def _with_secret(endpoint: Endpoint) -> dict[str, Any]:
    return endpoint.shown() | {"secret": endpoint.secrets[0].text}
