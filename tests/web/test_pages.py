"""The pages as people use them: by mouse, by keyboard, on a phone, in the dark; and as a machine checks them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from farm.domain.template import find
from farm.errors import BadPicture
from farm.render import bakes
from farm.settings import Settings
from tests.design_server import design_server
from tests.web.live_farm import LiveFarm
from tests.web.people import DESIGN, check, late, log_in, press, visit
from tests.webhook_receiver import receiving
from tests.workshop import baked


def test_design_to_pictures_by_mouse(page: Page, live: LiveFarm) -> None:
    page.set_input_files("#file", DESIGN)
    page.locator("#fabrics label[title=navy] input").check()
    page.get_by_label("Size, px").select_option("512")
    page.get_by_label("Product").fill("web-tee")
    live.gate.clear()
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Rendering")).to_be_visible()
    live.gate.set()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    expect(page.locator("#gallery img")).to_have_count(6)
    expect(page.get_by_text("Attached to web-tee.")).to_be_visible()
    page.get_by_role("button", name="Front: look closer").click()
    expect(page.get_by_role("dialog", name="Front")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    with page.expect_download() as kept:
        page.get_by_role("link", name="back_180deg.png").click()
    assert Path(kept.value.path()).read_bytes().startswith(b"\x89PNG")

    page.get_by_role("button", name="Change and render again").click()
    expect(page.get_by_role("heading", name="New product pictures")).to_be_focused()
    expect(page.get_by_label("Product")).to_have_value("web-tee")
    page.locator("#fabrics label[title=black] input").check()
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    expect(page.get_by_role("heading", name="Earlier for web-tee")).to_be_visible()
    expect(page.locator("#earlier li")).to_have_count(1)
    check(page)

    page.reload()  # the design is not in this page any more: it is the job's
    page.get_by_role("button", name="Change and render again").click()
    expect(page.get_by_role("heading", name="New product pictures")).to_be_focused()  # all that was asked for is in
    expect(page.get_by_label("Template").locator("option")).to_have_text(["Crew-neck tee", "Long-sleeve tee"])
    page.get_by_label("Template").select_option("Long-sleeve tee")
    page.get_by_label("Size, px").select_option("1024")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    page.get_by_role("link", name="Details").click()
    expect(page.get_by_role("heading", name="web-tee", exact=True)).to_be_visible()
    expect(page.locator("#line > li")).to_have_count(7)
    expect(page.locator("#line .views li")).to_have_count(6)
    expect(page.locator("#facts")).to_contain_text("Retry of")
    expect(page.locator("#facts")).to_contain_text("long-sleeve-tee")
    page.locator("#log summary").click()
    expect(page.locator("#log pre")).to_contain_text("render_design  begins")
    check(page)


@pytest.fixture
def crew_tee_baked(live: LiveFarm) -> Iterator[None]:
    """The farm's crew tee counts as baked, to those who relight by painting; the wizard's own preview needs more."""
    template = find(Settings().template_folders, "crew-tee")
    made = baked(live.objects, template_hash=template.hash, size_px=512)
    yield
    live.objects.delete([bakes.index_key(made.template, made.template_hash, made.size_px)])


def test_previews_stand_in_for_pictures_until_these_come_one_by_one(
    page: Page, live: LiveFarm, request: pytest.FixtureRequest
) -> None:
    page.set_input_files("#file", DESIGN)
    page.get_by_label("Exact").check()
    page.get_by_label("Size, px").select_option("512")
    expect(page.locator("#why")).to_contain_text("has no light yet")  # and is not asked for again
    request.getfixturevalue("crew_tee_baked")
    live.gate.clear()
    live.passing.add("front_0deg")
    page.get_by_role("button", name="Render").click()
    pictures = page.locator("#gallery img")
    expect(pictures).to_have_count(6)
    expect(page.locator("#gallery img[src*='/previews/']")).to_have_count(5)
    expect(page.locator("#gallery li", has_text="Back").first).to_contain_text("preview")
    page.get_by_role("button", name="Back: look closer").click()
    expect(page.get_by_role("dialog", name="Back")).to_be_visible()
    page.keyboard.press("Escape")
    for number in range(6):
        expect(pictures.nth(number)).not_to_have_js_property("naturalWidth", 0)
    check(page)
    live.gate.set()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    expect(pictures).to_have_count(6)
    expect(page.locator("#gallery img[src*='/previews/']")).to_have_count(0)


def test_design_to_pictures_by_keyboard_alone(page: Page) -> None:
    page.set_input_files("#file", DESIGN)  # the system's file dialogue is the one thing a test cannot press
    box = page.get_by_role("slider", name="The print")
    box.focus()
    before = page.get_by_label("Across, cm").input_value()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Across, cm")).to_have_value(str(float(before) + 1.0))
    width = float(page.get_by_label("Width, cm").input_value())
    page.keyboard.press("-")
    expect(page.get_by_label("Width, cm")).to_have_value(f"{width / 1.03:.1f}")
    page.keyboard.press("]")
    expect(page.get_by_label("Turn, °")).to_have_value("1")
    press(page.get_by_role("button", name="Render"))
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_focused()


def test_a_drag_moves_the_print_in_centimetres(page: Page) -> None:
    page.set_input_files("#file", DESIGN)
    page.locator(".box").scroll_into_view_if_needed()
    box = page.locator(".box").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.get_by_label("Down, cm").input_value()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 40, steps=4)
    page.mouse.up()
    expect(page.get_by_label("Down, cm")).not_to_have_value(before)
    assert float(page.get_by_label("Down, cm").input_value()) > float(before) + 1


def test_a_failing_job_says_why_and_can_be_tried_again(page: Page, live: LiveFarm) -> None:
    live.broken["back_180deg"] = BadPicture(view="back_180deg", reason="blank")
    page.set_input_files("#file", DESIGN)
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="This job failed")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("blank")
    check(page)
    page.get_by_role("link", name="Details").click()
    expect(page.locator("#line > li.undone")).not_to_have_count(0)
    expect(page.locator("#line")).to_contain_text("bad_picture")
    check(page)
    live.broken.clear()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Status").select_option("failed")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Try all failed again").click()
    expect(page.get_by_role("status")).to_contain_text("1 of 1 are tried again")
    page.get_by_label("Status").select_option("")
    expect(page.locator("tbody tr").first).not_to_contain_text("failed")
    page.get_by_role("link", name="no product").first.click()
    expect(page.locator("#facts")).to_contain_text("Retry of")
    expect(page.locator("#tools")).to_contain_text("completed")


def test_a_bad_file_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "no-picture.png"
    bad.write_bytes(b"no picture")
    page.set_input_files("#file", bad)
    expect(page.get_by_role("alert")).to_contain_text("not a picture")
    expect(page.get_by_role("button", name="Render")).to_be_disabled()


def test_jobs_are_found_and_cancelled_together(page: Page, live: LiveFarm) -> None:
    live.gate.clear()
    page.set_input_files("#file", DESIGN)
    page.get_by_label("Product").fill("bulk-tee")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Rendering")).to_be_visible()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Product or job id").fill("bulk-tee")
    row = page.get_by_role("row").filter(has_text="bulk-tee")
    expect(row).to_have_count(1)
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel").click()
    live.gate.set()
    expect(row).to_contain_text("cancelled")
    check(page)


def manifest(folder: Path, address: str) -> Path:
    """Six good rows, three bad ones."""
    designs = [f"{address}/{number}.png" for number in range(6)]
    rows = [*designs, f"{address}/gone.png", "beside.png", "https://10.0.0.1/x.png"]
    path = folder / "spring.csv"
    lines = [f"{design},shirt-{number}" for number, design in enumerate(rows, 1)]
    path.write_text("\n".join(["design,product_id", *lines]) + "\n")
    return path


def test_a_catalogue_from_its_manifest_to_its_report(page: Page, live: LiveFarm, tmp_path: Path) -> None:
    """By keyboard, but for the system's own file dialogue; on a busy machine."""
    late(page, 1)
    with design_server() as address:
        page.get_by_role("link", name="Catalogue").press("Enter")
        expect(page.get_by_role("heading", name="Catalogue runs")).to_be_visible()
        page.set_input_files("#file", manifest(tmp_path, address))
        page.locator("summary").press("Enter")
        page.get_by_label("Engine").select_option("relight")
        page.get_by_label("Size, px").select_option("512")
        page.get_by_label("Views").select_option("front_0deg")
        press(page.get_by_role("button", name="Check the manifest"))
        expect(page.get_by_role("button", name="Start the run")).to_be_focused()
        expect(page.locator("#plan")).to_contain_text("only https:// designs can be used here")
        check(page)
        live.gate.clear()
        press(page.get_by_role("button", name="Start the run"))
        expect(page.get_by_role("heading", name="spring")).to_be_visible()
        press(page.get_by_role("button", name="Pause"))
        page.get_by_role("button", name="Go on").focus()
        for _ in range(2):  # the page tells anew what it hears, and takes nothing from under the keyboard
            page.wait_for_event("response", lambda answer: "/v1/catalog-runs/" in answer.url)
        expect(page.get_by_role("button", name="Go on")).to_be_focused()
        press(page.get_by_role("button", name="Go on"))
        live.gate.set()
        expect(page.locator("#words")).to_contain_text("6 of 9 rows completed")
        expect(page.locator("#failures tbody tr")).to_have_count(3)
        expect(page.locator("#pictures li")).to_have_count(6)
        for number in range(6):
            picture = page.locator("#pictures img").nth(number)
            picture.scroll_into_view_if_needed()
            expect(picture).not_to_have_js_property("naturalWidth", 0)
        check(page)
        with page.expect_download() as report:
            page.get_by_role("link", name="CSV").click()
        assert len(Path(report.value.path()).read_text().splitlines()) == 10
        page.get_by_role("button", name="Do the others again").click()
        expect(page.locator("#facts")).to_contain_text("Again of")


def every_page(page: Page) -> dict[str, str]:
    """Path of each page by its name, with the newest job and run that there are."""
    newest = {"wizard": "/", "jobs": "/jobs", "catalog": "/catalog", "webhooks": "/webhooks", "cluster": "/cluster"}
    for name, address, kind in (("job", "/v1/jobs?limit=1", "jobs"), ("run", "/v1/catalog-runs?limit=1", "runs")):
        found = page.evaluate("address => fetch(address).then(answer => answer.json())", address)[kind]
        if found:
            newest[name] = f"/{'jobs' if name == 'job' else 'catalog'}/{found[0]['id']}"
    return newest


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [390, 1440])
def test_every_page_is_accessible_and_fits(
    browser: Browser, live: LiveFarm, pictures: Path | None, scheme: str, width_px: int
) -> None:
    context = visit(
        browser, viewport={"width": width_px, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(f"{live.url}/login")
    check(page)
    log_in(page, live)
    page.set_input_files("#file", DESIGN)
    check(page)
    for name, path in every_page(page).items():
        page.goto(live.url + path)
        page.wait_for_load_state("networkidle")
        check(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} scrolls sideways"
        if pictures is not None:
            page.screenshot(path=pictures / f"page-{name}-{scheme}-{width_px}.png", full_page=width_px < 600)
    context.close()


def test_a_page_without_a_session_leads_to_the_login_and_back(browser: Browser, live: LiveFarm) -> None:
    context = visit(browser)
    page = context.new_page()
    page.goto(f"{live.url}/jobs?x=1")
    page.wait_for_url(f"{live.url}/login?next=%2Fjobs%3Fx%3D1")
    page.get_by_label("API key").fill("farm_0_0")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("key")
    page.get_by_label("API key").fill(live.key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live.url}/jobs?x=1")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{live.url}/login")
    page.goto(f"{live.url}/login?next=//evil.example")
    page.get_by_label("API key").fill(live.key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live.url}/")
    context.close()


def test_a_webhook_from_the_first_to_the_last(page: Page, live: LiveFarm) -> None:
    with receiving() as receiver:
        page.goto(f"{live.url}/webhooks")
        expect(page.get_by_text("No webhooks yet.")).to_be_visible()
        page.get_by_label("Address").fill("https://10.0.0.1/hook")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("alert")).to_contain_text("not on the open internet")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("Name").fill("Shop")
        page.get_by_role("button", name="Add").click()
        expect(page.locator("#said code")).to_contain_text("whsec_")
        secret = page.locator("#said code").inner_text()
        page.get_by_role("button", name="Test: Shop").click()
        expect(page.get_by_text("The test arrived.")).to_be_visible()
        assert receiver.received[0].verified(secret)["type"] == "render.webhook.test"
        receiver.answers = [410]
        page.get_by_role("button", name="Test: Shop").click()
        expect(page.get_by_text("The test did not arrive.")).to_be_visible()
        expect(page.locator("#list .tag")).to_have_text("disabled")
        expect(page.locator("#deliveries tbody tr")).to_have_count(2)
        check(page)
        page.get_by_role("button", name="Enable: Shop").click()
        expect(page.locator("#list .tag")).to_have_text("enabled")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove: Shop").click()
        expect(page.get_by_text("No webhooks yet.")).to_be_visible()
