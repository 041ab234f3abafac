"""Pictures, film and model whose bytes lie in a bucket on another origin, one that allows no fetching (no CORS)."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from blender.model import write_model
from blender.protocol import ModelOrder
from blender.turntable import encode
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.s3_store import S3Store
from tests.contract.servers.fixtures import rclone_server, s3_credentials
from tests.contract.servers.s3 import BUCKET, S3Server
from tests.web.designs import patches
from tests.web.live_farm import LiveFarm
from tests.web.people import visit
from tests.workshop import png

__all__ = ["rclone_server", "s3_credentials"]
TEMPLATE = Path(__file__).parents[2] / "templates" / "crew-tee"
REQUEST = {"size": 128, "samples": 1, "mode": "all", "product_id": "far-tee", "views": ["front_0deg"]}


def film_of(folder: Path) -> bytes:
    """Eight grey frames."""
    frames = [folder / f"{number}.png" for number in range(8)]
    for number, frame in enumerate(frames):
        Image.new("RGB", (64, 64), (30 * number,) * 3).save(frame)
    encode(frames, folder / "film.mp4", fps=8)
    return (folder / "film.mp4").read_bytes()


def model_of(folder: Path) -> bytes:
    order = ModelOrder(
        template=str(TEMPLATE), out=str(folder / "model.glb"), prints=(patches(folder),), fabric_color="#f4f4f4"
    )
    write_model(order)
    return (folder / "model.glb").read_bytes()


@pytest.fixture(scope="module")
def live(rclone_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFarm]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("store"))
    objects = S3Store(BUCKET, "farm", endpoint_url=rclone_server.endpoint_url)
    with LiveFarm(tmp_path_factory.mktemp("home"), store.url, objects=objects) as farm:
        yield farm
    objects.close()
    store.stop()


@pytest.fixture(scope="module")
def job_id(live: LiveFarm, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A completed job with a still, a film and a model that can be shown."""
    folder = tmp_path_factory.mktemp("made")
    live.files |= {"animation.mp4": film_of(folder), "model.glb": model_of(folder)}
    with httpx.Client(base_url=live.url, headers={"Authorization": f"Bearer {live.key}"}, timeout=60) as client:
        sent = client.post(
            "/v1/jobs", files={"design": ("a.png", png((200, 16, 46, 255), 64))}, data={"request": json.dumps(REQUEST)}
        )
        job = sent.json()
        events = client.get(f"/v1/jobs/{job['id']}/events", timeout=120).text
        assert "render.job.completed" in events, events[-2000:]
        link = client.get(f"/v1/jobs/{job['id']}/outputs/front_0deg.png")
        assert link.status_code == 307
        assert urlsplit(link.headers["Location"]).netloc != urlsplit(live.url).netloc
    return str(job["id"])


def _note(request: Request, refused: list[str]) -> None:
    if request.failure != "net::ERR_ABORTED":  # which a page that is left does to what it still waits for
        refused.append(f"{request.url}: {request.failure}")


def log_in(browser: Browser, live: LiveFarm, refused: list[str]) -> Page:
    """A logged-in page; what its policy or another origin refuses it is noted."""
    page = visit(browser).new_page()
    page.on("console", lambda line: refused.append(line.text) if line.type == "error" else None)
    page.on("requestfailed", lambda request: _note(request, refused))
    page.goto(f"{live.url}/login")
    page.get_by_label("API key").fill(live.key)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="New product pictures")).to_be_visible()
    return page


def test_stills_film_and_model_are_shown_and_kept_from_a_bucket_elsewhere(
    browser: Browser, live: LiveFarm, job_id: str, rclone_server: S3Server
) -> None:
    refused: list[str] = []
    page = log_in(browser, live, refused)
    refused.clear()  # the login page asks for a session that is not there yet
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live.url}/jobs/{job_id}")
    still = page.locator("img[src*='front_0deg']").first
    expect(still).to_be_visible()
    expect(still).not_to_have_js_property("naturalWidth", 0)
    expect(page.locator("video")).to_have_js_property("videoWidth", 64)
    page.get_by_role("button", name="Turn it yourself").click()
    expect(page.locator("model-viewer")).to_have_js_property("loaded", True)
    from_bucket = [url for url in asked if url.startswith(rclone_server.endpoint_url)]
    assert any("front_0deg.png" in url for url in from_bucket), "the browser got the still from the bucket"
    assert any("animation.mp4" in url for url in from_bucket)
    assert not any("model.glb" in url for url in from_bucket), "a script could not read it from there"

    with page.expect_download() as kept:
        page.get_by_role("link", name="front_0deg.png").click()
    assert kept.value.suggested_filename == "front_0deg.png"
    with Image.open(io.BytesIO(Path(kept.value.path()).read_bytes())) as picture:
        assert picture.size == (128, 128)
    page.goto(f"{live.url}/jobs")
    expect(page.locator("img.thumb").first).not_to_have_js_property("naturalWidth", 0)
    assert refused == []
    page.context.close()


def test_only_the_stores_origin_is_let_in_and_only_on_pages(live: LiveFarm, rclone_server: S3Server) -> None:
    page = httpx.get(f"{live.url}/jobs").headers["Content-Security-Policy"]
    assert f"img-src 'self' blob: data: {rclone_server.endpoint_url};" in page
    assert f"media-src 'self' blob: {rclone_server.endpoint_url};" in page
    assert "connect-src 'self' blob:;" in page
    assert rclone_server.endpoint_url not in httpx.get(f"{live.url}/healthz").headers["Content-Security-Policy"]


def test_whoever_follows_no_redirect_gets_the_bytes_and_a_head_at_once(live: LiveFarm, job_id: str) -> None:
    with httpx.Client(base_url=live.url, headers={"Authorization": f"Bearer {live.key}"}, timeout=60) as client:
        path = f"/v1/jobs/{job_id}/outputs/model.glb"
        followed = httpx.get(client.get(path).headers["Location"])
        itself = client.get(path, params={"redirect": "false"})
        assert (itself.status_code, itself.content) == (200, live.files["model.glb"])
        assert followed.content == itself.content
        part = client.get(path, params={"redirect": "false"}, headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"glTF")
        headed = client.head(path)
        assert headed.status_code == 200, "an address that is signed for GET would refuse it"
        for name in ("content-length", "etag", "content-type"):
            assert headed.headers[name] == itself.headers[name]
