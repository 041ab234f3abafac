"""Over HTTP: designs kept by their content, and what names them."""

import time
from typing import Any

import httpx
import pytest

from farm.domain import keys
from farm.domain.access import Scope
from farm.render.sweep import Sweep
from farm.saga.clock import FakeClock
from serve_app.schemas import DesignJson
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import DESIGN, SMALL, form
from tests.workshop import png

PANELS = ("front", "back")
UNKNOWN = "dsn_" + "0" * 26


async def kept(shop: Shopfront, data: bytes = DESIGN) -> httpx.Response:
    return await shop.client.post("/v1/designs", files=[("design", ("a.png", data, "image/png"))])


async def test_equal_files_are_one_design_and_the_second_is_not_decoded(shop: Shopfront) -> None:
    first = await kept(shop)
    assert first.status_code == 201, first.text
    facts = first.json()
    DesignJson.model_validate(facts)
    assert (facts["width_px"], facts["height_px"], facts["format"], facts["alpha"]) == (64, 64, "png", False)
    assert (facts["size_bytes"], first.headers["Location"]) == (
        len(DESIGN),
        f"http://localhost/v1/designs/{facts['id']}",
    )
    # With no decoder left, only what is known can be answered.
    shop.app.state.services.nurseries.__exit__()
    object.__setattr__(shop.workshop.settings, "decode_deadline_s", 1e-9)
    raw = await shop.client.post("/v1/designs", content=DESIGN, headers={"Content-Type": "image/png"})
    assert (raw.status_code, raw.json()["id"]) == (200, facts["id"])
    assert (await shop.client.get(first.headers["Location"])).json()["sha256"] == facts["sha256"]
    assert (await kept(shop, png((1, 2, 3, 99), 64))).status_code == 422


async def test_a_job_of_a_kept_design_is_the_job_of_its_file(shop: Shopfront) -> None:
    name = (await kept(shop)).json()["id"]
    by_id = await shop.client.post("/v1/jobs", json={**SMALL, "design_id": name})
    by_file = await shop.client.post("/v1/jobs", **form())
    assert (by_id.status_code, by_file.status_code) == (202, 202), by_id.text
    assert (by_id.json()["designs"], by_id.json()["warnings"]) == (
        by_file.json()["designs"],
        by_file.json()["warnings"],
    )
    layers = [
        {"design": number, "panel": panel, "x_cm": 0, "y_cm": 15, "width_cm": 10} for number, panel in enumerate(PANELS)
    ]
    several = {**SMALL, "design_id": [name, name], "placements": layers}
    assert len((await shop.client.post("/v1/jobs", json=several)).json()["designs"]) == 2
    assert (await shop.client.delete(f"/v1/designs/{name}")).status_code == 204
    async with shop.workshop.running():
        assert (await shop.workshop.ended(by_id.json()["id"]))["status"] == "completed"
    assert (await shop.workshop.audit()).clean


async def test_a_foreign_a_deleted_and_an_unknown_design_are_refused_by_their_codes(shop: Shopfront) -> None:
    name = (await kept(shop)).json()["id"]
    stranger = await shop.visitor("other")

    async def answers(client: httpx.AsyncClient, design: str) -> list[tuple[int, str]]:
        found = [
            await client.get(f"/v1/designs/{design}"),
            await client.post("/v1/jobs", json={**SMALL, "design_id": design}),
            await client.delete(f"/v1/designs/{design}"),
        ]
        assert all(answer.json()["hint"].startswith("Send it by POST /v1/designs") for answer in found)
        return [(answer.status_code, answer.json()["code"]) for answer in found]

    assert await answers(stranger, name) == [(404, "design_unknown")] * 3
    assert await answers(shop.client, UNKNOWN) == [(404, "design_unknown")] * 3
    assert (await shop.client.delete(f"/v1/designs/{name}")).status_code == 204
    assert await answers(shop.client, name) == [(410, "design_deleted")] * 3
    assert (await kept(shop)).status_code == 201
    assert (await shop.client.get(f"/v1/designs/{name}")).status_code == 200


async def test_a_design_goes_after_its_days_unless_it_is_sent_again(opened: Open) -> None:
    shop = await opened(design_days=2.0)
    name = (await kept(shop)).json()["id"]
    store = shop.workshop.objects
    now_s = time.time()

    async def swept_at(days: float) -> int:
        sweep = Sweep(
            sagas=shop.workshop.sagas, parts=shop.workshop.parts, clock=FakeClock(wall_s=now_s + days * 86_400)
        )
        await sweep.run()
        return len(list(store.list(keys.kept_designs("default"))))

    assert await swept_at(1.9) == 2
    assert (await shop.workshop.audit()).clean
    assert await swept_at(2.1) == 0
    assert (await shop.client.get(f"/v1/designs/{name}")).json()["code"] == "design_unknown"


async def test_designs_are_kept_for_ever_where_no_days_are_set(opened: Open) -> None:
    shop = await opened(design_days=0.0)
    assert (await kept(shop)).json()["expires_at"] is None
    later = FakeClock(wall_s=time.time() + 1e9)
    await Sweep(sagas=shop.workshop.sagas, parts=shop.workshop.parts, clock=later).run()
    assert len(list(shop.workshop.objects.list("t/"))) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": b"<svg>", "headers": {"Content-Type": "image/png"}}, 415, "design_not_an_image"),
        ({"content": DESIGN, "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"", "headers": {"Content-Type": "image/png"}}, 415, "design_not_an_image"),
        ({"json": {"design": "x"}}, 415, "unsupported_media_type"),
        ({"files": [("design", DESIGN), ("design", DESIGN)]}, 422, "invalid_request"),
        ({"files": [("picture", DESIGN)]}, 422, "invalid_request"),
        ({"content": b"x" * 10_000_001, "headers": {"Content-Type": "image/png"}}, 413, "design_too_large"),
    ],
)
async def test_what_is_no_design_leaves_nothing(shop: Shopfront, body: dict[str, Any], status: int, code: str) -> None:
    answer = await shop.client.post("/v1/designs", **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert list(shop.workshop.objects.list("t/")) == []


async def test_keeping_needs_the_right_to_write(shop: Shopfront) -> None:
    reader = await shop.visitor("default", Scope.JOBS_READ)
    refused = await reader.post("/v1/designs", content=DESIGN, headers={"Content-Type": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
