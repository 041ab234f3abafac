"""The operator's page: what runs where, what waits, and the button that finishes undoing."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from playwright.sync_api import Browser, Page, expect

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.file_store import FileStore
from farm.adapters.redis_board import RedisBoard
from farm.errors import BadPicture, StorageUnavailable
from farm.render.cluster import machines_of
from tests.web.live_farm import LiveFarm
from tests.web.people import DESIGN, check, log_in, press, visit


def machine(name: str, cores: float, gpus: float = 0.0) -> dict[str, Any]:
    kind = {"GPU": gpus, "accelerator_type:L4": 1.0} if gpus else {}
    return {
        "NodeID": name,
        "Alive": True,
        "NodeManagerAddress": "10.0.0.1",
        "NodeManagerHostname": f"ip-10-0-0-{len(name)}",
        "Resources": {"CPU": cores, "memory": 16 * 2.0**30, **kind},
    }


MACHINES = machines_of(
    [machine("head", 8), machine("gpu-a", 4, 1), machine("gpu-ab", 4, 1), machine("gpu-abc", 4, 1)],
    {"gpu-a": 1, "gpu-ab": 1, "gpu-abc": 1},
    {"gpu-abc": "it runs version 0.0.9 of the farm, this one is 0.1.0"},
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("store"))
    yield store
    store.stop()


@pytest.fixture(scope="module")
def live(store: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFarm]:
    with LiveFarm(tmp_path_factory.mktemp("home"), store.url) as farm:
        yield farm


def posted(store: EmbeddedStore, job_id: str) -> None:
    """What two coordinators would tell: two views of a job render, one on a node left alone; one may not be used."""
    views = [
        {"job_id": job_id, "name": "back_180deg", "phase": "rendering", "fraction": 0.62, "node": "gpu-a"},
        {"job_id": job_id, "name": "left_90deg", "phase": "rendering", "fraction": 0.2, "node": "gpu-ab"},
    ]

    async def post() -> None:
        async with redis.asyncio.Redis.from_url(store.url) as client:
            board = RedisBoard(client)
            told = {"slots": 3, "nodes": MACHINES, "jobs": 1, "concurrency": 6}
            await board.post("coordinator-5a1b-0", {**told, "running": views, "waiting": 4, "avoided": ["gpu-ab"]})
            await board.post("coordinator-5a1b-1", {**told, "running": [], "waiting": 0, "avoided": []})

    with ThreadPoolExecutor(1) as beside:  # Playwright keeps a loop of its own in this thread
        beside.submit(asyncio.run, post()).result()


def submit(page: Page, live: LiveFarm, product: str) -> str:
    """A job through the API, as the page's own session; its id."""
    answer = page.request.post(
        f"{live.url}/v1/jobs",
        headers={"Authorization": f"Bearer {live.key}"},
        multipart={
            "design": {"name": "d.png", "mimeType": "image/png", "buffer": DESIGN.read_bytes()},
            "request": f'{{"product_id": "{product}", "size": 256}}',
        },
    )
    assert answer.status == 202, answer.text()
    return str(answer.json()["id"])


def wait_for(page: Page, live: LiveFarm, job_id: str, key: str, value: object) -> None:
    told: dict[str, Any] = {}
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        told = page.request.get(f"{live.url}/v1/jobs/{job_id}", headers={"Authorization": f"Bearer {live.key}"}).json()
        if told[key] == value:
            return
        time.sleep(0.05)
    raise AssertionError(f"{key} of {job_id} is {told.get(key)}")


def wait_for_view(page: Page, live: LiveFarm, job_id: str) -> None:
    """Until a view of the job is done."""
    for _ in range(600):
        told = page.request.get(f"{live.url}/v1/jobs/{job_id}", headers={"Authorization": f"Bearer {live.key}"}).json()
        if any(view["status"] == "done" for view in told["views"]):
            return
        time.sleep(0.05)
    raise AssertionError("no view is done")


@pytest.mark.parametrize(("width_px", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_the_cluster_at_one_glance(
    browser: Browser,
    live: LiveFarm,
    store: EmbeddedStore,
    pictures: Path | None,
    monkeypatch: pytest.MonkeyPatch,
    width_px: int,
    scheme: str,
) -> None:
    context = visit(
        browser, viewport={"width": width_px, "height": 1000}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    log_in(page, live)

    # One job fails and cannot be undone, because the folder of its objects does not answer for a while.
    live.broken["back_180deg"] = BadPicture(view="back_180deg", reason="blank")
    with monkeypatch.context() as away:
        away.setattr(FileStore, "delete_prefix", _away)
        broken = submit(page, live, f"broken-tee-{width_px}-{scheme}")
        wait_for(page, live, broken, "compensation_pending", True)
    live.broken.clear()
    # One renders: its front is done, the others wait.
    live.gate.clear()
    live.passing = {"front_0deg"}
    running = submit(page, live, "running-tee")
    wait_for_view(page, live, running)
    posted(store, running)

    page.get_by_role("link", name="Cluster").click()
    expect(page.get_by_role("heading", name="Cluster", exact=True)).to_be_visible()
    expect(page.locator("#summary")).to_have_text("4 nodes · 3 GPUs · 3 views at once")
    expect(page.locator(".node")).to_have_count(4)
    rendering = page.locator(".node").filter(has_text="ip-10-0-0-5")
    expect(rendering).to_contain_text("running-tee")
    picture = rendering.get_by_role("img")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 256)
    expect(rendering.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "62")
    left_alone = page.locator(".node").filter(has_text="left alone after failures")
    expect(left_alone).to_have_count(1)
    expect(left_alone.get_by_role("img")).to_be_visible()
    expect(page.locator(".node").filter(has_text="it runs version 0.0.9")).to_have_count(1)
    expect(page.locator("#hands")).to_contain_text("shard 1")
    trouble = page.get_by_role("row").filter(has_text=broken)
    expect(trouble).to_contain_text("not wholly undone")
    check(page)
    wide = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)"
        ".filter((e) => !e.closest('.scroll')).map((e) => e.outerHTML.slice(0, 120))"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), wide
    if pictures:
        page.screenshot(path=pictures / f"cluster-{width_px}-{scheme}.png", full_page=True)

    press(trouble.get_by_role("button", name="Finish undoing"))
    expect(page.get_by_role("row").filter(has_text=broken)).to_have_count(0)
    live.gate.set()
    wait_for(page, live, running, "status", "completed")
    context.close()
    assert wrong == []


def _away(self: FileStore, prefix: str) -> int:
    raise StorageUnavailable(reason="drill")
