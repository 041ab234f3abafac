"""Designs that do not come in the request's body: from an upload, or fetched by the job from an address."""

import gc
import hashlib
import re
import time
from typing import Any

import httpx
import pytest

from farm.domain import keys
from farm.domain.access import Scope
from farm.errors import FetchFailed, FetchRefused
from farm.render.steps.parts import Parts
from farm.render.sweep import Sweep
from farm.saga.clock import FakeClock
from tests.api.conftest import Shopfront
from tests.api.test_jobs import DESIGN, SMALL
from tests.workshop import png

URL = "https://shop.example/logo.png"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What lies on the web: bytes, or an error that is raised; ``asked`` counts."""
    lies: dict[str, Any] = {"asked": 0}

    def fetch(url: str) -> bytes:
        lies["asked"] += 1
        found = lies.get(url, FetchRefused(address=url, reason="it leads inside"))
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, Exception):
            raise found
        return bytes(found)

    original = Parts.__init__

    def patched(self: Parts, **fields: Any) -> None:
        original(self, **{**fields, "fetch": fetch})

    monkeypatch.setattr(Parts, "__init__", patched)
    return lies


async def submit(shop: Shopfront, **members: Any) -> httpx.Response:
    return await shop.client.post("/v1/jobs", json={**SMALL, **members})


async def test_a_job_fetches_its_design_itself(shop: Shopfront, web: dict[str, Any]) -> None:
    web[URL] = [FetchFailed(address=URL, reason="it was away"), DESIGN]
    answer = await submit(shop, design_url=URL, product_id="tee")
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (web["asked"], job["designs"], job["design_urls"]) == (0, [], [URL])
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    done = (await shop.client.get(job["status_url"])).json()
    assert (done["status"], len(done["outputs"]), web["asked"]) == ("completed", 6, 2)
    assert len(done["designs"]) == 1
    assert [warning["code"] for warning in done["warnings"]] == ["print_low_dpi"]
    stored = shop.workshop.objects.get(keys.design("default", job["id"], 0))
    assert hashlib.sha256(stored).hexdigest() == done["designs"][0]
    assert (await shop.workshop.audit()).clean
    assert list(shop.workshop.objects.list("t/default/uploads/")) == []


async def test_what_may_not_be_fetched_or_is_no_picture_fails_the_job_and_leaves_nothing(
    shop: Shopfront, web: dict[str, Any]
) -> None:
    web["https://shop.example/page"] = b"<html>"
    for url, code in [
        ("https://metadata.example/", "fetch_refused"),
        ("https://shop.example/page", "design_not_an_image"),
    ]:
        job = (await submit(shop, design_url=url)).json()
        async with shop.workshop.running():
            record = await shop.workshop.ended(job["id"])
        assert (record["status"], record["error"]["code"], record["error"]["step"]) == ("failed", code, "upload_design")
    assert list(shop.workshop.objects.list("t/")) == []
    assert (await shop.workshop.audit()).clean


async def test_a_retry_has_the_bytes_that_were_fetched_else_fetches_again(shop: Shopfront, web: dict[str, Any]) -> None:
    web[URL] = png((1, 2, 3, 255), 64)
    job = (await submit(shop, design_url=URL)).json()
    async with shop.workshop.running():
        first = await shop.workshop.ended(job["id"])
        web[URL] = png((9, 9, 9, 255), 64)
        again = (await shop.client.post(f"{job['status_url']}/retry", json={})).json()
        assert (await shop.workshop.ended(again["id"]))["designs"] == first["designs"]
        cancelled = (await submit(shop, design_url="https://shop.example/none.png")).json()
        await shop.workshop.ended(cancelled["id"])
        web["https://shop.example/none.png"] = DESIGN
        mended = (await shop.client.post(f"{cancelled['status_url']}/retry", json={})).json()
        assert (await shop.workshop.ended(mended["id"]))["status"] == "completed"


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_a_job_that_fails_later_keeps_what_it_fetched_for_a_retry(
    shop: Shopfront, web: dict[str, Any], saga: str
) -> None:
    web[URL] = DESIGN

    async def fail(task: Any) -> None:
        raise FetchRefused(address="x", reason="the drill")

    shop.workshop.painters.before = fail
    job = (await submit(shop, design_url=URL, saga=saga)).json()
    async with shop.workshop.running():
        record = await shop.workshop.ended(job["id"])
        assert record["status"] == "failed"
        assert (await shop.workshop.audit()).clean
        shop.workshop.painters.before = None
        del web[URL]
        again = (await shop.client.post(f"{job['status_url']}/retry", json={})).json()
        assert (await shop.workshop.ended(again["id"]))["status"] == "completed"
    assert web["asked"] == 1


async def test_where_a_design_is_must_be_said_once_and_with_https(shop: Shopfront) -> None:
    cases: list[dict[str, Any]] = [
        {},
        {"design_url": URL, "upload_id": "upl_" + "0" * 26},
        {"design_url": "file:///etc/passwd"},
        {"design_url": "gopher://127.0.0.1:6379/_FLUSHALL"},
        {"design_url": "s3://bucket/x.png"},
        {"design_url": "https://["},
        {"design_url": "https://bücher..example/logo.png"},
        {"design_url": 7},
        {"design_url": []},
        {"design_url": [URL] * 9},
        {"upload_id": "../../../etc"},
        {"design_url": URL, "size": 63},
        {"design_url": URL, "colour": "red"},
    ]
    for members in cases:
        answer = await submit(shop, **members)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), members
    assert (await submit(shop, upload_id="upl_" + "0" * 26)).status_code == 404
    assert (await shop.client.get("/v1/jobs")).json()["jobs"] == []


async def uploaded(shop: Shopfront, data: bytes, name: str = "logo.png") -> dict[str, Any]:
    upload = await shop.client.post("/v1/uploads", json={"size_bytes": len(data), "name": name})
    assert upload.status_code == 201, upload.text
    return dict(upload.json())


async def test_an_upload_serves_jobs_for_a_day(shop: Shopfront) -> None:
    upload = await uploaded(shop, DESIGN)
    nobody = shop.connect()
    put = await nobody.put(upload["url"], content=DESIGN, headers=upload["headers"])
    assert (put.status_code, put.content) == (204, b"")
    assert (await nobody.put(upload["url"], content=DESIGN)).status_code == 409
    for colour in ("white", "navy"):
        job = await submit(shop, upload_id=upload["id"], fabric_color=colour)
        assert job.status_code == 202, job.text
        assert len(job.json()["designs"]) == 1
    stranger = await shop.visitor("other")
    taken = await stranger.post("/v1/jobs", json={**SMALL, "upload_id": upload["id"]})
    assert (taken.status_code, taken.json()["code"]) == (404, "not_found")


async def test_an_upload_that_no_job_took_is_swept_a_day_later(shop: Shopfront) -> None:
    upload = await uploaded(shop, DESIGN)
    assert (await shop.connect().put(upload["url"], content=DESIGN)).status_code == 204
    later = FakeClock(wall_s=time.time() + 23 * 3600)
    sweep = Sweep(sagas=shop.workshop.sagas, parts=shop.workshop.parts, clock=later)
    await sweep.run()
    assert len(list(shop.workshop.objects.list("t/"))) == 1
    later.jump(2 * 3600)
    await sweep.run()
    assert list(shop.workshop.objects.list("t/")) == []
    assert (await submit(shop, upload_id=upload["id"])).status_code == 404


async def test_an_upload_takes_exactly_what_was_announced(shop: Shopfront) -> None:
    upload = await uploaded(shop, DESIGN)
    nobody = shop.connect()
    assert (await nobody.put(upload["url"], content=DESIGN + b"x")).json()["code"] == "body_too_large"
    assert (await nobody.put(upload["url"], content=DESIGN[:-1])).json()["code"] == "invalid_request"
    other = await uploaded(shop, DESIGN)
    swapped = upload["url"].replace(upload["id"], other["id"])
    assert (await nobody.put(swapped, content=DESIGN)).status_code == 422
    assert (await nobody.put(upload["url"] + "x", content=DESIGN)).status_code == 401
    assert list(shop.workshop.objects.list("t/")) == []
    huge = await shop.client.post("/v1/uploads", json={"size_bytes": 10_000_001})
    assert (huge.status_code, huge.json()["code"]) == (413, "design_too_large")
    reader = await shop.visitor("default", Scope.JOBS_READ)
    assert (await reader.post("/v1/uploads", json={"size_bytes": 1})).status_code == 403


async def test_an_old_address_opens_nothing(shop: Shopfront, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await uploaded(shop, DESIGN)
    monkeypatch.setattr("serve_app.uploads.LASTING_S", -1)
    assert (await shop.connect().put(upload["url"], content=DESIGN)).status_code == 401


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "a/../..", "..", "pa sswd\x00.png", "C:\\x.png", "ü"])
async def test_a_hostile_name_stays_below_the_upload(shop: Shopfront, name: str) -> None:
    upload = await uploaded(shop, DESIGN, name=name)
    assert (await shop.connect().put(upload["url"], content=DESIGN)).status_code == 204
    [found] = list(shop.workshop.objects.list("t/"))
    assert re.fullmatch(rf"t/default/uploads/{upload['id']}/[A-Za-z0-9][A-Za-z0-9._-]*", found.key)


async def test_the_first_upload_that_is_not_there_is_told(shop: Shopfront) -> None:
    missing = [f"upl_0000000000000000000000000{number}" for number in range(3)]
    answer = await shop.client.post("/v1/jobs?dry_run=true", json={"upload_id": missing})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert missing[0] in answer.json()["detail"]
    gc.collect()  # what was begun for the others and never awaited would warn now
