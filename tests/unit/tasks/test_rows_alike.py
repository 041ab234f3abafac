"""Rows of one look are done together: what they share is made once, and what is one row's own stays its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blender.protocol import ViewOrder
from farm.errors import AttemptOvertaken, BadPicture
from farm.picture.texture import PanelTexture
from farm.render.results import ResultCache
from farm.render.tasks import alike_rows
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.row_bench import RowBench
from farm.render.tasks.rows_task import relight_rows
from farm.render.tasks.view_task import Judge, Judgement
from tests.unit.tasks.row_hands import VIEWS, Ahead, Hands, bench, hands, request_of, task

__all__ = ["bench", "hands"]

COLOURS = ("#102030", "#ffffff", "#990000")
FRONT, BACK = VIEWS


def in_colours(**fields: Any) -> list[Mapping[str, Any]]:
    return [request_of(fabric_color=colour, **fields) for colour in COLOURS]


def test_a_design_in_many_colours_is_decoded_and_composed_once_and_each_view_shaded_in_one_pass(
    bench: RowBench, hands: Hands
) -> None:
    # The second design comes between, as a manifest may have it.
    requests = [one for pair in zip(in_colours(), in_colours(), strict=True) for one in pair]
    answers = relight_rows(task(*("a.png", "b.png") * 3, requests=requests), bench=bench, progress=Ahead())
    assert [answer["i"] for answer in answers] == [0, 1, 2, 3, 4, 5], "answers keep the rows' order"
    assert (hands.decoded, len(hands.textures)) == (2, 2)
    assert hands.passes == [(FRONT, 3), (BACK, 3)] * 2
    shown = [view["sha256"] for answer in answers for view in answer["views"]]
    assert len(set(shown)) == 12, "each row has pictures of its own"
    assert {(answer["made"], answer["alike"]) for answer in answers} == {(2, 3)}
    assert all(0 < answer["print_s"] < answer["seconds"] for answer in answers)


def test_ink_that_dyes_the_cloth_is_composed_for_each_fabric(bench: RowBench, hands: Hands) -> None:
    place = {"panel": "front", "x_cm": 0, "y_cm": 20, "width_cm": 10}
    inks: tuple[dict[str, Any], ...] = ({"underbase": False}, {"blend": "screen"})
    for number, ink in enumerate(inks):
        requests = in_colours(placements=[{**place, **ink}])
        answers = relight_rows(task(*[f"{number}.png"] * 3, requests=requests), bench=bench, progress=Ahead())
        assert not any("error" in answer for answer in answers)
        assert len(hands.textures) == 3 * (number + 1), ink
        warned = ["print_without_underbase" in [one["code"] for one in answer["warnings"]] for answer in answers]
        assert warned == [number == 0, False, number == 0], "as an ordinary job is warned"


def test_a_picture_that_is_refused_or_cannot_be_shaded_fails_its_own_row(
    bench: RowBench, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(template: Path, textures: Sequence[PanelTexture] | None = None) -> Judge:
        def judge(data: bytes, order: ViewOrder) -> Judgement:
            return Judgement(reason="wrong" if order.fabric_color == COLOURS[0] else "")

        return judge

    monkeypatch.setattr(alike_rows, "judge_with", picky)
    hands.broken = COLOURS[1]
    answers = relight_rows(task(*["a.png"] * 3, requests=in_colours()), bench=bench, progress=Ahead())
    codes = [answer.get("error", {}).get("code") for answer in answers]
    assert codes == [BadPicture.code, "render_error", None]
    assert [view["view"] for view in answers[2]["views"]] == VIEWS
    assert hands.passes[-1] == (BACK, 1), "a row that failed asks for no other view"


def test_the_very_same_picture_is_made_once_unless_that_is_forced_or_nothing_is_kept(
    bench: RowBench, hands: Hands
) -> None:
    again = [*in_colours(), request_of(fabric_color=COLOURS[0], product_id="other")]
    answers = relight_rows(task(*["a.png"] * 4, requests=again), bench=bench, progress=Ahead())
    assert (len(hands.relit), hands.decoded) == (6, 1)
    assert [one["sha256"] for one in answers[3]["views"]] == [one["sha256"] for one in answers[0]["views"]]
    assert (answers[3]["made"], {one["cached"] for one in answers[3]["views"]}) == (0, {True})
    relight_rows(task(*["a.png"] * 4, requests=again, token="two", force=True), bench=bench, progress=Ahead())
    assert len(hands.relit) == 6 + 8
    nothing = replace(bench, results=ResultCache(bench.store, days=0))
    relight_rows(task(*["a.png"] * 4, requests=again, token="three"), bench=nothing, progress=Ahead())
    assert len(hands.relit) == 14 + 8


def test_progress_moves_with_each_picture(bench: RowBench) -> None:
    seen = []

    class Watched(Progress):
        def __init__(self) -> None:
            pass

        def enter(self, phase: str, fraction: float) -> None:
            seen.append(round(fraction, 6))

    requests = [*in_colours(), request_of()]
    relight_rows(task(*["a.png"] * 3, "b.png", requests=requests), bench=bench, progress=Watched())
    parts = [0, *(number / 8 for number in range(1, 9)), 1]
    assert sorted(set(seen)) == sorted(set(parts))
    assert seen == sorted(seen)


def test_an_overtaken_worker_stops_in_the_middle(bench: RowBench, hands: Hands) -> None:
    def lost() -> None:
        if len(hands.relit) > 1:
            raise AttemptOvertaken(view="rows-0000")

    wanted, held = task(*["a.png"] * 3, requests=in_colours()), replace(bench, check_lease=lost)
    with pytest.raises(AttemptOvertaken):
        relight_rows(wanted, bench=held, progress=Ahead())
    assert len(hands.relit) == 2
