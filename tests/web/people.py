"""What people do on every page, and what a machine checks there."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.live_farm import LiveFarm

DESIGN = Path(__file__).parents[2] / "examples" / "tidewater-badge.png"
PATIENCE_MS = 60_000


def log_in(page: Page, live: LiveFarm) -> None:
    page.goto(f"{live.url}/login")
    page.get_by_label("API key").fill(live.key)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="New product pictures")).to_be_visible()
    expect(page.locator("#fabrics label")).not_to_have_count(0)


def check(page: Page) -> None:
    """No serious or critical finding of axe-core on what is shown now."""
    found = Axe().run(page)
    grave = [
        f"{item['id']}: {node['html'][:120]}"
        for item in found.response["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]
    assert grave == []
