"""The wizard's drag in a real browser: how many relit pictures a second the page shows while a print is moved.

A fresh farm's pages on loopback, the design dropped once, then a hand that moves the print for some seconds; a picture
counts when the browser has decoded it and its place is another one than that of the picture before. Beside it: the
time from the file to the first picture, to all six sides, from a swatch to the shirt in its colour, and from *Render*
to the job's page.

    python -m bench.wizard_drag [DESIGN] [--seconds 10] [--runs 3]

Needs Chromium (scripts/browser.sh install); no Ray: what is dragged is not rendered.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.file_store import FileStore
from farm.adapters.shipped_light import ShippedLight
from farm.settings import Settings
from tests.web.live_farm import LiveFarm

ROOT = Path(__file__).parent.parent
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
PATIENCE_MS = 120_000
HAND_MS = 16
"""Between two moves of the hand: sixty a second, as of a mouse."""
SIDES = ("front_0deg", "back_180deg", "left_90deg", "right_270deg", "front_45deg_left", "front_45deg_right")

WATCH = """() => {
    window.pictures = [];
    const image = document.querySelector("#worn-picture");
    new MutationObserver(() => image.decode().then(
        () => window.pictures.push([performance.now(), image.naturalWidth]), () => {},
    )).observe(image, {attributes: true, attributeFilter: ["src"]});
}"""
SWATCH = """async (name) => {
    const image = document.querySelector("#worn-picture");
    const begun = performance.now();
    const shown = new Promise((done) => {
        const watch = new MutationObserver(() => { watch.disconnect(); image.decode().then(done, done); });
        watch.observe(image, {attributes: true, attributeFilter: ["src"]});
    });
    document.querySelector(`#fabrics label[title="${name}"] input`).click();
    await shown;
    return performance.now() - begun;
}"""
# The hand is the page's own: a driver's mouse waits for each of its moves, and would be what is measured.
HAND = """async ([seconds, every]) => {
    const box = document.querySelector(".box");
    box.scrollIntoView({block: "center"});
    const {x, y, width, height} = box.getBoundingClientRect();
    const middle = [x + width / 2, y + height / 2];
    box.setPointerCapture = () => {};  // of a pointer that is none
    const say = (kind, left, top) => box.dispatchEvent(new PointerEvent(kind, {
        bubbles: true, cancelable: true, pointerId: 1, isPrimary: true, clientX: left, clientY: top,
    }));
    say("pointerdown", ...middle);
    const begun = performance.now();
    let moves = 0;
    while (performance.now() - begun < 1000 * seconds) {
        moves += 1;
        const now = (performance.now() - begun) / 1000;
        say("pointermove", middle[0] + 25 * Math.sin(1.7 * now), middle[1] + 35 * Math.sin(1.1 * now));
        await new Promise((go) => setTimeout(go, every));
    }
    const ended = performance.now();
    say("pointerup", ...middle);
    return [begun, ended, moves];
}"""


def seen(page: Page) -> None:
    """All six sides are there."""
    for view in SIDES:
        expect(page.locator(f"#side-{view}")).not_to_have_js_property("naturalWidth", 0)


def one(browser: Browser, live: LiveFarm, design: Path, seconds: float) -> dict[str, Any]:
    """One visitor; what was measured."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{live.url}/login")
    page.get_by_label("API key").fill(live.key)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#fabrics label")).not_to_have_count(0)
    began_s = time.perf_counter()
    page.set_input_files("#file", design)
    expect(page.locator("#stage")).to_have_attribute("data-state", "seen")
    first_s = time.perf_counter() - began_s
    seen(page)
    six_s = time.perf_counter() - began_s
    page.wait_for_timeout(500)
    swatches = []
    for name in ("navy", "red", "black"):
        swatches.append(page.evaluate(SWATCH, name))
        page.wait_for_timeout(1500)
    page.evaluate(WATCH)
    begun, ended, moves = page.evaluate(HAND, [seconds, HAND_MS])
    shown = [size for at, size in page.evaluate("window.pictures") if begun < at < ended]
    page.wait_for_timeout(1500)
    began_s = time.perf_counter()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/jobs")) as answered:
        page.get_by_role("button", name="Render").click()
    expect(page.locator("#rendering")).to_be_visible()
    submitted_s = time.perf_counter() - began_s
    timing = answered.value.request.timing
    context.close()
    return {
        "pictures_per_s": round(1000 * len(shown) / (ended - begun), 2),
        "sizes_px": {size: shown.count(size) for size in sorted(set(shown))},
        "moves_per_s": round(1000 * moves / (ended - begun), 1),
        "first_s": round(first_s, 2),
        "six_s": round(six_s, 2),
        "swatch_ms": round(statistics.median(swatches)),
        "submitted_s": round(submitted_s, 3),
        "job_answered_ms": round(timing["responseStart"] - timing["requestStart"]),
    }


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("design", nargs="?", type=Path, default=ROOT / "examples" / "nordlys.png")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="farm-bench-"))
    store = EmbeddedStore.start(home / "store")
    objects = ShippedLight(FileStore(home / "objects"), Settings().template_folders)
    try:
        with LiveFarm(home, store.url, objects=objects) as live, sync_playwright() as playwright:
            program = os.environ.get("FARM_TEST_BROWSER") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS, timeout=PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            one(browser, live, given.design, 2.0)  # what is compiled and rasterised once is not measured
            measured = []
            for _ in range(given.runs):
                measured.append(one(browser, live, given.design, given.seconds))
                print(json.dumps(measured[-1]), file=sys.stderr)
            browser.close()
    finally:
        store.stop()
        shutil.rmtree(home, ignore_errors=True)
    numbers = [name for name, value in measured[0].items() if isinstance(value, int | float)]
    print(json.dumps({name: statistics.median(run[name] for run in measured) for name in numbers}))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, the browser's own included", file=sys.stderr)


if __name__ == "__main__":
    main()
