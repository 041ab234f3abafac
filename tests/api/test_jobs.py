import asyncio
import json
from typing import Any

import httpx
import pytest

from farm.adapters.memory_heartbeat import MemoryProgressBoard
from farm.domain import keys
from farm.errors import BadPicture, StorageUnavailable
from farm.render.ports import ViewTask
from farm.render.sweep import Sweep
from farm.saga.clock import SystemClock
from serve_app.schemas import Job, Stats
from tests.api.conftest import Open, Shopfront
from tests.workshop import png

DESIGN = png((200, 16, 46, 255), 64)
SMALL = {"size": 64, "samples": 1}


def form(*designs: bytes, **request: Any) -> dict[str, Any]:
    """The arguments of a multipart submission."""
    files = [("design", (f"{number}.png", data, "image/png")) for number, data in enumerate(designs or (DESIGN,))]
    return {"files": files, "data": {"request": json.dumps({**SMALL, **request})}}


async def test_a_job_is_accepted_rendered_and_shown(shop: Shopfront) -> None:
    answer = await shop.client.post("/v1/jobs", **form(product_id="tee", fabric_color="navy"))
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == job["status_url"] == f"http://localhost/v1/jobs/{job['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    Job.model_validate(job)
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    done = (await shop.client.get(job["status_url"])).json()
    assert (done["status"], done["progress"]) == ("completed", 100)
    assert len(done["outputs"]) == 6
    for view in done["views"]:
        picture = await shop.client.get(view["url"])
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert (await shop.client.get(f"/v1/jobs/{job['id']}/outputs/manifest.json")).json()["outputs"]
    media = (await shop.client.get("/v1/products/tee/media")).json()
    assert [entry["url"] for entry in media["media"]] == [view["url"] for view in done["views"]]
    assert media["thumbnail"] == done["views"][0]["url"]
    history = (await shop.client.get("/v1/products/tee/jobs")).json()
    assert [entry["id"] for entry in history["jobs"]] == [job["id"]]


async def test_a_finished_view_is_shown_while_the_others_render(shop: Shopfront) -> None:
    gate = asyncio.Event()

    async def hold(task: ViewTask) -> None:
        if task.name != "front_0deg":
            await gate.wait()

    shop.workshop.painters.before = hold
    job = (await shop.client.post("/v1/jobs", **form(views=["front_0deg", "back_180deg"]))).json()
    async with shop.workshop.running():
        async with asyncio.timeout(20):
            while (front := (await shop.client.get(job["status_url"])).json()["views"][0])["status"] != "done":
                await asyncio.sleep(0.02)
        assert front["url"] == f"{job['status_url']}/views/front_0deg"
        picture = await shop.client.get(front["url"])
        assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
        assert (await shop.client.get(f"{job['status_url']}/views/back_180deg")).status_code == 404
        gate.set()
        await shop.workshop.ended(job["id"])
    assert (await shop.client.get(front["url"])).status_code == 404
    done = (await shop.client.get(job["status_url"])).json()
    assert done["views"][0]["url"] == f"{job['status_url']}/outputs/front_0deg.png"


async def test_the_path_of_the_origin_is_the_same_api(shop: Shopfront) -> None:
    answer = await shop.client.post("/admin/render-engine/jobs", **form())
    assert answer.json()["status_url"].startswith("http://localhost/admin/render-engine/jobs/job_")
    assert (await shop.client.get(answer.json()["status_url"])).json()["id"] == answer.json()["id"]


async def test_a_dry_run_says_what_would_be_and_changes_nothing(shop: Shopfront) -> None:
    answer = await shop.client.post("/v1/jobs?dry_run=true", **form(preset="chest-small"))
    assert answer.status_code == 200
    assert answer.json()["request"]["preset"] == "chest-small"
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["print_low_dpi"]
    assert (await shop.client.get("/v1/jobs")).json()["jobs"] == []
    assert list(shop.workshop.objects.list("t/")) == []


async def test_a_print_beside_the_cloth_is_refused_and_one_of_several_told(shop: Shopfront) -> None:
    beside = {"panel": "front", "x_cm": 60.0, "y_cm": 20.0, "width_cm": 20.0}
    for query in ("", "?dry_run=true"):
        answer = await shop.client.post(f"/v1/jobs{query}", **form(placements=[beside]))
        assert (answer.status_code, answer.json()["code"]) == (422, "print_off_cloth"), answer.text
        [fault] = answer.json()["errors"]
        assert fault["pointer"] == "/placements/0"
        assert "beside the front" in fault["reason"]
    shown = await shop.client.post("/v1/jobs?dry_run=true", **form(placements=[beside, {**beside, "x_cm": 0.0}]))
    told = {warning["code"]: warning["pointer"] for warning in shown.json()["warnings"]}
    assert (shown.status_code, told["print_off_panel"]) == (200, "/placements/0")
    assert (await shop.client.get("/v1/jobs")).json()["jobs"] == []


async def test_jobs_are_found_by_a_part_of_their_name(shop: Shopfront) -> None:
    jobs = [(await shop.client.post("/v1/jobs", **form(product_id=name))).json() for name in ("badge-1", "Badge-2")]
    for text, expected in (("badge", jobs), (jobs[0]["id"][6:], jobs[:1]), ("hoodie", [])):
        found = (await shop.client.get("/v1/jobs", params={"find": text})).json()
        assert {job["id"] for job in found["jobs"]} == {job["id"] for job in expected}
        assert found["cursor"] is None


async def test_the_design_of_a_job_is_there_to_be_used_again(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    design = await shop.client.get(f"/v1/jobs/{job['id']}/designs/0")
    assert (design.status_code, design.headers["content-type"], design.content[:4]) == (200, "image/png", b"\x89PNG")
    again = (await shop.client.post("/v1/jobs", **form(design.content))).json()
    assert again["designs"] == job["designs"]
    for number, status in ((1, 404), (8, 422)):
        assert (await shop.client.get(f"/v1/jobs/{job['id']}/designs/{number}")).status_code == status
    shop.workshop.objects.delete([keys.design("default", job["id"], 0)])
    gone = await shop.client.get(f"/v1/jobs/{job['id']}/designs/0")
    assert (gone.status_code, gone.json()["code"]) == (410, "design_gone")


async def test_a_view_that_begins_anew_takes_no_progress_back(shop: Shopfront) -> None:
    gate = asyncio.Event()

    async def hold(task: ViewTask) -> None:
        await gate.wait()

    shop.workshop.painters.before = hold
    job = (await shop.client.post("/v1/jobs", **form(views=["front_0deg"]))).json()
    async with shop.workshop.running():
        async with asyncio.timeout(20):
            while (await shop.client.get(job["status_url"])).json()["status"] != "rendering":
                await asyncio.sleep(0.02)
        board = shop.workshop.service.live
        assert isinstance(board, MemoryProgressBoard)
        told = []
        for share in (0.9, 0.2):
            await board.report(job["id"], "front_0deg", share)
            told.append((await shop.client.get(job["status_url"])).json())
        gate.set()
        await shop.workshop.ended(job["id"])
    assert told[0]["progress"] == told[1]["progress"] > 10
    assert [view["views"][0]["progress"] for view in told] == [0.9, 0.9]


async def test_an_address_that_there_is_not(shop: Shopfront) -> None:
    """A person is shown a page, a program a problem."""
    page = await shop.client.get("/prices", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in page.text
    for path, accept in (("/prices", "*/*"), ("/prices", "application/json"), ("/v1/prices", "text/html")):
        answer = await shop.client.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_clients_own_id_may_be_put_again(shop: Shopfront) -> None:
    first = await shop.client.put("/v1/jobs/order-8", **form())
    second = await shop.client.put("/v1/jobs/order-8", **form())
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    elsewhere = await (await shop.visitor("other")).put("/v1/jobs/order-8", **form())
    assert elsewhere.json()["id"] != first.json()["id"]


async def test_another_tenants_job_does_not_exist(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form(product_id="tee"))).json()
    stranger = await shop.visitor("other")
    for method, path in [
        ("GET", ""), ("GET", "/events"), ("GET", "/outputs/front_0deg.png"), ("POST", "/cancel"), ("POST", "/retry"),
        ("DELETE", ""),
    ]:  # fmt: skip
        answer = await stranger.request(method, f"/v1/jobs/{job['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert (await stranger.get("/v1/jobs")).json()["jobs"] == []
    assert (await stranger.get("/v1/products/tee/media")).status_code == 404
    assert (await shop.client.get(job["status_url"])).json()["status"] == "pending"


async def test_cancel_and_retry(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    cancelled = await shop.client.post(job["cancel_url"])
    assert (cancelled.status_code, cancelled.json()["cancel_requested"]) == (202, True)
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
        late = await shop.client.post(job["cancel_url"])
        assert (late.status_code, late.json()["code"]) == (409, "job_ended")
        gone = await shop.client.post(f"/v1/jobs/{job['id']}/retry")
        assert (gone.status_code, gone.json()["code"]) == (410, "design_gone")
        done = (await shop.client.post("/v1/jobs", **form())).json()
        await shop.workshop.ended(done["id"])
        key: dict[str, Any] = {"headers": {"Idempotency-Key": "again"}}
        first = await shop.client.post(f"/v1/jobs/{done['id']}/retry", json={"fabric_color": "black"}, **key)
        second = await shop.client.post(f"/v1/jobs/{done['id']}/retry", json={"fabric_color": "black"}, **key)
        assert first.status_code == second.status_code == 202
        assert first.json()["id"] == second.json()["id"] != done["id"]
        assert (first.json()["retried_from"], first.json()["retry_count"]) == (done["id"], 1)
        assert first.json()["request"]["fabric_color"] != done["request"]["fabric_color"]
        await shop.workshop.ended(first.json()["id"])


async def test_an_ended_job_can_be_deleted(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    early = await shop.client.delete(job["status_url"])
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    gone = await shop.client.delete(job["status_url"])
    assert (gone.status_code, gone.json()) == (202, {"id": job["id"], "status": "deleted"})
    assert (await shop.client.get(job["status_url"])).status_code == 404
    assert list(shop.workshop.objects.list("t/")) == []
    assert (await shop.workshop.audit()).clean


async def test_a_deletion_that_was_cut_short_is_finished_by_the_sweep(
    shop: Shopfront, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = (await shop.client.post("/v1/jobs", **form(product_id="tee"))).json()
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])

    def away(prefix: str) -> int:
        raise StorageUnavailable(reason="the drill")

    monkeypatch.setattr(shop.workshop.objects, "delete_prefix", away)
    assert (await shop.client.delete(job["status_url"])).status_code == 202
    assert (await shop.client.get(job["status_url"])).status_code == 404
    assert (await shop.client.get("/v1/jobs")).json()["jobs"] == []
    assert list(shop.workshop.objects.list("t/")) != []
    monkeypatch.undo()
    assert [finding.kind for finding in (await shop.workshop.audit()).findings] == ["deletion_pending"]
    await Sweep(sagas=shop.workshop.sagas, parts=shop.workshop.parts, clock=SystemClock()).run()
    assert list(shop.workshop.objects.list("t/")) == []
    assert await shop.workshop.sagas.records.get(job["id"]) is None
    assert (await shop.client.get("/v1/products/tee/media")).status_code == 404
    assert (await shop.workshop.audit()).clean


async def test_the_log_tells_what_happened_line_by_line(shop: Shopfront) -> None:
    async def break_once(task: ViewTask) -> None:
        if task.attempt == 1 and task.name == "back_180deg":
            raise BadPicture(view=task.name, reason="blank")

    shop.workshop.painters.before = break_once
    job = (await shop.client.post("/v1/jobs", **form(preset="chest-small"))).json()
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    log = await shop.client.get(f"{job['status_url']}/log")
    assert log.headers["content-type"].startswith("text/plain")
    lines = log.text.splitlines()
    assert lines == sorted(lines, key=lambda line: line[:24])
    for said in (
        "accepted",
        "print_low_dpi",
        "render_design  begins",
        "view back_180deg  done, 2 attempts",
        "completed",
    ):
        assert any(said in line for line in lines), said
    assert (await shop.client.get(f"{job['status_url']}/log?tail=1")).text == lines[-1] + "\n"


async def test_a_running_jobs_log_has_what_its_workers_wrote(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    key = keys.work("default", job["id"], "token") + "front_0deg.log"
    shop.workshop.objects.put(key, b"view front_0deg\n   0.100  report: fine\n", content_type="text/plain")
    assert "report: fine" in (await shop.client.get(f"{job['status_url']}/log")).text


async def test_statistics_count_and_time_the_tenants_jobs(shop: Shopfront) -> None:
    done = (await shop.client.post("/v1/jobs", **form())).json()
    await (await shop.visitor("other")).post("/v1/jobs", **form())
    async with shop.workshop.running():
        await shop.workshop.ended(done["id"])
    stats = (await shop.client.get("/v1/stats")).json()
    Stats.model_validate(stats)
    assert (stats["jobs"]["completed"], stats["sample"], stats["per_hour"]["completed"]) == (1, 1, 60.0)
    assert 0 <= stats["seconds"]["working"]["p50"] <= stats["seconds"]["working"]["p99"] < 60


async def test_jobs_after_a_moment(shop: Shopfront) -> None:
    old = (await shop.client.post("/v1/jobs", **form())).json()
    await asyncio.sleep(0.01)
    new = (await shop.client.post("/v1/jobs", **form())).json()
    found = (await shop.client.get("/v1/jobs", params={"created_after": old["created_at"]})).json()["jobs"]
    assert new["id"] in [job["id"] for job in found]
    late = await shop.client.get("/v1/jobs", params={"created_after": "2999-01-01T00:00:00Z"})
    assert late.json()["jobs"] == []
    assert (await shop.client.get("/v1/jobs", params={"created_after": "yesterday"})).status_code == 422


async def test_an_unchanged_job_is_not_sent_again(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    first = await shop.client.get(job["status_url"])
    same = await shop.client.get(job["status_url"], headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    await shop.client.post(job["cancel_url"])
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    assert (
        await shop.client.get(job["status_url"], headers={"If-None-Match": first.headers["ETag"]})
    ).status_code == 200


async def test_the_list_is_paged_while_jobs_arrive(shop: Shopfront) -> None:
    ids = [(await shop.client.post("/v1/jobs", **form())).json()["id"] for _ in range(5)]
    page = (await shop.client.get("/v1/jobs?limit=2")).json()
    await shop.client.post("/v1/jobs", **form())
    seen = [job["id"] for job in page["jobs"]]
    while page["cursor"]:
        page = (await shop.client.get("/v1/jobs", params={"limit": 2, "cursor": page["cursor"]})).json()
        seen += [job["id"] for job in page["jobs"]]
    assert seen == ids[::-1]


async def test_a_full_queue_refuses_before_anything_is_stored(opened: Open) -> None:
    shop = await opened(queue_max=1)
    await shop.client.post("/v1/jobs", **form())
    full = await shop.client.post("/v1/jobs", **form())
    assert (full.status_code, full.json()["code"], full.json()["retryable"]) == (503, "queue_full", True)
    assert int(full.headers["Retry-After"]) > 0
    shop = await opened(tenant_queue_max=1)
    assert (await shop.client.post("/v1/jobs", **form())).status_code == 429
    assert (await (await shop.visitor("other")).post("/v1/jobs", **form())).status_code == 202


async def test_ranges_of_an_output(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form(views=["front_0deg"]))).json()
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    url = f"{job['status_url']}/outputs/front_0deg.png"
    whole = await shop.client.get(url)

    async def part(wanted: str) -> httpx.Response:
        return await shop.client.get(url, headers={"Range": wanted})

    first = await part("bytes=0-9")
    assert (first.status_code, first.content) == (206, whole.content[:10])
    assert first.headers["Content-Range"] == f"bytes 0-9/{len(whole.content)}"
    assert (await part("bytes=-5")).content == whole.content[-5:]
    assert (await part(f"bytes={len(whole.content) - 3}-")).content == whole.content[-3:]
    beyond = await part(f"bytes={len(whole.content)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.content)}")
    assert beyond.headers["content-type"] == "application/problem+json"
    assert (await shop.client.get(url, headers={"If-None-Match": whole.headers["ETag"]})).status_code == 304
    assert (await shop.client.get(f"{job['status_url']}/outputs/../manifest.json")).status_code == 404
