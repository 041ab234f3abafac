"""Asking for pictures, and for the same again: what is refused is said at once, what was asked is kept whole."""

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from farm.errors import BadPicture
from tests.web.live_farm import LiveFarm
from tests.web.people import DESIGN, check


def submit(live: LiveFarm, designs: int = 1, **request: Any) -> str:
    files = [("design", (f"{number}.png", DESIGN.read_bytes(), "image/png")) for number in range(designs)]
    answer = httpx.post(f"{live.url}/v1/jobs", headers=key(live), files=files, data={"request": json.dumps(request)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def key(live: LiveFarm) -> dict[str, str]:
    return {"Authorization": f"Bearer {live.key}"}


def ended(live: LiveFarm, job_id: str) -> dict[str, Any]:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        job: dict[str, Any] = httpx.get(f"{live.url}/v1/jobs/{job_id}", headers=key(live)).json()
        if job["phase"] == "ended":
            return job
        time.sleep(0.05)
    raise AssertionError("the job does not end")


def asked_for(page: Page, path: str) -> list[Request]:
    """Requests to addresses with ``path`` in them, from now on."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if path in request.url else None)
    return found


def test_what_is_refused_is_told_beside_where_it_was_done(page: Page, live: LiveFarm, tmp_path: Path) -> None:
    sent = asked_for(page, "/v1/jobs")
    render = page.get_by_role("button", name="Render")
    large = tmp_path / "noise.png"
    side = 2200
    Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)).save(large)
    page.set_input_files("#file", large)
    expect(page.locator("#step-design").get_by_role("alert")).to_contain_text("14.5 MB; a design may have 10 MB")
    expect(render).to_be_disabled()
    page.set_input_files("#file", DESIGN)
    expect(render).to_be_enabled()
    page.get_by_label("Across, cm").fill("60")
    page.keyboard.press("Tab")
    expect(page.locator("#step-place").get_by_role("alert")).to_contain_text("lies beside the front")
    expect(render).to_be_disabled()
    page.get_by_label("Across, cm").fill("24")
    page.keyboard.press("Tab")
    expect(page.locator("#readout")).to_contain_text("crosses a seam")
    expect(render).to_be_enabled()
    for box in page.locator("#views input").all():
        box.uncheck()
    expect(page.locator("#step-output").get_by_role("alert")).to_contain_text("Nothing is asked for")
    expect(render).to_be_disabled()
    page.get_by_label("3D model").check()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("Product").fill("-tee")
    expect(page.get_by_role("alert")).to_contain_text("no product id")
    check(page)
    assert [one.url for one in sent if "dry_run" not in one.url] == []
    page.get_by_label("Product").fill("model-tee")
    render.click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    expect(page.locator("#gallery li")).to_have_text(["Turn it yourself3D model"])
    page.goto(f"{live.url}/jobs?find=model-t")
    row = page.get_by_role("row").filter(has_text="model-tee")
    expect(row).to_contain_text("3D model")
    expect(row).not_to_contain_text("views")

    page.goto(f"{live.url}/catalog")
    runs = asked_for(page, "/v1/catalog-runs?dry_run")
    rows = tmp_path / "spring.csv"
    with rows.open("wb") as file:
        file.truncate(33_000_000)
    page.set_input_files("#file", rows)
    expect(page.get_by_role("alert")).to_contain_text("33.0 MB; a form takes 31.9 MB")
    expect(page.get_by_role("button", name="Check the manifest")).to_be_disabled()
    assert runs == []


def test_a_job_is_changed_and_nothing_of_it_is_lost(page: Page, live: LiveFarm) -> None:
    """As the command line makes them: two layers of two designs, and what no field shows."""
    first = ended(
        live,
        submit(
            live, 2, product_id="layer-tee", size=256, media="append", priority=5, shadow="soft", aspect="4:5",
            samples=3, fabric_color="#123456", background_color="#abcdef", views=["front_0deg", "left_90deg"],
            placements=[
                {"panel": "front", "x_cm": 1, "y_cm": 24, "width_cm": 28},
                {"panel": "sleeve_left", "y_cm": 12, "width_cm": 8, "opacity": 0.8, "design": 1, "underbase": False},
            ],
        ),
    )  # fmt: skip
    page.goto(f"{live.url}/?job={first['id']}")
    page.get_by_role("button", name="Change and render again").click()
    expect(page.locator("#layers label")).to_have_text(
        ["Front: 28 cm wide at 1 across, 24 down",
         "Left sleeve: 8 cm wide at 0 across, 12 down, 80 % ink, no underbase, design 2"]
    )  # fmt: skip
    for kept in ("earlier pictures stay", "priority 5", "soft shadow", "shape 4:5", "3 samples"):
        expect(page.locator("#beside")).to_contain_text(kept)
    expect(page.locator("#readout")).to_contain_text("28.0 × 28.0 cm")
    page.locator("#layers input").nth(1).check()
    expect(page.get_by_role("tab", name="Left sleeve")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Width, cm")).to_have_value("8.0")
    check(page)
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    again = ended(live, page.url.partition("job=")[2])
    assert again["id"] != first["id"]
    assert again["request"] == first["request"]
    assert again["designs"] == first["designs"]

    page.get_by_role("button", name="Change and render again").click()
    page.get_by_role("button", name="Leave these out").click()
    page.locator("#layers input").nth(1).check()
    page.get_by_role("button", name="Remove this layer").click()
    page.get_by_label("Width, cm").fill("20")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("heading", name="Your pictures")).to_be_visible()
    request = ended(live, page.url.partition("job=")[2])["request"]
    [layer] = request["placements"]
    assert (layer["panel"], layer["width_cm"], layer["x_cm"]) == ("front", 20, 1)
    assert (request["media"], request["priority"], request["aspect"]) == ("replace", 0, "1:1")


def test_an_ended_job_is_shown_as_it_is(page: Page, live: LiveFarm) -> None:
    done = ended(live, submit(live, product_id="past-tee", size=256))
    live.broken["back_180deg"] = BadPicture(view="back_180deg", reason="blank")
    failed = ended(live, submit(live, product_id="past-tee", size=256))
    live.broken.clear()
    ended(live, submit(live, product_id="past-tee", size=256))
    streams = asked_for(page, "/events")

    page.goto(f"{live.url}/?job={done['id']}")
    expect(page.locator("#gallery img")).to_have_count(6)
    expect(page.get_by_role("progressbar", name="The whole job")).to_be_hidden()
    moving = (
        "[...document.querySelectorAll('#rendering *')].filter((e) => e.getAnimations().length).map((e) => e.outerHTML)"
    )
    assert page.evaluate(moving) == []
    page.goto(f"{live.url}/jobs/{done['id']}")
    assert done["warnings"], "so small a design is coarse on the cloth"
    for warning in done["warnings"]:
        expect(page.locator("#said")).to_contain_text(warning["message"])
    for path in (f"/?job={failed['id']}", f"/jobs/{failed['id']}"):
        page.goto(live.url + path)
        expect(page.get_by_text("Everything was undone: no picture is left.")).to_be_visible()
        expect(page.locator("#gallery li")).to_have_count(0)
        expect(page.locator("#earlier li")).to_have_count(1)
        expect(page.locator("#earlier a")).to_have_attribute("href", f"/jobs/{done['id']}")
    expect(page.locator("#line .views")).to_contain_text("undone")
    expect(page.locator("#line .views")).not_to_contain_text(re.compile("(?<!un)done"))
    assert streams == [], "nothing more comes of an ended job"


def test_jobs_are_found_by_a_part_and_the_address_says_by_which(page: Page, live: LiveFarm) -> None:
    done = ended(live, submit(live, product_id="badge-1", size=256))
    live.gate.clear()
    running = submit(live, product_id="badge-2", size=256)
    page.goto(f"{live.url}/jobs")
    page.get_by_label("Product or job id").fill("adge-")
    page.wait_for_url(f"{live.url}/jobs?find=adge-")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label(f"Choose {done['id']}").check()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.get_by_label(f"Choose {running}").check()
    expect(page.get_by_role("button", name="Cancel: 1 of 2")).to_be_visible()
    page.get_by_label("Product or job id").fill(running[8:])
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Product or job id").fill("hoodie")
    expect(page.get_by_text("No job has “hoodie” in its id or its product.")).to_be_visible()

    # The page of a job that runs asks for it now and then, however much is told of it.
    asked = asked_for(page, f"/v1/jobs/{running}")
    page.goto(f"{live.url}/jobs/{running}")
    expect(page.locator("#line")).to_contain_text("Views rendered")
    live.gate.set()
    expect(page.locator("#line")).to_contain_text("Completed")
    loads = [request for request in asked if request.url.endswith(running)]
    events = httpx.get(f"{live.url}/v1/jobs/{running}/events", headers=key(live)).text.count("event:")
    assert events > 10
    assert len(loads) <= 5


def test_what_is_chosen_before_the_script_is_there_counts(page: Page, live: LiveFarm) -> None:
    held: list[Route] = []
    page.route("**/js/jobs.js", lambda route: held.append(route))
    page.goto(f"{live.url}/jobs", wait_until="commit")
    page.get_by_label("Status").select_option("failed")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.wait_for_url(re.compile("status=failed"))
    expect(page.get_by_label("Status")).to_have_value("failed")


def test_a_key_typed_before_the_script_is_there_gets_into_no_address(page: Page, live: LiveFarm) -> None:
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{live.url}/login")
    held: list[Route] = []
    page.route("**/js/login.js", lambda route: held.append(route))
    page.goto(f"{live.url}/login", wait_until="commit")
    page.get_by_label("API key").fill(live.key)
    page.keyboard.press("Enter")
    while not held:
        page.wait_for_timeout(20)
    assert live.key not in page.url
    expect(page.get_by_role("button", name="Log in")).to_be_disabled()
    held[0].continue_()
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live.url}/")


def test_a_wrong_key_and_a_wrong_address_are_told_in_words(page: Page, live: LiveFarm) -> None:
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("API key").fill("farm_0_0")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key does not open this farm.")
    expect(page.get_by_role("alert")).not_to_contain_text("Bearer")
    answer = page.goto(f"{live.url}/prices")
    assert answer is not None
    assert answer.status == 404
    page.get_by_role("link", name="Look at jobs").click()
    page.wait_for_url(f"{live.url}/login?next=%2Fjobs")
