"""Over HTTP: the engine of a job, previews while it renders, and what is kept from before."""

import asyncio
from typing import Any

from farm.domain.template import find
from farm.render.ports import ViewTask
from serve_app.schemas import DryRun, Job
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import form
from tests.workshop import Workshop, baked

FRONT, BACK = "front_0deg", "back_180deg"


def bake(workshop: Workshop) -> str:
    template = find(workshop.settings.template_folders, "crew-tee")
    return baked(workshop.objects, template_hash=template.hash).id[:12]


async def test_a_relit_job_without_a_bake_is_refused(shop: Shopfront) -> None:
    answer = await shop.client.post("/v1/jobs", **form(engine="relight"))
    assert (answer.status_code, answer.json()["code"]) == (409, "bake_missing")
    assert answer.json()["errors"] == [{"pointer": "/engine", "reason": "front_0deg is not baked at 64 px or more"}]
    assert (await shop.client.post("/v1/jobs?dry_run=true", **form(engine="relight"))).status_code == 409
    assert (await shop.client.get("/v1/jobs")).json()["jobs"] == []
    bake(shop.workshop)
    larger = await shop.client.post("/v1/jobs", **form(engine="relight", size=65))
    assert (larger.status_code, larger.json()["code"]) == (422, "bake_too_small")


async def test_a_job_says_who_makes_its_pictures(shop: Shopfront) -> None:
    made = bake(shop.workshop)
    job = (await shop.client.post("/v1/jobs", **form(engine="auto", views=[FRONT]))).json()
    Job.model_validate(job)
    assert (job["engine"]["asked"], job["engine"]["chosen"], job["engine"]["bake"]) == ("auto", "relight", made)
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    done = (await shop.client.get(job["status_url"])).json()
    assert [(view["engine"], view["cached"]) for view in done["views"]] == [("relight", False)]


async def test_a_view_shows_its_preview_until_its_picture_is_there(shop: Shopfront) -> None:
    bake(shop.workshop)
    gate = asyncio.Event()

    async def hold(task: ViewTask) -> None:
        if task.view == BACK:
            await gate.wait()

    shop.workshop.painters.before = hold
    job = (await shop.client.post("/v1/jobs", **form(engine="cycles", views=[FRONT, BACK]))).json()
    assert [view["preview_url"] for view in job["views"]] == [None, None]
    async with shop.workshop.running():
        async with asyncio.timeout(20):
            while True:
                front, back = (await shop.client.get(job["status_url"])).json()["views"]
                if front["status"] == "done" and back["preview_url"]:
                    break
                await asyncio.sleep(0.02)
        assert (front["preview_url"], back["url"]) == (None, None)
        assert back["preview_url"] == f"{job['status_url']}/previews/{BACK}"
        picture = await shop.client.get(back["preview_url"])
        assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
        assert picture.headers["cache-control"] == "private, no-store"
        assert (await (await shop.visitor("rival")).get(back["preview_url"])).status_code == 404
        assert (await shop.client.get(f"{job['status_url']}/previews/{FRONT}")).status_code == 404
        gate.set()
        await shop.workshop.ended(job["id"])
    assert (await shop.client.get(back["preview_url"])).status_code == 404
    done = (await shop.client.get(job["status_url"])).json()
    assert [view["preview_url"] for view in done["views"]] == [None, None]


async def test_what_is_kept_is_told_before_and_taken_after(opened: Open) -> None:
    shop = await opened(cache_days=7.0)
    workshop = shop.workshop

    async def made(url: str = "/v1/jobs", **request: object) -> dict[str, object]:
        job = (await shop.client.post(url, **form(**request))).json()
        await workshop.ended(job["id"])
        return dict((await shop.client.get(job["status_url"])).json()["views"][0])

    async with workshop.running():
        assert (await made(views=[FRONT]))["cached"] is False
        dry = (await shop.client.post("/v1/jobs?dry_run=true", **form(views=[FRONT, BACK]))).json()
        DryRun.model_validate(dry)
        assert [view["cached"] for view in dry["views"]] == [True, False]
        assert (dry["engine"]["asked"], dry["engine"]["chosen"]) == ("auto", "cycles")
        assert dry["estimated_seconds"] > 0
        assert (await made(views=[FRONT], product_id="mug"))["cached"] is True
        assert (await made("/v1/jobs?force=true", views=[FRONT]))["cached"] is False
        job = (await shop.client.get("/v1/jobs")).json()["jobs"][0]
        for query, cached in (("", True), ("?force=true", False)):
            again = (await shop.client.post(f"/v1/jobs/{job['id']}/retry{query}")).json()
            assert (await workshop.ended(again["id"]))["views"][0]["cached"] is cached
    assert len(workshop.painters.painted) == 3
    assert (await workshop.audit()).findings == []


async def test_a_forced_request_is_another_request(opened: Open) -> None:
    shop = await opened(cache_days=7.0)
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "order-9"}}
    first = await shop.client.post("/v1/jobs", **form(), **key)
    again = await shop.client.post("/v1/jobs?force=true", **form(), **key)
    assert (first.status_code, again.status_code) == (202, 422)
