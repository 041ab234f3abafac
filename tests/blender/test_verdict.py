"""The verdict on real renders of the crew tee: honest ones pass at one sample, and each tells its own print."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blender.protocol import PanelPrint, ViewOrder
from blender.session import Session
from farm.domain.panel import PanelShape
from farm.domain.placement import Placement
from farm.picture.compose import Layer, compose
from farm.picture.decode import DecodeLimits, decode
from farm.picture.light import linear_rgb
from farm.picture.texture import PanelTexture
from farm.picture.verdict import Verdict, ViewMaps, judge
from tests.picture_designs import prints

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates" / "crew-tee"
NORDLYS = decode((ROOT / "examples" / "nordlys.png").read_bytes(), limits=DecodeLimits()).pixels


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(TEMPLATE, device="cpu", threads=2) as opened:
        yield opened


def printed(pixels: prints.Pixels | None) -> dict[str, PanelTexture]:
    if pixels is None:
        return {}
    shape = PanelShape.from_template("front", json.loads((TEMPLATE / "template.json").read_text())["panels"]["front"])
    placed = Layer(pixels=pixels, placement=Placement(y_cm=26, width_cm=30, height_cm=40))
    return {"front": compose([placed], panel=shape, fabric=(1, 1, 1), px_per_cm=10)}


def rendered(session: Session, folder: Path, textures: dict[str, PanelTexture], view: str, fabric: str) -> np.ndarray:
    ordered = []
    for name, one in textures.items():
        path = folder / f"{name}.png"
        Image.fromarray(one.pixels).save(path)
        extent = {"x_cm": one.x_cm, "y_cm": one.y_cm, "width_cm": one.width_cm, "height_cm": one.height_cm}
        ordered.append(PanelPrint(panel=name, path=str(path), **extent))
    order = ViewOrder(
        template=str(TEMPLATE),
        view=view,
        prints=tuple(ordered),
        fabric_color=fabric,
        width_px=128,
        height_px=128,
        samples=1,
        threads=2,
        device="cpu",
        out=str(folder / "view.png"),
    )
    session.render(order)
    return np.asarray(Image.open(order.out).convert("RGBA"))


def maps(view: str) -> ViewMaps:
    order = tuple(json.loads((TEMPLATE / "template.json").read_text())["panel_order"])
    with np.load(TEMPLATE / "verdict.npz") as arrays:
        return ViewMaps.of(dict(arrays), view, order)


def verdict(picture: np.ndarray, textures: dict[str, PanelTexture], view: str, fabric: str) -> Verdict:
    return judge(picture, maps=maps(view), textures=textures, fabric=linear_rgb(fabric), samples=1)


@pytest.mark.parametrize(
    ("design", "fabric", "view"),
    [
        (NORDLYS, "#ffffff", "front_0deg"),
        (NORDLYS, "#161616", "front_45deg_left"),
        (NORDLYS, "#c8102e", "left_90deg"),
        (prints.photo(), "#1f2a44", "front_45deg_right"),
        (prints.flat((255, 255, 255)), "#ffffff", "front_0deg"),
        (prints.flat((22, 22, 22)), "#161616", "front_0deg"),
        (None, "#000000", "right_270deg"),
        (None, "#ffffff", "back_180deg"),
    ],
)
def test_a_render_at_one_sample_passes(
    session: Session, tmp_path: Path, design: prints.Pixels | None, fabric: str, view: str
) -> None:
    textures = printed(design)
    outcome = verdict(rendered(session, tmp_path, textures, view, fabric), textures, view, fabric)
    assert outcome.ok, (outcome.reasons, outcome.measures)


def test_a_render_tells_its_own_print_fabric_and_side(session: Session, tmp_path: Path) -> None:
    own = printed(NORDLYS)
    picture = rendered(session, tmp_path, own, "front_0deg", "#ffffff")
    assert verdict(picture, own, "front_0deg", "#ffffff").ok
    mirrored = {"front": replace(own["front"], pixels=own["front"].pixels[:, ::-1].copy())}
    moved = {"front": replace(own["front"], y_cm=own["front"].y_cm + 2)}
    for other in ({}, printed(prints.quadrants()), mirrored, moved):
        assert not verdict(picture, other, "front_0deg", "#ffffff").ok
    assert not verdict(picture, own, "front_0deg", "#161616").ok
    for view in ("back_180deg", "front_45deg_left", "left_90deg"):
        assert not verdict(picture, own, view, "#ffffff").ok
