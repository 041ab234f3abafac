"""Progress as readers are told it: it rises, whatever fails on the way."""

from typing import Any

from farm.render.progress import with_shares
from farm.render.record import record_of
from farm.render.tasks.heartbeat import Shares
from farm.saga.fold import fold
from tests.unit.cli.paper import AT_S, JOB, Journal

VIEWS = ("front_0deg", "back_180deg")
WRONG = {"code": "bad_model", "message": "it is missing", "hint": ""}


def told(journal: Journal, now: dict[str, float], farthest: dict[str, float], at_s: float = 60.0) -> dict[str, Any]:
    record = record_of(JOB, fold(journal.entries), lambda key: f"file:///{key}")
    return with_shares(record, Shares(now=dict(now), farthest=dict(farthest)), AT_S + at_s)


def test_a_model_that_is_tried_again_takes_nothing_back() -> None:
    """As it was seen: six stills done, the model at its verdict, which is against it."""
    journal = Journal(views=list(VIEWS), model=True).rendering()
    for view in VIEWS:
        journal.view_begins(view).view_done(view)
    journal.noted(event="model_attempt", attempt=1)
    judged = told(journal, {"model": 0.75}, {"model": 0.75})
    journal.noted(event="model_failed", error=WRONG)
    waiting = told(journal, {}, {"model": 0.75})
    journal.noted(event="model_attempt", attempt=2)
    again = told(journal, {"model": 0.1}, {"model": 0.75})
    shown = [(one["progress"], one["model"]["progress"], one["eta_s"]) for one in (judged, waiting, again)]
    assert shown[0] == shown[1] == shown[2]
    assert again["model"]["status"] == "rendering"
    assert waiting["eta_s"] == judged["eta_s"] > 0


def test_a_failed_job_says_how_far_it_came_and_that_nothing_is_done() -> None:
    journal = Journal(views=[*VIEWS, "left_90deg"], model=True).rendering()
    journal.view_begins("front_0deg").view_done("front_0deg").view_begins("back_180deg")
    before = told(journal, {}, {})
    journal.view_failed("back_180deg", "bad_picture", "blank").stopped().undoing("failed", WRONG)
    undoing = told(journal, {}, {})
    failed = told(journal.undone().failed(WRONG), {}, {})
    assert before["progress"] == undoing["progress"] == failed["progress"] > 10
    statuses = {view["view"]: view["status"] for view in failed["views"]}
    assert statuses == {"front_0deg": "undone", "back_180deg": "failed", "left_90deg": "cancelled"}
    assert failed["model"]["status"] == "cancelled"
    pending = told(Journal(views=list(VIEWS)).rendering().undoing("failed", WRONG).failed(WRONG, pending=True), {}, {})
    assert [view["status"] for view in pending["views"]] == ["waiting", "waiting"]
