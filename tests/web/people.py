"""What people do on every page, and what a machine checks there."""

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.web.live_farm import LiveFarm

DESIGN = Path(__file__).parents[2] / "examples" / "tidewater-badge.png"
PATIENCE_MS = 60_000
"""How long anything may take, `expect` included (`conftest`): its usual five seconds are too few for a busy machine."""


def visit(browser: Browser, **options: Any) -> BrowserContext:
    """A visitor with all patience; ``options`` as of `Browser.new_context`."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    return context


def late(page: Page, seconds: float) -> None:
    """Pages opened from now on hear of their session late, as on a busy machine: they show, but do not listen yet."""
    page.add_init_script(
        "const asked = window.fetch; window.fetch = async (what, how) => {"
        f" if (what === '/session' && !how) await new Promise((go) => setTimeout(go, {1000 * seconds}));"
        " return asked(what, how); };"
    )


def press(button: Locator, key: str = "Enter") -> None:
    """Press a key on a button once it is enabled: before, it takes no focus, and the key would go elsewhere."""
    expect(button).to_be_enabled()
    button.press(key)


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
