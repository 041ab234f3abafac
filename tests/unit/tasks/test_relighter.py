"""The relighter: pictures of many fabrics in one go are byte for byte those that a job makes one at a time."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blender.protocol import ViewOrder
from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.memory_store import MemoryStore
from farm.picture.relight import print_for
from farm.picture.texture import PanelTexture
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.render.tasks import relighter as room
from farm.render.tasks.relighter import Relighter
from tests.unit.picture.baked import flat_bake

FABRICS = ("#ffffff", "#101010", "#1f2a44", "#c81e2c", "#0b5d3b", "#f4d03f", "#7f7f7f")


@pytest.fixture
def relighter(tmp_path: Path) -> Relighter:
    store = MemoryStore()
    data = flat_bake(short_px=20)  # wider than high, as no mistake of rows for columns survives
    store.put("front", data, content_type="application/octet-stream")
    part = BakedPart(
        name="front_0deg", key="front", sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), samples=1,
        renderer="cycles", seconds=1.0,
    )  # fmt: skip
    bake = Bake(template="flat", template_hash="0" * 64, size_px=64, parts={"front_0deg": part})
    store.put(bakes.index_key("flat", "0" * 64, 64), bake.to_json(), content_type="application/json")
    shelf = BakeShelf(tmp_path / "places")
    return Relighter(store=store, shelf=shelf, template="flat", template_hash="0" * 64, folder=tmp_path, threads=1)


def order(out: Path, fabric: str, **more: object) -> ViewOrder:
    plain = ViewOrder(
        template=str(out.parent), view="front_0deg", out=str(out), width_px=64, height_px=64, samples=1,
        fabric_color=fabric, background="#eeeeee", format="jpeg",
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def texture(seed: int = 1) -> PanelTexture:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 4), np.uint8)
    return PanelTexture(panel="front", pixels=pixels, x_cm=4.0, y_cm=4.0, width_cm=6.0, height_cm=6.0)


@pytest.mark.parametrize("more", [{}, {"background": None, "format": "png"}, {"width_px": 48, "height_px": 40}])
def test_many_fabrics_at_once_are_the_pictures_of_each_alone(
    relighter: Relighter, tmp_path: Path, more: dict[str, object]
) -> None:
    prints = [texture()]
    orders = [order(tmp_path / "picture", fabric, **more) for fabric in FABRICS]
    together = [picture.data for picture in relighter.pictures(orders, prints)]
    alone = []
    for one in orders:
        relighter.render(one, prints=prints)
        alone.append(Path(one.out).read_bytes())
    assert together == alone
    assert len(set(alone)) == len(FABRICS)


def test_texels_serve_every_view_until_there_are_other_textures(
    relighter: Relighter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(*args: object, **more: object) -> object:
        made.append(more)
        return print_for(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "print_for", counted)
    first, second = texture(1), texture(2)
    orders = [order(tmp_path / "picture", FABRICS[0])]
    for textures in ([first], [first], [second], [first, second]):
        list(relighter.pictures(orders, textures))
    assert len(made) == 3
    list(relighter.pictures([replace(orders[0], width_px=32, height_px=32)], [first, second]))
    assert len(made) == 4, "texels are of one size"
