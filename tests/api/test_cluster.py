"""The operator's view: who may see it, what is in it, and the hand that finishes undoing."""

import asyncio
import io
import shutil
import subprocess
from typing import Any

import pytest
import redis.asyncio
from PIL import Image

from farm.adapters.redis_board import RedisBoard
from farm.domain.access import Scope
from farm.errors import BlenderCrashed, StorageUnavailable
from farm.render.cluster import machines_of
from farm.render.overview import is_stuck, recent
from farm.render.ports import ViewTask
from tests.api.conftest import Open, Shopfront

GPU = {
    "NodeID": "gpu-1",
    "Alive": True,
    "NodeManagerAddress": "10.0.0.7",
    "NodeManagerHostname": "ip-10-0-0-7",
    "Resources": {"CPU": 4.0, "GPU": 1.0, "memory": 16e9, "accelerator_type:L4": 1.0},
}


def design() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 320), "#d01020").save(out, "PNG")
    return out.getvalue()


async def submitted(shop: Shopfront, **request: Any) -> dict[str, Any]:
    import json

    answer = await shop.client.post(
        "/v1/jobs", files={"design": ("d.png", design(), "image/png")}, data={"request": json.dumps(request)}
    )
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_only_an_operator_sees_the_cluster(shop: Shopfront) -> None:
    visitor = await shop.visitor()
    assert (await visitor.get("/v1/cluster")).status_code == 403
    assert (await visitor.post("/v1/jobs/job_01kawr3v00000000000000000a/compensate")).status_code == 403
    seen = await shop.client.get("/v1/cluster")
    assert seen.status_code == 200
    assert seen.json()["seen"] is False


async def test_metrics_are_text_that_prometheus_reads(shop: Shopfront) -> None:
    for _ in range(2):
        await submitted(shop, priority=3)
    visitor = await shop.visitor()
    assert (await visitor.get("/metrics")).status_code == 403
    answer = await shop.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'farm_jobs{status="pending"} 2.0' in lines
    assert 'farm_jobs_queued{priority="3"} 2.0' in lines
    assert "farm_store_up 1.0" in lines
    assert "# TYPE farm_jobs gauge" in lines
    promtool = shutil.which("promtool")
    if promtool is not None:
        await asyncio.to_thread(
            subprocess.run, [promtool, "check", "metrics"], input=answer.text, text=True, check=True
        )


async def test_nodes_with_what_they_render_and_its_last_picture(opened: Open, store_url: str) -> None:
    shop = await opened()
    second = asyncio.Event()

    async def hold_the_second(task: ViewTask) -> None:
        if task.view == "back_180deg":
            await second.wait()

    shop.workshop.painters.before = hold_the_second
    async with shop.workshop.running(), redis.asyncio.Redis.from_url(store_url) as client:
        job = await submitted(shop, product_id="tee", views=["front_0deg", "back_180deg"])
        until_s = asyncio.get_running_loop().time() + 20
        while asyncio.get_running_loop().time() < until_s:
            record = (await shop.client.get(f"/v1/jobs/{job['id']}")).json()
            if any(view["status"] == "done" for view in record["views"]):
                break
            await asyncio.sleep(0.02)
        view = {"job_id": job["id"], "name": "back_180deg", "phase": "rendering", "fraction": 0.4, "node": "gpu-1"}
        told = {"slots": 1, "waiting": 3, "avoided": [], "nodes": machines_of([GPU], {"gpu-1": 1})}
        await RedisBoard(client).post("coordinator-0", {**told, "running": [view], "jobs": 1, "concurrency": 2})
        for _ in range(2):
            waiting = await submitted(shop, priority=9)
            await shop.client.post(f"/v1/jobs/{waiting['id']}/cancel")
        seen = (await shop.client.get("/v1/cluster")).json()
        (node,) = seen["nodes"]
        assert (node["host"], node["gpu_type"], node["slots"]) == ("ip-10-0-0-7", "L4", 1)
        (running,) = node["views"]
        assert (running["product_id"], running["view"], running["fraction"]) == ("tee", "back_180deg", 0.4)
        picture = await shop.client.get(running["picture_url"])
        assert picture.headers["content-type"] == "image/png"
        other = await shop.visitor("another", Scope.ADMIN, Scope.JOBS_READ)
        (foreign,) = (await other.get("/v1/cluster")).json()["nodes"][0]["views"]
        assert foreign["picture_url"] is None, "a picture is its tenant's"
        second.set()
        await shop.workshop.ended(job["id"])


async def test_what_could_not_be_undone_is_listed_and_finished(
    shop: Shopfront, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(task: ViewTask) -> None:
        raise BlenderCrashed(view=task.view, reason="drill")

    def away(prefix: str) -> int:
        raise StorageUnavailable(reason="drill")

    shop.workshop.painters.before = crash
    job = await submitted(shop)
    with monkeypatch.context() as broken:
        async with shop.workshop.running():
            async with asyncio.timeout(30):
                while not any(one[0] == job["id"] for one in shop.workshop.painters.painted):
                    await asyncio.sleep(0.01)
            broken.setattr(type(shop.workshop.objects), "delete_prefix", lambda _, prefix: away(prefix))
            record = await shop.workshop.ended(job["id"])
    assert record["compensation_pending"]
    (trouble,) = (await shop.client.get("/v1/cluster")).json()["troubled"]
    assert (trouble["id"], trouble["kind"]) == (job["id"], "compensation_pending")
    for _ in range(2):  # asked twice it is done once
        asked = await shop.client.post(f"/v1/jobs/{job['id']}/compensate")
        assert asked.status_code == 202, asked.text
        assert asked.json()["compensation_pending"] is True, "nobody has taken it up yet"
    async with shop.workshop.running(concurrency=0), asyncio.timeout(30):
        while (await shop.client.get(f"/v1/jobs/{job['id']}")).json()["compensation_pending"]:
            await asyncio.sleep(0.02)
        undone = await shop.workshop.ended(job["id"])
    assert (undone["status"], undone["error"]["code"]) == ("failed", record["error"]["code"])
    assert (await shop.workshop.audit()).findings == []
    assert (await shop.client.post(f"/v1/jobs/{job['id']}/compensate")).status_code == 409
    await asyncio.sleep(1.6)
    assert (await shop.client.get("/v1/cluster")).json()["troubled"] == []


def record(status: str, created: str, finished: str | None, **more: Any) -> dict[str, Any]:
    return {"status": status, "created_at": created, "finished_at": finished, "updated_at": finished or created, **more}


def test_the_last_hour_in_figures() -> None:
    now_s = 1_780_000_000.0  # 2026-05-28T20:26:40Z
    jobs = [
        record("completed", "2026-05-28T20:00:00Z", "2026-05-28T20:00:10Z"),
        record("completed", "2026-05-28T20:00:00Z", "2026-05-28T20:00:30Z"),
        record("completed", "2026-05-28T20:00:00Z", "2026-05-28T20:01:00Z"),
        record("failed", "2026-05-28T20:00:00Z", "2026-05-28T20:01:00Z"),
        record("cancelled", "2026-05-28T20:00:00Z", "2026-05-28T20:01:00Z"),
        record("completed", "2026-05-28T18:00:00Z", "2026-05-28T19:00:00Z"),
        record("rendering", "2026-05-28T20:00:00Z", None),
    ]
    found = recent(jobs, now_s)
    assert (found["ended"], found["completed"], found["failed"], found["cancelled"]) == (5, 3, 1, 1)
    assert found["failure_rate"] == 0.25
    assert found["seconds"] == {"p50": 30.0, "p90": 60.0, "p99": 60.0}
    assert recent([], now_s)["failure_rate"] is None


def test_a_job_is_stuck_when_it_has_begun_and_not_moved() -> None:
    now_s = 1_780_000_000.0
    began = {"started_at": "2026-05-28T20:00:00Z"}
    assert is_stuck(record("rendering", "2026-05-28T20:00:00Z", None, **began), now_s)
    assert not is_stuck(record("rendering", "2026-05-28T20:26:00Z", None, **began), now_s)
    assert not is_stuck(record("pending", "2026-05-28T10:00:00Z", None, started_at=None), now_s), "it waits its turn"
    assert is_stuck(record("pending", "2026-05-28T20:26:00Z", None, started_at=None, trouble="KeyError"), now_s)
