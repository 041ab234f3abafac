"""Catalogue runs over HTTP: plan, start, pause, resume, cancel, retry, report; designs come from a real server."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow.parquet
import pytest

from farm.domain.access import Scope
from serve_app.schemas import RunJson
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import DESIGN
from tests.design_server import design_server

DEFAULTS = {"engine": "relight", "size": 64, "views": ["front_0deg"]}


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with design_server() as address:
        yield address


@pytest.fixture
async def listed(opened: Open) -> Shopfront:
    """A farm that may fetch from loopback."""
    return await opened(fetch_hosts="127.0.0.1", catalog_batch_rows=2)


def manifest(*designs: str, name: str = "spring.csv", **request: Any) -> dict[str, Any]:
    lines = "".join(f"{design},tee-{number}\n" for number, design in enumerate(designs, 1))
    body = {"defaults": DEFAULTS, **request}
    return {
        "files": {"manifest": (name, f"design,product_id\n{lines}".encode())},
        "data": {"request": json.dumps(body)},
    }


async def done(shop: Shopfront, run: dict[str, Any], client: httpx.AsyncClient | None = None) -> dict[str, Any]:
    async with shop.place.running():
        await shop.place.ended(run["id"])
    return dict((await (client or shop.client).get(run["status_url"])).json())


async def test_a_manifest_is_planned_run_and_reported(listed: Shopfront, web: str) -> None:
    sent = manifest(f"{web}/a.png", f"{web}/gone.png", "beside.png", "s3://bucket/x.png", f"{web}/b.png")
    plan = await listed.client.post("/v1/catalog-runs?dry_run=true", **sent)
    assert plan.status_code == 200, plan.text
    assert (plan.json()["rows"], plan.json()["bad"], plan.json()["to_render"]) == (5, 2, 3)
    assert [fault["row"] for fault in plan.json()["faults"]] == [3, 4]
    assert (await listed.client.get("/v1/catalog-runs")).json()["runs"] == []

    started = await listed.client.post("/v1/catalog-runs", **sent)
    assert started.status_code == 202, started.text
    run = started.json()
    RunJson.model_validate(run)
    assert (run["name"], run["manifest"], run["rows"]) == ("spring", "spring.csv", 5)
    assert started.headers["Location"] == run["status_url"]
    ended = await done(listed, run)
    assert (ended["status"], ended["progress"], ended["counts"]["failed"]) == ("completed", 100, 3)

    report = await listed.client.get(f"{run['report_url']}?format=parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(report.content))
    assert table.column("status").to_pylist() == ["completed", "failed", "failed", "failed", "completed"]
    assert f"{run['id']}.parquet" in report.headers["Content-Disposition"]
    text = (await listed.client.get(f"{run['report_url']}?format=csv")).text
    assert [row["product_id"] for row in csv.DictReader(io.StringIO(text))] == [f"tee-{n}" for n in range(1, 6)]
    lines = (await listed.client.get(f"{run['report_url']}?format=jsonl")).text.splitlines()
    assert json.loads(lines[1])["code"] == "design_not_found"
    page = (await listed.client.get(f"{run['report_url']}?only=failed&limit=2&after=2")).json()
    assert [row["row"] for row in page["rows"]] == [3, 4]
    assert page["rows"][0]["hint"]
    assert (await listed.place.audit()).clean


async def test_a_manifest_comes_from_its_address_or_from_an_upload(listed: Shopfront, web: str) -> None:
    by_url = await listed.client.post(
        "/v1/catalog-runs", json={"manifest_url": f"{web}/catalog.csv", "defaults": DEFAULTS, "name": "by url"}
    )
    assert by_url.status_code == 202, by_url.text
    ended = await done(listed, by_url.json())
    assert (ended["counts"]["completed"], ended["name"]) == (2, "by url")

    data = json.dumps({"design": f"{web}/z.png", "product_id": "up-1"}).encode()
    asked = {"name": "up load.jsonl", "size_bytes": len(data)}
    upload = (await listed.client.post("/v1/uploads", json=asked)).json()
    assert (await listed.connect().put(upload["url"], content=data)).status_code == 204
    body = {"upload_id": upload["id"], "defaults": DEFAULTS}
    by_upload = await listed.client.post("/v1/catalog-runs", json=body)
    assert by_upload.status_code == 202, by_upload.text
    assert by_upload.json()["manifest"] == "up-load.jsonl"
    assert (await done(listed, by_upload.json()))["counts"]["completed"] == 1


async def test_a_manifest_names_designs_that_its_tenant_keeps(listed: Shopfront) -> None:
    kept = await listed.client.post("/v1/designs", content=DESIGN, headers={"Content-Type": "image/png"})
    name, unknown = kept.json()["id"], "dsn_" + "0" * 26
    started = await listed.client.post("/v1/catalog-runs", **manifest(name, unknown))
    assert started.status_code == 202, started.text
    ended = await done(listed, started.json())
    assert (ended["counts"]["completed"], ended["counts"]["failed"]) == (1, 1)
    page = (await listed.client.get(f"{ended['report_url']}?only=failed")).json()
    assert [(row["row"], row["code"]) for row in page["rows"]] == [(2, "design_unknown")]
    stranger = await listed.visitor("other", Scope.CATALOG)
    for cell, code in ((name, "design_unknown"), (f"kept://default/{name}", "invalid_request")):
        foreign = (await stranger.post("/v1/catalog-runs", **manifest(cell))).json()
        failed = await done(listed, foreign, stranger)
        page = (await stranger.get(f"{failed['report_url']}?only=failed")).json()
        assert [row["code"] for row in page["rows"]] == [code], "another tenant's is none, however it is written"


async def test_pause_resume_cancel_and_retry(listed: Shopfront, web: str) -> None:
    gate = asyncio.Event()

    async def wait(row: Any) -> None:
        await gate.wait()

    listed.place.painters.before = wait
    run = (
        await listed.client.post("/v1/catalog-runs", **manifest(*(f"{web}/{n}.png" for n in range(8)), window=2))
    ).json()
    paused = await listed.client.post(run["pause_url"])
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert (await listed.client.post(run["resume_url"])).json()["status"] == "running"
    early = await listed.client.post(run["retry_url"])
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    cancelled = await listed.client.post(run["cancel_url"])
    assert (cancelled.status_code, cancelled.json()["cancel_requested"]) == (202, True)
    gate.set()
    ended = await done(listed, run)
    assert ended["status"] == "cancelled"
    assert (await listed.client.post(run["cancel_url"])).status_code == 409
    assert (await listed.client.post(f"{run['retry_url']}?only=everything")).status_code == 422
    none_failed = await listed.client.post(f"{run['retry_url']}?only=failed")
    assert none_failed.status_code == 422
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "again"}}
    again = await listed.client.post(run["retry_url"], **key)
    assert (again.status_code, again.json()["retry_of"]) == (202, run["id"])
    assert (await listed.client.post(run["retry_url"], **key)).content == again.content
    assert (await done(listed, again.json()))["counts"]["completed"] > 0
    listing = (await listed.client.get("/v1/catalog-runs?limit=1")).json()
    assert [one["id"] for one in listing["runs"]] == [again.json()["id"]]
    older = (await listed.client.get("/v1/catalog-runs", params={"cursor": listing["cursor"]})).json()
    assert [one["id"] for one in older["runs"]] == [run["id"]]


async def test_the_same_key_starts_one_run(listed: Shopfront, web: str) -> None:
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "spring"}}
    first = await listed.client.post("/v1/catalog-runs", **manifest(f"{web}/a.png"), **key)
    second = await listed.client.post("/v1/catalog-runs", **manifest(f"{web}/a.png"), **key)
    other = await listed.client.post("/v1/catalog-runs", **manifest(f"{web}/b.png"), **key)
    assert first.content == second.content
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len((await listed.client.get("/v1/catalog-runs")).json()["runs"]) == 1


async def test_another_tenants_run_does_not_exist_and_other_scopes_open_none(listed: Shopfront, web: str) -> None:
    run = (await listed.client.post("/v1/catalog-runs", **manifest(f"{web}/a.png"))).json()
    stranger = await listed.visitor("other", Scope.CATALOG)
    for method, path in [
        ("GET", ""),
        ("GET", "/report"),
        *(("POST", f"/{name}") for name in ("pause", "resume", "cancel", "retry")),
    ]:
        answer = await stranger.request(method, run["status_url"] + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert (await stranger.get("/v1/catalog-runs")).json()["runs"] == []
    jobs_only = await listed.visitor()
    assert (await jobs_only.get("/v1/catalog-runs")).status_code == 403
    assert (await jobs_only.post("/v1/catalog-runs", **manifest(f"{web}/a.png"))).status_code == 403


async def test_what_is_no_manifest_is_refused_in_words(listed: Shopfront, web: str) -> None:
    async def refused(**sent: Any) -> tuple[int, str]:
        answer = await listed.client.post("/v1/catalog-runs", **sent)
        return answer.status_code, answer.json()["code"]

    nothing = {"files": {"manifest": ("empty.csv", b"design\n")}}
    assert await refused(**nothing) == (422, "invalid_request")
    assert await refused(files={"manifest": ("x.csv", b"product_id\ntee\n")}) == (422, "manifest_broken")
    assert await refused(files={"manifest": ("x.exe", b"MZ")}) == (422, "manifest_broken")
    assert await refused(**manifest("https://x.example/a.png", colour="red")) == (422, "invalid_request")
    assert await refused(**manifest("https://x.example/a.png", defaults={"colour": "red"})) == (422, "invalid_request")
    assert await refused(**manifest("https://x.example/a.png", name="x.csv", window=0)) == (422, "invalid_request")
    assert await refused(json={}) == (422, "invalid_request")
    assert await refused(json={"manifest_url": "s3://bucket/a.csv"}) == (422, "invalid_request")
    assert await refused(json={"manifest_url": "https://["}) == (422, "invalid_request")
    assert await refused(json={"manifest_url": "file:///etc/passwd"}) == (422, "invalid_request")
    assert await refused(json={"manifest_url": "https://10.0.0.1/a.csv"}) == (422, "fetch_refused")
    assert await refused(json={"upload_id": "upl_" + "0" * 26}) == (404, "not_found")
    assert await refused(content=b"x") == (415, "unsupported_media_type")
    assert (await listed.client.get("/v1/catalog-runs")).json()["runs"] == []


async def test_a_shops_own_columns_are_mapped_and_how_it_was_read_is_told(listed: Shopfront, web: str) -> None:
    text = f"Artikel;Motiv;Größe\n7.0;{web}/a.png;64\n".encode("cp1252")
    sent: dict[str, Any] = {"files": {"manifest": ("spring.csv", text)}}
    unmapped = await listed.client.post("/v1/catalog-runs", **sent)
    assert (unmapped.status_code, unmapped.json()["code"]) == (422, "manifest_broken")
    assert "(in the API: columns)" in unmapped.json()["detail"]
    columns = {"design": "Motiv", "product_id": "Artikel", "size": "Größe"}
    body: dict[str, Any] = {"data": {"request": json.dumps({"columns": columns, "defaults": {"engine": "relight"}})}}
    plan = (await listed.client.post("/v1/catalog-runs?dry_run=true", **sent, **body)).json()
    assert ((plan["rows"], plan["bad"]), [note["code"] for note in plan["notes"]]) == ((1, 0), ["read_as"])
    run = (await listed.client.post("/v1/catalog-runs", **sent, **body)).json()
    assert [note["code"] for note in run["notes"]] == ["read_as"]
    assert (await done(listed, run))["notes"] == run["notes"]
    [row] = (await listed.client.get(run["report_url"])).json()["rows"]
    assert (row["status"], row["product_id"]) == ("completed", "7")
    for wrong in ({"colour": "x"}, {"design": ""}, {"design": "x" * 300}, {"design": 7}, ["design"]):
        answer = await listed.client.post("/v1/catalog-runs", **sent, data={"request": json.dumps({"columns": wrong})})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), wrong
