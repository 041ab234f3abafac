"""The web pages as people see them, into docs/pictures/pages: real work, light and dark, wide and narrow.

A job with a 3D model, one on black with an earlier one of its product, one that was cancelled, a catalogue run with two
bad rows, a webhook; then every page in four manners. Stills but for the first job's are relit.

    python -m bench.portraits [--bakes FOLDER] [--out docs/pictures/pages]

Needs Chromium (scripts/browser.sh install).
"""

import argparse
import asyncio
import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from bench.designs import write_designs
from bench.farms import bench_farm, provide_bake, wait_until_ended
from bench.served import served
from farm.domain.request import parse_request
from farm.render.catalog.columns import Reading, rows_of
from farm.render.prepare import prepare
from farm.wiring import Farm

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
ARGUMENTS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
SCHEMES = ("light", "dark")
WIDTHS_PX = (1440, 390)
PATIENCE_MS = 120_000
ROWS = 24


async def job(farm: Farm, design: str, **wanted: Any) -> str:
    """Submit a job; its id."""
    request = parse_request({"size": 768, **wanted})
    prepared = await asyncio.to_thread(prepare, farm.settings, request, [(EXAMPLES / design).read_bytes()])
    return str((await farm.service.submit(prepared))["id"])


async def work(farm: Farm, home: Path) -> dict[str, str]:
    """Everything that the pages are to show; the address of each page by its name."""
    first = await job(farm, "nordlys.png", quality="draft", fabric_color="navy", product_id="nordlys-tee", model=True)
    await wait_until_ended(farm, [first])
    earlier = await job(farm, "wild-meadow.png", engine="relight", fabric_color="white", product_id="meadow-tee")
    await wait_until_ended(farm, [earlier])
    later = await job(farm, "wild-meadow.png", engine="relight", fabric_color="black", product_id="meadow-tee")
    await wait_until_ended(farm, [later])
    stopped = await job(farm, "tidewater-badge.png", samples=4096, product_id="tidewater-tee")
    await farm.service.cancel(stopped)
    await wait_until_ended(farm, [stopped])

    designs = home / "designs"
    names = [*write_designs(designs, ROWS - 1, longest_px=900), "broken.png"]
    (designs / "broken.png").write_bytes(b"no picture")
    reading = Reading(base=designs.as_uri() + "/", defaults={"engine": "relight", "size": 512, "format": "webp"})
    colours = ["white", "navy", "black", "heather-grey", "red", "forest"] * (ROWS // 6)
    colours[1] = "ultraviolet"  # there is no such fabric
    items = [
        item
        for number, name in enumerate(names, 1)
        for item in rows_of(
            number,
            {
                "design": name,
                "product_id": f"summer-{number:03d}",
                "fabric_color": colours[number - 1],
                "views": "front_0deg",
            },
            reading,
        )
    ]
    run = await farm.catalogues.start(items, name="summer", manifest="summer.csv")
    while (await farm.catalogues.get(run["id"]))["finished_at"] is None:
        await asyncio.sleep(0.2)
    return {
        "wizard": "/",
        "pictures": f"/?job={first}",
        "jobs": "/jobs",
        "job": f"/jobs/{first}",
        "catalogue": "/catalog",
        "run": f"/catalog/{run['id']}",
        "webhooks": "/webhooks",
        "cluster": "/cluster",
    }


async def portrait(page: Page, name: str, full: bool) -> bytes:
    """A picture of what the page shows once it has come to rest."""
    if name == "wizard":
        await page.set_input_files("#file", EXAMPLES / "nordlys.png")
        await page.locator("#fabrics label[title=navy] input").check()
        await page.locator("#side-front_45deg_right").wait_for()  # the last of the relit sides
    if name == "pictures":
        await page.get_by_role("button", name="Turn it yourself").click()
        await page.wait_for_timeout(8000)  # the model is read and drawn, in software where there is no GPU
    await page.evaluate("scrollTo(0, 0)")
    await page.wait_for_timeout(3000)
    return await page.screenshot(full_page=full)


async def everything(browser: Browser, address: str, key: str, pages: dict[str, str], out: Path) -> None:
    """Each page in each manner."""
    for scheme in SCHEMES:
        for width_px in WIDTHS_PX:
            context = await browser.new_context(
                viewport={"width": width_px, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=1 if width_px > 600 else 2,
            )
            context.set_default_timeout(PATIENCE_MS)
            page = await context.new_page()
            await page.goto(f"{address}/login")
            shown = {"login": await portrait(page, "login", full=False)}
            await page.get_by_label("API key").fill(key)
            await page.get_by_role("button", name="Log in").click()
            await page.wait_for_url(f"{address}/")
            for name, path in pages.items():
                await page.goto(address + path)
                shown[name] = await portrait(page, name, full=width_px > 600)
            await context.close()
            for name, data in shown.items():
                with Image.open(io.BytesIO(data)) as picture:
                    picture.convert("RGB").save(out / f"{name}-{scheme}-{width_px}.webp", quality=82, method=6)
            print(f"  {scheme}, {width_px} px: {len(shown)} pages", file=sys.stderr)


async def run(bakes: Path | None, out: Path) -> None:
    """The farm, its work, its portraits."""
    out.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    async with bench_farm(price_cpu_hour="0.04", webhook_http_hosts="127.0.0.1") as (farm, host):
        await asyncio.to_thread(provide_bake, farm.settings.home, bakes, 768)
        pages = await work(farm, farm.settings.home)
        async with served(farm, host.store_url) as (address, key), async_playwright() as playwright:
            program = os.environ.get("FARM_TEST_BROWSER") or shutil.which("chromium")
            browser = await playwright.chromium.launch(
                executable_path=program, args=list(ARGUMENTS), timeout=PATIENCE_MS
            )
            page = await browser.new_page()
            await page.goto(f"{address}/login?next=/webhooks")
            await page.get_by_label("API key").fill(key)
            await page.get_by_role("button", name="Log in").click()
            await page.get_by_label("Address").fill("https://example.com/hooks/pictures")
            await page.get_by_label("Name").fill("Shop")
            await page.get_by_role("button", name="Add").click()
            await page.get_by_role("button", name="Test: Shop").wait_for()
            await page.close()
            await everything(browser, address, key, pages, out)
            await browser.close()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bakes", type=Path, help="bakes of another farm (its objects/bakes), to save baking")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "pages")
    given = parser.parse_args()
    asyncio.run(run(given.bakes, given.out))


if __name__ == "__main__":
    main()
