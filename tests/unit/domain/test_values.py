import json
import pickle
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.domain import keys
from farm.domain.colour import FABRIC_NAMES, parse_background, parse_colour
from farm.domain.fingerprint import fingerprint
from farm.domain.ids import JOB_ID, new_job_id
from farm.domain.request import RenderRequest, parse_request
from farm.domain.shape import sides_px
from farm.domain.status import TRANSITIONS, Status, advance
from farm.domain.view import ALL_VIEWS, View
from farm.errors import BakeMissing, BakeTooSmall, FarmError, IllegalTransition, InvalidRequest, NotFound, every_error


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_every_error_survives_a_trip_through_ray(error: type[FarmError]) -> None:
    sent = error(reason="the disk is on fire", view="front_0deg", size_bytes=3)
    back = pickle.loads(pickle.dumps(sent))
    assert type(back) is error
    assert back.message == sent.message
    assert back.to_dict() == sent.to_dict()
    assert json.dumps(back.to_dict())
    assert back.hint.endswith((".", "?"))


def test_a_hint_names_what_is_concerned() -> None:
    """A command in a hint can be copied: what it needs is in it, by the error's fields."""
    bare = re.compile(
        r"`farm (?:template (?:bake|check)|jobs (?:retry|compensate|delete)|catalog (?:retry|report))(?! [{A-Z])"
    )
    assert [error.__name__ for error in every_error() if bare.search(error.hint)] == []
    missing = BakeMissing(template="long-sleeve-tee", view="back_180deg", size_px=2048)
    assert "`farm template bake long-sleeve-tee`" in missing.hint
    assert pickle.loads(pickle.dumps(missing)).to_dict()["hint"] == missing.hint
    assert "`farm template bake TEMPLATE --size 2048`" in BakeTooSmall(size_px=2048, baked_px=512).hint
    assert "farm jobs list --find" in NotFound(kind="job", id="job_0").hint
    assert NotFound(kind="output", id="x").hint == NotFound.hint


def test_error_codes_are_unique() -> None:
    named = [error.__dict__["code"] for error in every_error() if "code" in error.__dict__]
    assert [code for code, times in Counter(named).items() if times > 1] == []


@pytest.mark.parametrize("current", Status)
@pytest.mark.parametrize("wanted", Status)
def test_only_the_table_moves_a_status(current: Status, wanted: Status) -> None:
    if wanted == current or wanted in TRANSITIONS[current]:
        assert advance(current, wanted) is wanted
    else:
        with pytest.raises(IllegalTransition):
            advance(current, wanted)


def test_ended_statuses_lead_nowhere() -> None:
    assert {status for status in Status if status.ended} == {Status.COMPLETED, Status.FAILED, Status.CANCELLED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("#fff", "#ffffff"), ("#C8102E", "#c8102e"), ("rebeccapurple", "#663399"), (" Navy ", FABRIC_NAMES["navy"])],
)
def test_colours_have_many_spellings(text: str, expected: str) -> None:
    assert parse_colour(text) == expected


@pytest.mark.parametrize(
    "text", ["", "#ff", "#12345", "#ffffff00", "#ff00", "no such colour", "x" * 5000, "rgb(1,2", "#gggggg"]
)
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_colour(text)


def test_a_background_may_be_transparent_but_a_fabric_may_not() -> None:
    assert parse_background("Transparent") == "transparent"
    with pytest.raises(InvalidRequest):
        parse_request({"fabric_color": "transparent"})


def test_the_six_views_stand_in_their_order() -> None:
    assert [str(view) for view in ALL_VIEWS] == [
        "front_0deg",
        "left_90deg",
        "right_270deg",
        "back_180deg",
        "front_45deg_left",
        "front_45deg_right",
    ]
    assert View.RIGHT.azimuth_deg == 270


def test_an_empty_request_means_all_defaults() -> None:
    request = parse_request({})
    assert request.preset == "chest-large"
    assert request.views == ALL_VIEWS
    assert request.effective_samples == 16
    assert request.size == 1024


def test_views_are_put_in_order_and_samples_beat_quality() -> None:
    request = parse_request({"views": ["back_180deg", "front_0deg"], "quality": "high", "samples": 3})
    assert request.views == (View.FRONT, View.BACK)
    assert request.effective_samples == 3


def test_a_model_comes_with_all_unless_somebody_says_otherwise() -> None:
    assert not parse_request({}).effective_model
    assert parse_request({"mode": "all"}).effective_model
    assert not parse_request({"mode": "all", "model": False}).effective_model
    assert parse_request({"model": True, "views": []}).views == ()


@pytest.mark.parametrize(
    ("size", "aspect", "sides"),
    [
        (1024, "1:1", (1024, 1024)),
        (1350, "4:5", (1080, 1350)),
        (1920, "1920:1080", (1920, 1080)),
        (1000, "3:4", (750, 1000)),
        (1001, "2:1", (1001, 501)),
        (64, "1:4", (16, 64)),
    ],
)
def test_the_longer_side_and_an_aspect_make_a_picture(size: int, aspect: str, sides: tuple[int, int]) -> None:
    request = parse_request({"size": size, "aspect": aspect})
    assert sides_px(request.model_dump(mode="json")) == sides


def test_a_journal_of_before_aspects_has_square_pictures() -> None:
    assert sides_px({"size": 300}) == (300, 300)


def test_a_jpeg_without_a_background_is_on_white() -> None:
    assert parse_request({"format": "jpeg"}).effective_background == "#ffffff"


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"size": 63}, "/size"),
        ({"size": 4097}, "/size"),
        ({"size": "1024"}, "/size"),
        ({"size": 1024.5}, "/size"),
        ({"samples": 0}, "/samples"),
        ({"samples": 4097}, "/samples"),
        ({"samples": True}, "/samples"),
        ({"priority": 101}, "/priority"),
        ({"views": []}, "/views"),
        ({"views": [], "model": False}, "/views"),
        ({"model": "yes"}, "/model"),
        ({"aspect": "4/5"}, "/aspect"),
        ({"aspect": "5:1"}, "/aspect"),
        ({"aspect": "0:1"}, "/aspect"),
        ({"aspect": 1.5}, "/aspect"),
        ({"views": ["front_0deg", "front_0deg"]}, "/views"),
        ({"views": ["top"]}, "/views/0"),
        ({"mode": "film"}, "/mode"),
        ({"quality": "best"}, "/quality"),
        ({"format": "gif"}, "/format"),
        ({"saga": "big"}, "/saga"),
        ({"fabric_color": "sky-ish"}, "/fabric_color"),
        ({"background_color": 7}, "/background_color"),
        ({"product_id": ""}, "/product_id"),
        ({"product_id": "../../etc"}, "/product_id"),
        ({"product_id": "a\x00b"}, "/product_id"),
        ({"template": "../crew-tee"}, "/template"),
        ({"preset": "Chest Large"}, "/preset"),
        ({"placements": [{"y_cm": 10, "width_cm": -1}]}, "/placements/0/width_cm"),
        ({"placements": [{"y_cm": float("nan"), "width_cm": 10}]}, "/placements/0/y_cm"),
        ({"placements": [{"y_cm": 10, "width_cm": 10, "opacity": 0}]}, "/placements/0/opacity"),
        ({"placements": [{"y_cm": 10, "width_cm": 10, "panel": "hood"}]}, "/placements/0/panel"),
        ({"placements": [{"y_cm": 10, "width_cm": 10}] * 17}, "/placements"),
        ({"preset": None}, "/"),
        ({"format": "jpeg", "background_color": "transparent"}, "/"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_wrong_field_is_named(data: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_request(data)
    assert pointer in [fault["pointer"] for fault in refused.value.fields["errors"]]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nonsense_is_refused_and_nothing_else_happens(data: Any) -> None:
    try:
        assert isinstance(parse_request(data), RenderRequest)
    except InvalidRequest as refused:
        faults = refused.fields["errors"]
    else:
        faults = [{"pointer": "/", "reason": "accepted"}]
    assert faults


@given(st.integers(min_value=0, max_value=2**47))
def test_job_ids_sort_by_time(now_ms: int) -> None:
    earlier, later = new_job_id(now_ms), new_job_id(now_ms + 1)
    assert JOB_ID.fullmatch(earlier)
    assert earlier < later


def test_job_ids_stay_unique_when_the_clock_stands_still() -> None:
    assert len({new_job_id(0) for _ in range(10_000)}) == 10_000


def test_every_key_names_its_owner() -> None:
    assert keys.owner(keys.out("shop", "job_1", "front_0deg.png")) == ("shop", "jobs", "job_1")
    assert keys.owner(keys.manifest("shop", "job_1")) == ("shop", "jobs", "job_1")
    assert keys.owner(keys.uploads("shop", "job_1") + "0.png") == ("shop", "uploads", "job_1")
    assert keys.owner("lost.png") is None


def test_a_fingerprint_depends_on_what_the_picture_depends_on() -> None:
    base: dict[str, Any] = {
        "tenant": "default",
        "view": "front_0deg",
        "designs": ["a" * 64],
        "request": {"fabric_color": "#ffffff", "size": 512, "priority": 0},
        "template_hash": "t",
        "renderer": "bpy 5.2.3",
        "device": "cpu",
    }
    changes: list[dict[str, Any]] = [
        {"tenant": "other"},
        {"view": "back_180deg"},
        {"designs": ["b" * 64]},
        {"request": {"fabric_color": "#000000", "size": 512}},
        {"template_hash": "u"},
        {"renderer": "bpy 5.2.4"},
        {"device": "cuda"},
    ]
    prints = {fingerprint(**base), *(fingerprint(**{**base, **change}) for change in changes)}
    assert len(prints) == len(changes) + 1
    assert fingerprint(**{**base, "request": {"fabric_color": "#ffffff", "size": 512, "priority": 9}}) == fingerprint(
        **base
    )
