"""Rows of a batch take what is kept before they relight anything, and keep what they made."""

from dataclasses import replace
from pathlib import Path

import pytest

from farm.adapters.design_source import Designs
from farm.adapters.file_store import FileStore
from farm.errors import AttemptOvertaken, FetchFailed, StorageUnavailable
from farm.render.tasks.row_bench import RowBench
from farm.render.tasks.rows_task import relight_rows
from farm.settings import Settings
from tests.unit.tasks.row_hands import VIEWS, Ahead, Hands, bench, hands, task

__all__ = ["bench", "hands"]


def test_equal_rows_are_relit_once_in_a_piece_and_over_pieces(bench: RowBench, hands: Hands) -> None:
    first = relight_rows(task("a.png", "a.png"), bench=bench, progress=Ahead())
    assert hands.relit == VIEWS
    assert [[view["cached"] for view in answer["views"]] for answer in first] == [[False, False], [True, True]]
    again = relight_rows(task("a.png", token="two"), bench=bench, progress=Ahead())
    assert (hands.relit, hands.decoded) == (VIEWS, 2), (
        "a design that is not known is looked at, its views are not relit"
    )
    assert [view["sha256"] for view in again[0]["views"]] == [view["sha256"] for view in first[0]["views"]]
    assert (again[0]["renderer"], again[0]["design_px"]) == ("relight 1 abc", (30, 40))
    assert again[0]["warnings"] == first[0]["warnings"] != []
    for view in again[0]["views"]:
        assert bench.store.get(f"t/shop/jobs/job-two-0/out/two/{view['view']}.png", sha256=view["sha256"])


def test_a_forced_piece_relights_and_keeps_the_new(bench: RowBench, hands: Hands) -> None:
    relight_rows(task("a.png"), bench=bench, progress=Ahead())
    forced = relight_rows(task("a.png", token="two", force=True), bench=bench, progress=Ahead())
    assert len(hands.relit) == 4
    later = relight_rows(task("a.png", token="three"), bench=bench, progress=Ahead())
    assert [view["sha256"] for view in later[0]["views"]] == [view["sha256"] for view in forced[0]["views"]]


def test_what_a_known_design_measures_is_told_without_decoding_it(bench: RowBench, hands: Hands) -> None:
    [made] = relight_rows(task("a.png"), bench=bench, progress=Ahead())
    known = task("a.png", token="two")
    row = {**known.rows[0], "known": [made["sha256"], *made["design_px"]]}
    [answer] = relight_rows(replace(known, rows=(row,)), bench=bench, progress=Ahead())
    assert answer["design_px"] == made["design_px"] == (30, 40)
    assert answer["warnings"] == made["warnings"] != []
    assert hands.decoded == 1


def test_an_overtaken_worker_takes_nothing(bench: RowBench, hands: Hands) -> None:
    relight_rows(task("a.png"), bench=bench, progress=Ahead())
    hands.overtaken = True
    with pytest.raises(AttemptOvertaken):
        relight_rows(task("a.png", token="two"), bench=bench, progress=Ahead())


def test_a_store_that_is_away_is_raised_and_is_no_rows_answer(bench: RowBench, tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("where the folder was")
    away = FileStore(tmp_path / "objects")
    with pytest.raises(StorageUnavailable):
        relight_rows(task("a.png", "b.png"), bench=replace(bench, store=away), progress=Ahead())


def test_a_designs_server_that_is_away_is_that_rows_alone(
    bench: RowBench, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(address: str) -> tuple[bytes, str | None]:
        if address == "gone.png":
            raise FetchFailed(address=address, reason="the server answers 503")
        return address.encode(), address

    monkeypatch.setattr(hands, "fetch", fetch)
    first, second = relight_rows(task("gone.png", "a.png"), bench=bench, progress=Ahead())
    assert (first["error"]["code"], first["error"]["retryable"], "error" in second) == ("fetch_failed", True, False)


def test_an_address_that_cannot_be_used_fails_its_own_row_alone(bench: RowBench, hands: Hands, tmp_path: Path) -> None:
    (tmp_path / "good ü.png").write_bytes(b"good")
    settings = Settings(home=tmp_path, fetch_hosts="127.0.0.1", fetch_timeout_s=2.0)
    addresses = {
        (tmp_path / "good ü.png").as_uri(): None,
        "http://127.0.0.1:1/grün.png": "fetch_failed",  # nobody listens there
        "http://127.0.0.1:1/👕.png": "fetch_failed",
        "https://bücher..example/": "fetch_refused",
        "https://[x/y": "fetch_refused",
        "s3://tees": "fetch_refused",
        "file:///a%00b": "design_not_found",
        "file:///\ud800": "design_not_found",
    }
    answers = relight_rows(task(*addresses), bench=replace(bench, designs=Designs.of(settings)), progress=Ahead())
    assert [answer.get("error", {}).get("code") for answer in answers] == list(addresses.values())
    assert hands.relit == VIEWS
