"""The wizard's stage: the design on the garment, from six sides, while it is moved; what is said where it cannot be."""

import base64
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from farm.domain import keys
from farm.domain.template import find
from farm.domain.view import ALL_VIEWS
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.settings import Settings
from tests.unit.picture.baked import flat_bake
from tests.web.live_farm import LiveFarm
from tests.web.people import DESIGN, check, log_in, visit

LIT_PX = 512
BUSY = {
    "detail": "There were more than 1200 requests within a minute.", "code": "too_many_requests", "retryable": True,
    "hint": "Wait a little.",
}  # fmt: skip
BROKEN = {"detail": "A bake cannot be used.", "code": "bake_broken", "retryable": False, "hint": "Bake it again."}


@pytest.fixture(scope="module", autouse=True)
def light(live: LiveFarm) -> None:
    """The crew tee has light: flat cloth, straight on, whichever side is asked for. The long-sleeve tee has none."""
    template = find(Settings().template_folders, "crew-tee")
    parts = {}
    for view in ALL_VIEWS:
        data = flat_bake(LIT_PX, margin_px=16, view=str(view))
        key = f"{keys.bakes(template.id, template.hash, LIT_PX)}{view}.light"
        parts[str(view)] = BakedPart(
            name=str(view), key=key, sha256=live.objects.put(key, data, content_type=""), size_bytes=len(data),
            samples=64, renderer="none", seconds=0.0, error={"delta_e_mean": 0.5},
        )  # fmt: skip
    bake = Bake(template=template.id, template_hash=template.hash, size_px=LIT_PX, parts=parts)
    live.objects.put(bakes.index_key(template.id, template.hash, LIT_PX), bake.to_json(), content_type="")


@pytest.fixture
def sent(page: Page) -> list[Request]:
    """What the page asks of the API, from its login on."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if "/v1/" in request.url else None)
    return found


def posted(sent: list[Request], path: str) -> list[Request]:
    return [one for one in sent if one.method == "POST" and one.url.partition("?")[0].endswith(path)]


def said(request: Request) -> dict[str, Any]:
    return dict(request.post_data_json or {})


def seen(page: Page) -> None:
    """The design is on the garment, large, and all six sides are there."""
    expect(page.locator("#stage")).to_have_attribute("data-state", "seen")
    for view in ALL_VIEWS:
        expect(page.locator(f"#side-{view}")).not_to_have_js_property("naturalWidth", 0)


def test_a_design_goes_up_once_and_is_seen_from_six_sides_before_anything_is_submitted(
    page: Page, sent: list[Request]
) -> None:
    page.set_input_files("#file", DESIGN)
    seen(page)
    large = page.locator("#worn-picture")
    expect(large).to_have_js_property("naturalWidth", LIT_PX)
    box = large.bounding_box()
    assert box is not None
    assert box["height"] > 450, "the preview is the largest thing of the page"
    expect(page.get_by_role("img", name="Front of the Crew-neck tee in white")).to_be_visible()
    page.get_by_role("radio", name="Back", exact=True).check(force=True)
    expect(page.get_by_role("img", name="Back of the Crew-neck tee in white")).to_be_visible()
    page.locator("#fabrics label[title=navy] input").check()
    expect(page.get_by_role("img", name="Back of the Crew-neck tee in navy")).to_be_visible()
    page.get_by_role("radio", name="Right side", exact=True).check(force=True)
    page.get_by_role("tab", name="Back").click()  # who takes a panel into the hand wants to see it
    expect(page.get_by_role("img", name="Back of the Crew-neck tee in navy")).to_be_visible()
    page.get_by_role("tab", name="Front").click()
    expect(page.locator("#fast-told")).to_contain_text("USD")
    expect(page.locator("#exact-told")).to_contain_text("about")
    page.get_by_label("Size, px").select_option("512")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    assert len(posted(sent, "/v1/designs")) == 1
    [job] = [one for one in posted(sent, "/v1/jobs") if "dry_run" not in one.url]
    assert [len(said(job)["design_id"]), said(job)["engine"]] == [1, "auto"]


def test_while_it_is_dragged_one_picture_is_asked_for_at_a_time_and_the_last_place_is_shown(
    page: Page, sent: list[Request]
) -> None:
    page.set_input_files("#file", DESIGN)
    seen(page)
    flying, most = 0, 0

    def begins(request: Request) -> None:
        nonlocal flying, most
        if request.url.endswith("/v1/pictures"):
            flying += 1
            most = max(most, flying)

    def ends(request: Request) -> None:
        nonlocal flying
        flying -= request.url.endswith("/v1/pictures")

    page.on("request", begins)
    page.on("requestfinished", ends)
    page.on("requestfailed", ends)
    page.locator(".box").scroll_into_view_if_needed()
    box = page.locator(".box").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = len(posted(sent, "/v1/pictures"))
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(30):
        page.mouse.move(x, y + step)
        page.wait_for_timeout(10)
    page.mouse.up()
    expect(page.get_by_label("Down, cm")).not_to_have_value("21.0")
    page.wait_for_timeout(400)
    seen(page)
    asked = posted(sent, "/v1/pictures")[before:]
    assert most == 1
    assert len(asked) > 2
    down = float(page.get_by_label("Down, cm").input_value())
    assert said(asked[-1])["placements"][0]["y_cm"] == pytest.approx(down, abs=0.06)


def answering(status: int, problem: dict[str, Any]) -> Any:
    def answer(route: Route) -> None:
        route.fulfill(
            status=status, json=problem, content_type="application/problem+json", headers={"Retry-After": "1"}
        )

    return answer


def test_what_cannot_be_shown_says_why_and_what_to_do(page: Page) -> None:
    page.set_input_files("#file", DESIGN)
    seen(page)
    why = page.locator("#why")
    page.get_by_label("Template").select_option("Long-sleeve tee")
    expect(why).to_contain_text("The Long-sleeve tee has no light yet")
    expect(why).to_contain_text("farm template bake long-sleeve-tee")
    expect(page.locator("#fast-told")).to_contain_text("cannot be relit")
    expect(page.get_by_role("button", name="Render")).to_be_enabled()
    check(page)
    page.get_by_label("Template").select_option("Crew-neck tee")
    seen(page)

    page.route("**/v1/pictures", answering(429, BUSY))
    page.locator("#fabrics label[title=navy] input").check()
    expect(why).to_contain_text("more than 1200 requests")
    expect(why).to_contain_text("tried again in 2 s")
    expect(page.locator("#stage")).to_have_attribute("data-state", "stale")
    page.unroute("**/v1/pictures")
    expect(why).to_be_empty()  # by itself
    seen(page)

    page.route("**/v1/pictures", answering(500, BROKEN))
    page.locator("#fabrics label[title=black] input").check()
    expect(why).to_contain_text("A bake cannot be used. Bake it again.")
    check(page)
    page.unroute("**/v1/pictures")
    page.get_by_role("button", name="Try again").click()
    expect(why).to_be_empty()

    page.get_by_label("Across, cm").fill("60")
    page.keyboard.press("Tab")
    expect(why).to_contain_text("The print lies beside the front")


def test_a_design_that_the_farm_has_forgotten_goes_up_again(page: Page, live: LiveFarm, sent: list[Request]) -> None:
    page.set_input_files("#file", DESIGN)
    seen(page)
    headers = {"Authorization": f"Bearer {live.key}"}
    with httpx.Client(base_url=live.url, headers=headers, timeout=60) as client:
        same = client.post("/v1/designs", files={"design": DESIGN.read_bytes()})
        assert same.status_code == 200, "it is there already"
        assert client.delete(f"/v1/designs/{same.json()['id']}").status_code == 204
    page.get_by_label("Product").fill("forgotten-tee")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    assert len(posted(sent, "/v1/designs")) == 2


def test_a_design_that_the_farm_refuses_says_so_beside_it_and_is_not_sent_again(
    page: Page, sent: list[Request]
) -> None:
    refusal = {
        "detail": "The design is a picture in CMYK.",
        "code": "design_not_an_image",
        "hint": "Export it as sRGB.",
    }
    page.route("**/v1/designs", answering(422, refusal))
    page.set_input_files("#file", DESIGN)
    expect(page.locator("#step-design").get_by_role("alert")).to_contain_text("CMYK. Export it as sRGB.")
    expect(page.locator("#why")).to_contain_text("Not shown: The design is a picture in CMYK.")
    expect(page.get_by_role("button", name="Render")).to_be_disabled()
    page.locator("#fabrics label[title=navy] input").check()
    page.wait_for_timeout(1000)
    assert len(posted(sent, "/v1/designs")) == 1
    page.unroute("**/v1/designs")
    page.set_input_files("#file", DESIGN)
    seen(page)
    expect(page.locator("#drop-facts")).to_contain_text("prints finely up to")


@pytest.mark.parametrize("target", ["#stage", "h1"])
def test_a_drop_counts_wherever_it_falls(page: Page, target: str) -> None:
    dropped = page.evaluate_handle(
        """([data, name]) => {
            const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
            const dropped = new DataTransfer();
            dropped.items.add(new File([bytes], name, {type: "image/png"}));
            return dropped;
        }""",
        [base64.b64encode(DESIGN.read_bytes()).decode(), DESIGN.name],
    )
    page.dispatch_event(target, "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#making")).to_have_class("over")
    page.dispatch_event(target, "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop-words")).to_have_text(DESIGN.name)
    expect(page.locator("#making")).not_to_have_class(re.compile("over"))
    expect(page.get_by_role("button", name="Render")).to_be_enabled()


@pytest.mark.parametrize(("width_px", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_stage_is_accessible_and_fits(
    browser: Browser, live: LiveFarm, pictures: Path | None, width_px: int, scheme: str
) -> None:
    context = visit(
        browser, viewport={"width": width_px, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    log_in(page, live)
    page.set_input_files("#file", DESIGN)
    seen(page)
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if pictures is not None:
        page.screenshot(path=pictures / f"wizard-{scheme}-{width_px}.png")
    # By keyboard: the other sides, and the print, which the stage must not hide.
    page.locator("#sides input:checked").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("img", name="Left side of the Crew-neck tee in white")).to_be_visible()
    page.get_by_role("slider", name="The print").focus()
    shown = page.evaluate(
        """() => {
            const box = document.querySelector(".box").getBoundingClientRect();
            return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.getAttribute("class");
        }"""
    )
    assert shown == "box"
    context.close()
