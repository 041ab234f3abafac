import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from farm.domain.access import Scope
from serve_app.sessions import COOKIE
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import form
from tests.picture_designs import hostile

OPEN = {"/healthz", "/readyz", "/session", "/v1/pictures/{tenant}/{design_id}/{view}"}
"""What answers without a key: probes, the way in, and what its address was signed for."""


async def operations(shop: Shopfront) -> list[tuple[str, str]]:
    document = (await shop.connect().get("/openapi.json")).json()
    filled = {"{name}": "x.png", "{product_id}": "tee"}
    filled |= {f"{{{kind}_id}}": f"{kind[:3]}_01kawr3v00000000000000000a" for kind in ("job", "run", "upload")}
    filled["{upload_id}"] = "upl_01kawr3v00000000000000000a"
    found = []
    for path, methods in document["paths"].items():
        if path in OPEN:
            continue
        for name, value in filled.items():
            path = path.replace(name, value)
        found += [(method.upper(), path) for method in methods]
    return found


async def test_no_operation_answers_without_a_key(shop: Shopfront) -> None:
    stranger = shop.connect()
    wrong = shop.connect(headers={"Authorization": "Bearer farm_000000000000_" + "A" * 43})
    for client in (stranger, wrong):
        for method, path in await operations(shop):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised"), (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await stranger.get("/readyz")).json()["checks"] == {"store": "ok", "storage": "ok", "templates": "ok"}


async def test_a_key_opens_what_its_scopes_say(shop: Shopfront) -> None:
    reader = await shop.visitor("default", Scope.JOBS_READ)
    assert (await reader.get("/v1/jobs")).status_code == 200
    refused = await reader.post("/v1/jobs", **form())
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    catalog = await shop.visitor("default", Scope.CATALOG)
    assert (await catalog.get("/v1/jobs")).status_code == 403


async def test_a_revoked_key_and_its_sessions_are_shut_at_once(shop: Shopfront) -> None:
    key, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_READ], name="")
    client = shop.connect(headers={"Authorization": f"Bearer {token}"})
    browser = shop.connect()
    assert (await browser.post("/session", json={"key": token})).status_code == 200
    assert (await client.get("/v1/jobs")).status_code == (await browser.get("/v1/jobs")).status_code == 200
    await shop.keys.revoke(key.id)
    assert (await client.get("/v1/jobs")).status_code == (await browser.get("/v1/jobs")).status_code == 401


async def test_a_key_may_ask_for_no_more_than_its_priority(shop: Shopfront) -> None:
    plain = await shop.visitor()
    _, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_WRITE], name="", max_priority=5)
    favoured = shop.connect(headers={"Authorization": f"Bearer {token}"})
    for client, asked, status in ((plain, 0, 202), (plain, 1, 403), (favoured, 5, 202), (favoured, 6, 403)):
        answer = await client.post("/v1/jobs", **form(priority=asked))
        assert answer.status_code == status, (asked, answer.text)
        if status == 403:
            assert answer.json()["code"] == "priority_too_high"
            assert not answer.json()["retryable"]
            same = await client.put("/v1/jobs/job_01kawr3v00000000000000000a", **form(priority=asked))
            assert same.json()["code"] == "priority_too_high"
    assert len((await shop.client.get("/v1/jobs")).json()["jobs"]) == 2, "what was refused left nothing"


async def test_a_retry_of_a_more_urgent_job_takes_the_keys_own_ceiling(shop: Shopfront) -> None:
    urgent = (await shop.client.post("/v1/jobs", **form(priority=90))).json()
    async with shop.workshop.running():
        await shop.workshop.ended(urgent["id"])
    plain = await shop.visitor()
    refused = await plain.post(f"/v1/jobs/{urgent['id']}/retry", json={"priority": 90})
    assert (refused.status_code, refused.json()["code"]) == (403, "priority_too_high")
    again = (await plain.post(f"/v1/jobs/{urgent['id']}/retry")).json()
    assert again["priority"] == 0


async def test_keys_of_before_there_were_ceilings_keep_what_they_had(shop: Shopfront) -> None:
    key, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_WRITE], name="old")
    kept = {name: value for name, value in key.to_dict().items() if name != "max_priority"}
    await shop.keys._client.hset("farm:keys", key.id, json.dumps(kept))
    client = shop.connect(headers={"Authorization": f"Bearer {token}"})
    assert (await client.post("/v1/jobs", **form(priority=100))).status_code == 202


async def test_a_browser_logs_in_writes_with_its_token_and_logs_out(shop: Shopfront) -> None:
    _, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_WRITE], name="")
    browser = shop.connect()
    opened = await browser.post("/session", json={"key": token})
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert token not in cookie
    csrf = opened.json()["csrf"]
    assert (await browser.get("/session")).json()["csrf"] == csrf
    forged = await browser.post("/v1/jobs", **form())
    assert (forged.status_code, forged.json()["code"]) == (403, "forbidden")
    own = await browser.post("/v1/jobs", **form(), headers={"X-CSRF-Token": csrf})
    assert own.status_code == 202
    await browser.delete("/session")
    assert (await browser.get("/v1/jobs")).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "WyJhIiwiYiJd.aaaa.bbbb"])
async def test_a_forged_session_opens_nothing(shop: Shopfront, cookie: str) -> None:
    browser = shop.connect(cookies={COOKIE: cookie})
    assert (await browser.get("/v1/jobs")).status_code == 401
    assert (await browser.get("/session")).status_code == 401


async def test_a_wrong_key_opens_no_session(shop: Shopfront) -> None:
    answer = await shop.connect().post("/session", json={"key": "farm_0_0"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
    assert "set-cookie" not in answer.headers


async def test_a_key_has_so_many_requests_a_minute(opened: Open) -> None:
    shop = await opened(requests_per_minute=3)
    answers = [await shop.client.get("/v1/jobs") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers[:3]] == ["2", "1", "0"]
    assert (answers[3].json()["code"], answers[3].json()["retryable"]) == ("too_many_requests", True)
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert (await (await shop.visitor()).get("/v1/jobs")).status_code == 200


async def test_a_host_that_is_not_ours_is_not_answered(opened: Open) -> None:
    shop = await opened()
    rebound = await shop.client.get("/v1/jobs", headers={"Host": "evil.example"})
    assert rebound.status_code == 421
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        assert (await shop.client.get("/v1/jobs", headers={"Host": host})).status_code == 200
    named = await opened(http_hosts="farm.example, other.example")
    assert (await named.client.get("/v1/jobs", headers={"Host": "Farm.Example:443"})).status_code == 200
    assert (await named.client.get("/v1/jobs", headers={"Host": "localhost"})).status_code == 421


async def test_every_answer_has_the_security_headers(shop: Shopfront) -> None:
    for answer in (await shop.connect().get("/healthz"), await shop.client.get("/nowhere")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_token_stands_in_no_answer_and_in_no_list(shop: Shopfront) -> None:
    key, token = await shop.keys.create(tenant="default", scopes=[Scope.JOBS_WRITE], name="mine")
    client = shop.connect(headers={"Authorization": f"Bearer {token}"})
    texts = [(await client.get(path)).text for path in ("/v1/jobs", "/v1/stats", "/v1/templates", "/v1/jobs/x")]
    kept = json.dumps([found.to_dict() for found in await shop.keys.list()])
    assert token.rpartition("_")[2] not in kept + "".join(texts)
    assert key.id in kept


def _problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["code"]
    assert body["hint"]
    return body


async def test_every_refusal_is_a_problem(shop: Shopfront) -> None:
    client = shop.client
    assert _problem(await client.get("/nowhere"))["code"] == "not_found"
    assert _problem(await client.put("/v1/jobs"))["code"] == "method_not_allowed"
    assert _problem(await client.post("/v1/jobs", content=b"x"))["code"] == "unsupported_media_type"
    assert _problem(await client.get("/v1/jobs?limit=0"))["errors"][0]["pointer"] == "/query/limit"
    assert _problem(await client.get("/v1/jobs/job_x"))["status"] == 422
    assert _problem(await client.get("/v1/jobs?cursor=nonsense"))["code"] == "invalid_request"
    assert _problem(await client.post("/v1/jobs", **form(size=63)))["errors"][0]["pointer"] == "/size"
    assert _problem(await client.post("/v1/jobs", **form(b"no picture")))["status"] == 415
    assert _problem(await client.post("/v1/jobs", **form(template="nothing")))["status"] == 404
    no_json = await client.post("/v1/jobs", files=[("design", b"x")], data={"request": "{'a'"})
    assert _problem(no_json)["errors"][0]["pointer"] == "/request"
    nan = await client.post("/v1/jobs", files=[("design", b"x")], data={"request": '{"size": NaN}'})
    assert _problem(nan)["status"] == 422
    deep = await client.post("/v1/jobs", files=[("design", b"x")], data={"request": "[" * 100_000})
    assert _problem(deep)["status"] == 422
    unknown = await client.post("/v1/jobs", files=[("design", b"x"), ("other", b"y")])
    assert _problem(unknown)["errors"][0]["pointer"] == "/other"
    huge = await client.post("/v1/jobs", content=b"x" * 33_000_000, headers={"Content-Type": "multipart/form-data"})
    assert _problem(huge)["code"] == "body_too_large"

    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="design"; filename="a.png"\r\n\r\n'
        while True:
            yield b"x" * 1_000_000

    form_type = {"Content-Type": "multipart/form-data; boundary=x"}
    assert _problem(await client.post("/v1/jobs", content=endless(), headers=form_type))["code"] == "body_too_large"
    assert _problem(await client.post("/v1/jobs", **form(b"x" * 10_000_001)))["code"] == "design_too_large"
    assert (await client.get("/v1/jobs")).json()["jobs"] == []


async def test_every_hostile_file_is_refused_by_its_code_and_leaves_nothing(shop: Shopfront) -> None:
    for name, (make, code) in hostile.REFUSED.items():
        answer = await shop.client.post("/v1/jobs", **form(make()))
        assert (_problem(answer)["code"], answer.status_code in (413, 415, 422)) == (code, True), name
    assert list(shop.workshop.objects.list("t/")) == []
    assert (await shop.client.get("/v1/jobs")).json()["jobs"] == []
