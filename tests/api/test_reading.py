"""What every reader may do: probe, look at the head alone, ask only for what changed, or for a part."""

import re
from pathlib import Path
from typing import Any

import httpx

from serve_app.pages import PAGES
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import form

MANY = "9" * 5000
DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"


async def done(shop: Shopfront) -> str:
    """The path of a job that has its pictures."""
    job = (await shop.client.post("/v1/jobs", **form(product_id="tee"))).json()
    async with shop.workshop.running():
        await shop.workshop.ended(job["id"])
    return f"/v1/jobs/{job['id']}"


async def test_probes_are_answered_whatever_they_call_the_service(opened: Open) -> None:
    shop = await opened(http_hosts="farm.example")
    health = re.search(r'"(http://[^"/]+)(/readyz)"', DOCKERFILE.read_text("utf-8"))
    assert health is not None
    for host in ("10.2.3.4:8000", httpx.URL(health[1]).netloc.decode(), "[fe80::1]:8000"):
        for path in ("/healthz", health[2]):
            assert (await shop.client.get(path, headers={"Host": host})).status_code == 200
            assert (await shop.client.head(path, headers={"Host": host})).status_code == 200
        # Prometheus asks by address too; it needs the key all the same.
        assert (await shop.client.get("/metrics", headers={"Host": host})).status_code == 200
        assert (await shop.connect().get("/metrics", headers={"Host": host})).status_code == 401
        refused = await shop.client.get("/v1/stats", headers={"Host": host})
        assert (refused.status_code, refused.json()["status"], refused.json()["code"]) == (421, 421, "host_not_served")


async def test_a_host_that_is_none_is_refused_where_every_name_is_answered(opened: Open) -> None:
    shop = await opened(http_hosts="*")
    job = await done(shop)
    for host in ("[::1", "a:b:c", "x@y", "a b", ""):
        assert (await shop.client.get(job, headers={"Host": host})).status_code == 421, host
    assert (await shop.client.get(job, headers={"Host": "anything.example:8000"})).status_code == 200


async def test_head_is_the_head_of_get(shop: Shopfront) -> None:
    job = await done(shop)
    names = ("front_0deg.png", "manifest.json")
    paths = [path.format(job_id=job.rpartition("/")[2], run_id="run_x") for path in PAGES]
    paths += [job, f"{job}/log", "/v1/jobs", "/v1/templates", "/v1/products/tee/media", "/healthz", "/readyz"]
    paths += [f"{job}/outputs/{name}" for name in names]
    paths += [
        "/openapi.json",
        "/static/js/job.js",
        "/nowhere",
        "/v1/jobs/job_00000000000000000000000000",
        "/v1/uploads",
    ]
    for path in paths:
        got, headed = await shop.client.get(path), await shop.client.head(path)
        assert headed.content == b""
        for told in (got, headed):
            for name in list(told.headers):
                if name.startswith("ratelimit") or name == "date":
                    del told.headers[name]
        assert (headed.status_code, dict(headed.headers)) == (got.status_code, dict(got.headers)), path
        assert int(headed.headers["content-length"]) == len(got.content)
    assert "HEAD" in (await shop.client.post("/v1/stats")).headers["Allow"]


async def test_head_of_a_stream_ends_with_its_head(shop: Shopfront) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()  # nobody works on it: its events go on
    headed = await shop.client.head(f"/v1/jobs/{job['id']}/events", timeout=20)
    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-type"].startswith("text/event-stream")


async def test_head_changes_nothing_and_needs_what_get_needs(shop: Shopfront) -> None:
    job = await done(shop)
    assert (await shop.connect().head(job)).status_code == 401
    assert (await (await shop.visitor("other")).head(f"{job}/outputs/front_0deg.png")).status_code == 404
    assert (await shop.client.head(f"{job}/cancel")).status_code == 405
    assert (await shop.client.head(f"{job}/outputs/front_0deg.png", headers={"Range": "bytes=0-3"})).status_code == 200


async def test_what_is_known_is_not_sent_again(shop: Shopfront) -> None:
    job = await done(shop)
    for path in (job, f"{job}/outputs/front_0deg.png", "/jobs", "/static/js/job.js"):
        etag = (await shop.client.get(path)).headers["ETag"]
        strong = etag.removeprefix("W/")
        for sent in (etag, strong, f"W/{strong}", "*", f'"a,b", W/{strong}', f'"x",{strong}'):
            answer = await shop.client.get(path, headers={"If-None-Match": sent})
            assert (answer.status_code, answer.content) == (304, b""), (path, sent)
            assert answer.headers["ETag"] == etag
        for sent in ('"x"', strong.strip('"'), ""):
            assert (await shop.client.get(path, headers={"If-None-Match": sent})).status_code == 200, (path, sent)


RANGES = (
    ("bytes=0-3", 206, "bytes 0-3/{size}"),
    (f"bytes=0-{MANY}", 206, "bytes 0-{last}/{size}"),
    (f"bytes=-{MANY}", 206, "bytes 0-{last}/{size}"),
    (f"bytes={MANY}-", 416, "bytes */{size}"),
    ("bytes=5-2", 200, None),
    ("bytes=x", 200, None),
    ("pages=1-2", 200, None),
)


async def test_ranges_of_any_length(shop: Shopfront) -> None:
    job = await done(shop)
    for path in (f"{job}/outputs/front_0deg.png", "/", "/static/js/job.js"):
        size = int((await shop.client.head(path)).headers["content-length"])
        for sent, status, told in RANGES:
            answer = await shop.client.get(path, headers={"Range": sent})
            assert answer.status_code == status, (path, sent)
            assert answer.headers.get("content-range") == (told and told.format(size=size, last=size - 1))


async def test_a_part_of_another_version_is_the_whole(shop: Shopfront) -> None:
    output = f"{await done(shop)}/outputs/front_0deg.png"
    etag = (await shop.client.head(output)).headers["ETag"]
    for if_range, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        answer = await shop.client.get(output, headers={"Range": "bytes=0-1", "If-Range": if_range})
        assert answer.status_code == status


async def test_absurd_numbers_are_refused_and_never_an_error_of_ours(shop: Shopfront) -> None:
    job = await done(shop)
    hook = (await shop.client.post("/v1/webhooks", json={"url": "https://example.com/x"})).json()["id"]
    lists = ["/v1/jobs", "/v1/catalog-runs", "/v1/products/tee/jobs", f"/v1/webhooks/{hook}/deliveries"]
    asked = [f"{path}?limit={number}" for path in lists for number in (MANY, "-1", "1e3", "99999999999999999999")]
    asked += [f"{path}?cursor={cursor}" for path in lists for cursor in ("9" * 200, "-1", "%00", "%ff", "x", MANY)]
    asked += [f"{job}/log?tail={number}" for number in (MANY, "0", "-1")]
    asked += [f"/v1/jobs?created_after={moment}" for moment in ("1e400", "1e18", "-1e18", MANY)]
    for path in asked:
        answer = await shop.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), path
    for number in (MANY, "-1", "x", "1.5", "99999999999", "²"):
        headers: Any = {"Last-Event-ID": number.encode("latin-1")}
        assert (await shop.client.get(f"{job}/events", headers=headers)).status_code == 422, number
    for length, status in ((MANY, 413), ("²", 415), ("-1", 415)):
        headers = {"Content-Length": length.encode("latin-1")}
        assert (await shop.client.post("/v1/jobs", content=b"x", headers=headers)).status_code == status, length
