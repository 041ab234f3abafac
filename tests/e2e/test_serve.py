"""``farm serve`` as a person uses it: started, asked with curl, ended with Ctrl-C."""

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from farm.home import process
from farm.home.folder import MARK, Home
from tests.e2e.terminal import DESIGN, Terminal
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A farm that is being served."""

    url: str
    key: str
    process: subprocess.Popen[str]
    terminal: Terminal


@pytest.fixture
def service(terminal: Terminal) -> Iterator[Service]:
    port = free_port()
    served = terminal.start("serve", "--port", str(port))
    try:
        url = f"http://localhost:{port}"
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s and served.poll() is None and not _ready(url):
            time.sleep(0.3)
        assert served.poll() is None, "it ended: see what it said below"
        yield Service(url=url, key=(terminal.home / "api-key").read_text().strip(), process=served, terminal=terminal)
    finally:
        served.send_signal(signal.SIGINT)
        out, err = served.communicate(timeout=PATIENCE_S)
        print(err)
    assert served.returncode == 0, err
    assert out.startswith("farm_"), "the first key is printed once"
    assert out.count("\n") == 1, "it says nothing else there"
    assert err.rstrip().endswith("The service is down."), "a quiet end"
    assert "graceful_shutdown" not in err


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def shell_blocks(document: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_documented_examples_run_word_for_word(service: Service, tmp_path: Path) -> None:
    blocks = shell_blocks("docs/http-api.md")
    assert len(blocks) == 10
    blocks[0] = blocks[0].replace("http://localhost:8000", service.url)
    [ten_lines] = [text for text in shell_blocks("README.md") if "curl" in text]
    blocks.insert(0, ten_lines.replace("http://localhost:8000", service.url))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {**os.environ, "FARM_HOME": str(service.terminal.home)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("event: render.job.completed") == 2, done.stdout
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    assert '"code":"job_ended"' in done.stdout
    assert "associate_media  finished" in done.stdout, "the log"
    assert '"to_render":2' in done.stdout, "the plan"
    assert oct((service.terminal.home / "api-key").stat().st_mode & 0o777) == "0o600"
    asked = urllib.request.Request(f"{service.url}/metrics", headers={"Authorization": f"Bearer {service.key}"})
    assert "# TYPE " in urllib.request.urlopen(asked).read().decode()
    page = urllib.request.urlopen(f"{service.url}/jobs").read().decode()
    assert "<title>Jobs" in page


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_outlives_its_host_and_its_ray_and_says_so_meanwhile(service: Service) -> None:
    first = Home(service.terminal.home).host()
    assert first is not None
    os.kill(process.pid_of(first.process), signal.SIGKILL)
    _served_again(service)
    second = Home(service.terminal.home).host()
    assert second is not None
    assert second.process != first.process
    for found in process.marked(MARK, str(service.terminal.home)):
        if b"gcs_server" in Path(f"/proc/{process.pid_of(found)}/cmdline").read_bytes():
            os.kill(process.pid_of(found), signal.SIGKILL)
    _served_again(service)
    third = Home(service.terminal.home).host()
    assert third is not None
    assert third.process == second.process, "the host began anew, in the process that it was"
    assert third.ray_address != second.ray_address


def _served_again(service: Service) -> None:
    """Ask until it serves, after it was away; nothing but our own words is heard meanwhile."""
    seen: set[int] = set()
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s and (503 not in seen or not _ready(service.url)):
        assert service.process.poll() is None, "it ended with what it serves on"
        with suppress(httpx.TransportError):  # connections of the moment in which the proxy died
            seen.add(_told_to_wait(service.url))
        time.sleep(0.1)
    assert 503 in seen
    assert seen <= {200, 401, 503}, "no word of Ray Serve's own, such as 404, is taken for the farm's"
    asked = {"Authorization": f"Bearer {service.key}"}
    assert httpx.get(f"{service.url}/v1/jobs", headers=asked, timeout=30).status_code == 200, "by the key of before"


def _told_to_wait(url: str) -> int:
    """The status of a list that is asked for without a key; a 503 says when to come again."""
    answer = httpx.get(f"{url}/v1/jobs", timeout=30)
    if answer.status_code == 503:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["retryable"] is True
    return answer.status_code


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_person_makes_real_pictures_in_a_real_browser(
    service: Service, browser: Browser, pictures: Path | None
) -> None:
    """The whole wizard with Blender behind it: a design in, rendered pictures on a product and in the page."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(f"{service.url}/login")
    page.get_by_label("API key").fill(service.key)
    page.get_by_role("button", name="Log in").click()
    page.set_input_files("#file", ROOT / "examples" / "nordlys.png")
    page.locator("#fabrics label[title=navy] input").check()
    page.get_by_label("Size, px").select_option("512")
    page.get_by_label("Exact").check()
    page.get_by_label("Quality").select_option("draft")
    page.get_by_label("Product").fill("browser-tee")
    if pictures is not None:
        page.wait_for_timeout(1500)
        page.screenshot(path=pictures / "wizard.png")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible(timeout=PATIENCE_S * 1000)
    expect(page.locator("#gallery img")).to_have_count(6)
    expect(page.get_by_text("Attached to browser-tee.")).to_be_visible()
    for number in range(6):
        expect(page.locator("#gallery img").nth(number)).to_have_js_property("naturalWidth", 512)
    if pictures is not None:
        page.screenshot(path=pictures / "results.png")
        page.get_by_role("link", name="Details").click()
        expect(page.locator("#line > li")).to_have_count(7)
        page.screenshot(path=pictures / "job.png")
    page.context.close()


def _pictures_replicas(home: Path) -> list[int]:
    """The processes that make pictures for the farm of that home."""
    pids = [process.pid_of(found) for found in process.marked(MARK, str(home))]
    return [pid for pid in pids if b"ServeReplica:farm-pictures" in _title(pid)]


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_picture_is_answered_by_its_address_also_after_its_replica_died(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "image/png"}
    design = httpx.post(f"{service.url}/v1/designs", content=DESIGN.read_bytes(), headers=headers, timeout=60).json()

    def signed(colour: str) -> str:
        wanted = ("--fabric-color", colour, "--size", "256", "--format", "jpeg", "--base", service.url)
        return service.terminal.farm("pictures", "url", design["id"], *wanted).stdout.strip()

    first = httpx.get(signed("navy"), timeout=60)
    assert (first.status_code, first.headers["content-type"]) == (200, "image/jpeg"), first.text
    assert first.headers["Farm-Engine"] == "relight"
    [replica] = _pictures_replicas(service.terminal.home)
    other = signed("red")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(httpx.get, other, timeout=60) for _ in range(4)]
        os.kill(replica, signal.SIGKILL)
        met = {future.result().status_code for future in asked}
    assert met <= {200, 503}, "nothing of Ray Serve's own comes out"
    deadline_s = time.monotonic() + PATIENCE_S
    while (again := httpx.get(other, timeout=60)).status_code != 200 and time.monotonic() < deadline_s:
        assert (again.status_code, again.json()["code"]) == (503, "farm_starting")
        time.sleep(0.3)
    assert again.status_code == 200
    assert replica not in _pictures_replicas(service.terminal.home)
    assert httpx.get(signed("navy"), timeout=60).content == first.content, "the same bytes, made by another"
