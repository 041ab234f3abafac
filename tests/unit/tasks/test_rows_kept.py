"""Rows of a batch take what is kept before they relight anything, and keep what they made."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blender.protocol import ViewOrder
from farm.adapters.design_source import Designs
from farm.adapters.file_store import FileStore
from farm.adapters.memory_store import MemoryStore
from farm.domain.request import parse_request
from farm.domain.template import Template, find
from farm.errors import AttemptOvertaken, FetchFailed, StorageUnavailable
from farm.picture.decode_server import Pixels
from farm.picture.texture import PanelTexture
from farm.render.catalog.ports import RowsTask
from farm.render.prepare import normalise
from farm.render.results import ResultCache
from farm.render.tasks import rows_task
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.rows_task import RowBench, Taken, relight_rows
from farm.render.tasks.view_task import Judge, Judgement
from farm.settings import Settings

VIEWS = ["front_0deg", "back_180deg"]
TEMPLATE = find(Settings.load({"FARM_HOME": "/nowhere"}).template_folders, "crew-tee")


@dataclass
class Hands:
    """Counts what is fetched, decoded and relit; every picture differs."""

    relit: list[str] = field(default_factory=list)
    decoded: int = 0
    overtaken: bool = False

    def identity(self, address: str, *, remote: bool = True) -> str | None:
        return address

    def fetch(self, address: str) -> tuple[bytes, str | None]:
        return address.encode(), address

    def decode(self, data: bytes) -> Pixels:
        self.decoded += 1
        return Pixels(pixels=np.full((40, 30, 4), 255, np.uint8), warnings=())

    def relight(self, order: ViewOrder, template: Template, textures: Sequence[PanelTexture]) -> Taken:
        self.relit.append(order.view)
        out = io.BytesIO()
        Image.new("RGB", (order.width_px, order.height_px), (len(self.relit), 0, 0)).save(out, "PNG")
        return Taken(data=out.getvalue(), renderer="relight 1 abc")

    def check_lease(self) -> None:
        if self.overtaken:
            raise AttemptOvertaken(view="rows-0000")


def accept(template: Path, textures: Sequence[PanelTexture] | None = None) -> Judge:
    return lambda data, order: Judgement()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    monkeypatch.setattr(rows_task, "judge_with", accept)  # these pictures show no garment
    return Hands()


@pytest.fixture
def bench(hands: Hands, tmp_path: Path) -> RowBench:
    def fingerprints(data: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        design, colour = data["designs"][0]["sha256"], data["request"]["fabric_color"][1:]
        return {view: ((design[:50] + colour + view.encode().hex())[:64].ljust(64, "0"),) for view in VIEWS}

    store = MemoryStore()
    return RowBench(
        store=store,
        designs=hands,
        decode=hands.decode,
        find=lambda wanted: TEMPLATE,
        relight=hands.relight,
        results=ResultCache(store, days=1),
        fingerprints=fingerprints,
        check_lease=hands.check_lease,
        folder=tmp_path,
        threads=1,
    )


class Ahead(Progress):
    def __init__(self) -> None:
        pass

    def enter(self, phase: str, fraction: float) -> None:
        return None


def task(*designs: str, token: str = "one", **options: Any) -> RowsTask:
    request = parse_request({"size": 64, "views": VIEWS, "fabric_color": "#102030", "engine": "relight"})
    placements = TEMPLATE.placements(request.preset, request.placements, 1)
    facts = {"id": TEMPLATE.id, "version": TEMPLATE.version, "hash": TEMPLATE.hash}
    rows = [
        {"i": number, "job": f"job-{token}-{number}", "design": design, "request": normalise(request, placements)}
        | {"template": facts, "engine": {"chosen": "relight"}, "known": None}
        for number, design in enumerate(designs)
    ]
    plain = RowsTask(tenant="shop", batch_id="b", name="n", token=token, rows=tuple(rows), deadline_s=9)
    return replace(plain, **options)


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
