import io
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from farm.cli.console import money
from farm.cli.download import SavedFile
from farm.cli.jobs import jobs_table
from farm.cli.summary import job_table, summary, title
from tests.unit.cli.paper import JOB, Journal


def text_of(renderable: RenderableType, width: int = 80) -> str:
    written = io.StringIO()
    Console(file=written, width=width, color_system=None).print(renderable, crop=False)
    return written.getvalue()


def completed(**request: Any) -> dict[str, Any]:
    warning = {"code": "low_dpi", "message": "the print has 96 DPI; under 150 it may look soft on cloth"}
    journal = Journal(
        product_id="tee-42", views=["front_0deg", "back_180deg"], warnings=(warning,), **request
    ).rendering()
    for view in ("front_0deg", "back_180deg"):
        journal.view_begins(view).view_done(view)
    return journal.completed("front_0deg", "back_180deg").record()


def test_a_completed_job_names_its_files_its_product_its_seconds_and_its_warnings() -> None:
    folder = Path("/shop/out")
    files = [
        SavedFile(path=folder / "front_0deg.png", size_bytes=412_000, width_px=1024, height_px=1024, view="front_0deg"),
        SavedFile(path=folder / "manifest.json", size_bytes=840),
    ]
    text = text_of(summary(completed(), files, folder))
    assert text.startswith("✓ completed in ")
    assert "front_0deg.png   1024 x 1024   412 kB   2.1 s" in text
    assert "in /shop/out" in text
    assert "product tee-42 has 2 new pictures, thumbnail front_0deg" in text
    assert "⚠ low_dpi  the print has 96 DPI" in text


def test_a_failed_job_says_why_what_to_do_and_that_nothing_is_left() -> None:
    error = {"code": "view_stalled", "message": "View front_0deg made no progress.", "hint": "Look at the log."}
    record = Journal().rendering().undoing("failed", error).undone().failed(error).record()
    text = text_of(summary(record, [], None))
    assert text.startswith("✗ failed after ")
    assert "view_stalled  View front_0deg made no progress." in text
    assert "hint: Look at the log." in text
    assert "Everything is undone" in text
    assert f"farm jobs retry {JOB}" in text


def test_a_job_that_could_not_be_undone_says_how_to_finish_it() -> None:
    error = {"code": "shop_refused", "message": "no", "hint": "Correct the product."}
    record = Journal().rendering().undoing("failed", error).failed(error, pending=True).record()
    text = text_of(summary(record, [], None))
    assert "undo open" in text
    assert f"farm jobs compensate {JOB}" in text
    assert "Everything is undone" not in text


def test_a_cancelled_job_is_no_failure_in_words() -> None:
    text = text_of(
        summary(Journal().rendering().stopped().undoing("cancelled").undone().cancelled().record(), [], None)
    )
    assert text.startswith("– cancelled after ")
    assert "Everything is undone" in text


def test_the_title_says_what_is_asked_for() -> None:
    request = Journal(fabric_color="navy", views=["front_0deg"], mode="all", size=512, quality="draft").record()[
        "request"
    ]
    words = "logo.png on crew-tee, chest-large, #1f2a44: 1 view, turntable film and 3D model, 512 px"
    assert title("logo.png", request) == words
    assert title("logo.png", {**request, "engine": "cycles"}) == f"{words}, 8 samples"


def test_a_list_shows_id_status_and_the_reason_of_a_failure_in_80_columns() -> None:
    error = {"code": "view_stalled", "message": "m" * 200, "hint": "h"}
    records = [
        completed(),
        Journal().rendering().view_begins("front_0deg").record({"front_0deg": 0.5}),
        Journal().rendering().undoing("failed", error).undone().failed(error).record(),
    ]
    lines = text_of(jobs_table(records, width=80)).splitlines()
    assert len(lines) == 4
    assert all(JOB in line for line in lines[1:])
    assert "completed" in lines[1]
    assert "tee-42" in lines[1]
    assert "0 of 6 views" in lines[2]
    assert "view_stalled" in lines[3]


def test_a_job_is_shown_with_all_its_views() -> None:
    text = text_of(job_table(completed()), width=120)
    assert "front_0deg" in text
    assert "back_180deg" in text
    assert "file:///objects/out/back_180deg.png" in text


def test_a_cost_has_a_currency_and_no_more_figures_than_are_read() -> None:
    costs = {0.0: "0 USD", 1.5e-05: "under 0.0001 USD", 0.000149: "0.00015 USD", 0.0137: "0.014 USD", 12.4: "12.40 USD"}
    assert {cost: money(cost, "USD") for cost in costs} == costs
    record = {**completed(), "cost": 1.5e-05, "currency": "EUR", "usage": {"cpu_s": 1.4, "gpu_s": 0.0}}
    assert "under 0.0001 EUR" in text_of(job_table(record))


def test_a_job_of_a_model_alone_speaks_of_no_views() -> None:
    journal = Journal(views=[], model=True).rendering().noted(event="model_attempt", attempt=1)
    text = text_of(jobs_table([journal.record()], width=80))
    assert "10 %, no" in text
    assert "model yet" in text
    assert "views" not in text


def test_a_job_that_failed_says_nothing_of_percent() -> None:
    error = {"code": "bad_picture", "message": "blank", "hint": ""}
    journal = Journal(views=["front_0deg"]).rendering().view_begins("front_0deg").view_done("front_0deg")
    text = text_of(job_table(journal.undoing("failed", error).undone().failed(error).record()))
    assert "%" not in text
    assert "undone" in text
