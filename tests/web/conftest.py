"""A real browser, a site on loopback with the farm's own headers, and what the pages show: one film, one model."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from farm.adapters.embedded_store import EmbeddedStore
from serve_app.hosts import LOOPBACK, Hosts
from serve_app.manners import Manners
from serve_app.pages import VENDOR
from tests.web.live_farm import LiveFarm
from tests.web.people import PATIENCE_MS, log_in, visit

expect.set_options(timeout=PATIENCE_MS)

SITE = Path(__file__).parent / "site"
WEB = Path(os.environ.get("FARM_TEST_WEB_DIR") or Path.home() / ".cache" / "tshirt-farm" / "web")
# A machine without a GPU draws WebGL in software; root may not have Chromium's sandbox.
ARGUMENTS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


def missing(what: str) -> None:
    """End a test that lacks its means: a skip on a developer's machine, a failure where the suite must be whole."""
    reason = f"{what}: scripts/browser.sh install"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = os.environ.get("FARM_TEST_BROWSER") or shutil.which("chromium")
    if program is None:
        missing("no Chromium")
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments, timeout=120_000)
        yield browser
        browser.close()


@dataclass(slots=True)
class Site:
    """Pages, vendored files and made files, under one address."""

    address: str
    files: Path
    strangers: list[str] = field(default_factory=list)
    """Requests that wanted to leave it."""

    def open(self, browser: Browser, page: str, file: str, *, width: int = 640, height: int = 720) -> Page:
        """Open a page that shows a file, and wait until it does."""
        opened = browser.new_page(viewport={"width": width, "height": height})
        opened.set_default_timeout(120_000)
        opened.on("request", lambda request: self._listen(request))
        opened.on("console", lambda line: print(f"console: {line.text}"))
        opened.goto(f"{self.address}/site/{page}?src=/files/{file}")
        until_s = time.monotonic() + 120
        while opened.title() == "waiting" and time.monotonic() < until_s:
            opened.wait_for_timeout(50)
        assert opened.title() == "loaded", opened.title()
        return opened

    def _listen(self, request: Request) -> None:
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.strangers.append(request.url)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = tmp_path_factory.mktemp("site")
    app = Starlette(
        routes=[
            Mount("/site", StaticFiles(directory=SITE)),
            Mount("/vendor", StaticFiles(directory=VENDOR)),
            Mount("/files", StaticFiles(directory=files)),
        ]
    )
    server = uvicorn.Server(
        uvicorn.Config(
            Manners(app, Hosts(LOOPBACK), 1_000_000), host="127.0.0.1", port=0, log_level="warning", ws="none"
        )
    )
    thread = threading.Thread(target=server.run, name="site")
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the site did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    site = Site(f"http://127.0.0.1:{port}", files)
    yield site
    server.should_exit = True
    thread.join()
    assert site.strangers == [], "a page asked another host"


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where to keep screenshots for people to look at; nowhere by default."""
    folder = os.environ.get("FARM_TEST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) if folder else None


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFarm]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("store"))
    with LiveFarm(tmp_path_factory.mktemp("home"), store.url) as farm:
        yield farm
    store.stop()


@pytest.fixture
def page(browser: Browser, live: LiveFarm) -> Iterator[Page]:
    """A logged-in page; what it writes on its console as an error, or asks of elsewhere, fails the test."""
    live.gate.set()
    live.broken.clear()
    live.passing.clear()
    context = visit(browser, viewport={"width": 1280, "height": 900}, bypass_csp=False)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda request: None if request.url.startswith((live.url, "blob:", "data:")) else wrong.append(request.url),
    )
    log_in(opened, live)
    yield opened
    context.close()
    assert wrong == []
