"""A bench for rows whose hands only count: nothing is shaded, every picture differs."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blender.protocol import ViewOrder
from farm.adapters.memory_store import MemoryStore
from farm.domain.request import parse_request
from farm.domain.template import Template, find
from farm.errors import AttemptOvertaken
from farm.picture.decode_server import Pixels
from farm.picture.texture import PanelTexture
from farm.render.catalog.ports import RowsTask
from farm.render.prepare import normalise
from farm.render.results import ResultCache
from farm.render.tasks import alike_rows
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.row_bench import RowBench, Taken
from farm.render.tasks.view_task import Judge, Judgement
from farm.settings import Settings

VIEWS = ["front_0deg", "back_180deg"]
TEMPLATE = find(Settings.load({"FARM_HOME": "/nowhere"}).template_folders, "crew-tee")


@dataclass
class Hands:
    """Counts what is fetched, decoded and relit; every picture differs."""

    relit: list[str] = field(default_factory=list)
    passes: list[tuple[str, int]] = field(default_factory=list)
    textures: list[PanelTexture] = field(default_factory=list)
    decoded: int = 0
    broken: str = ""
    overtaken: bool = False

    def identity(self, address: str, *, remote: bool = True) -> str | None:
        return address

    def fetch(self, address: str) -> tuple[bytes, str | None]:
        return address.encode(), address

    def decode(self, data: bytes) -> Pixels:
        self.decoded += 1
        return Pixels(pixels=np.full((40, 30, 4), 255, np.uint8), warnings=())

    def relight(
        self, orders: Sequence[ViewOrder], template: Template, textures: Sequence[PanelTexture]
    ) -> Iterator[Taken]:
        self.passes.append((orders[0].view, len(orders)))
        self.textures += [one for one in textures if not any(one is known for known in self.textures)]
        for order in orders:
            if order.fabric_color == self.broken:
                raise ValueError("this fabric cannot be shaded")
            self.relit.append(order.view)
            out = io.BytesIO()
            Image.new("RGB", (order.width_px, order.height_px), (len(self.relit), 0, 0)).save(out, "PNG")
            yield Taken(data=out.getvalue(), renderer="relight 1 abc")

    def check_lease(self) -> None:
        if self.overtaken:
            raise AttemptOvertaken(view="rows-0000")


def accept(template: Path, textures: Sequence[PanelTexture] | None = None) -> Judge:
    return lambda data, order: Judgement()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    monkeypatch.setattr(alike_rows, "judge_with", accept)  # these pictures show no garment
    return Hands()


@pytest.fixture
def bench(hands: Hands) -> RowBench:
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
        threads=1,
    )


class Ahead(Progress):
    def __init__(self) -> None:
        pass

    def enter(self, phase: str, fraction: float) -> None:
        return None


def request_of(**fields: Any) -> Mapping[str, Any]:
    """A normalised request."""
    fields = {"size": 64, "views": VIEWS, "fabric_color": "#102030", "engine": "relight", **fields}
    request = parse_request(fields)
    return normalise(request, TEMPLATE.placements(request.preset, request.placements, 1))


def task(*designs: str, token: str = "one", requests: Sequence[Mapping[str, Any]] = (), **options: Any) -> RowsTask:
    """A row of each design.

    Args:
        requests: of each row; by default all are alike.
    """
    facts = {"id": TEMPLATE.id, "version": TEMPLATE.version, "hash": TEMPLATE.hash}
    rows = [
        {"i": number, "job": f"job-{token}-{number}", "design": design, "request": request}
        | {"template": facts, "engine": {"chosen": "relight"}, "known": None}
        for number, (design, request) in enumerate(zip(designs, requests or [request_of()] * len(designs), strict=True))
    ]
    plain = RowsTask(tenant="shop", batch_id="b", name="n", token=token, rows=tuple(rows), deadline_s=9)
    return replace(plain, **options)
