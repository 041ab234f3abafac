"""The verdict on 3D models: honest ones pass, twelve spoiled ones do not."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blender.glb import Glb
from blender.model import write_model
from blender.protocol import PANELS, ModelOrder, PanelPrint
from blender.template import load_template
from farm.domain.request import parse_request
from farm.domain.template import Template
from farm.picture.light import linear_rgb
from farm.picture.model_verdict import MOST_PRINT_ERROR, Surface, judge_model
from farm.picture.texture import PanelTexture
from farm.picture.verdict import Verdict
from farm.render.prepare import normalise
from farm.render.tasks.compose_task import composed, facts_of

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "templates" / "crew-tee"


@pytest.fixture(scope="module")
def surface() -> Surface:
    template = load_template(TEMPLATE)
    mesh = template.mesh()
    return Surface(
        panel_order=PANELS,
        points_cm=mesh.points_cm,
        faces=mesh.faces,
        panel=mesh.face_panel,
        corner_cm=mesh.corner_cm,
        gain=float(template.facts["finish"]["albedo_gain"]),
    )


def _texture(path: Path, panel: str = "front") -> PanelTexture:
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGBA"))
    width_cm = 26.0
    return PanelTexture(
        panel=panel,
        pixels=pixels,
        x_cm=-width_cm / 2,
        y_cm=8.0,
        width_cm=width_cm,
        height_cm=width_cm * pixels.shape[0] / pixels.shape[1],
    )


class Case:
    """A model and what it must show."""

    def __init__(self, folder: Path, surface: Surface, fabric: str, textures: dict[str, PanelTexture]) -> None:
        self.surface, self.fabric, self.textures = surface, fabric, textures
        prints = []
        for panel, one in textures.items():
            path = folder / f"{panel}.png"
            Image.fromarray(one.pixels).save(path)
            prints.append(
                PanelPrint(
                    panel=panel, path=str(path), x_cm=one.x_cm, y_cm=one.y_cm, width_cm=one.width_cm,
                    height_cm=one.height_cm,
                )
            )  # fmt: skip
        out = folder / "model.glb"
        write_model(ModelOrder(template=str(TEMPLATE), out=str(out), prints=tuple(prints), fabric_color=fabric))
        self.data = out.read_bytes()

    def verdict(self, data: bytes | None = None, **changed: Any) -> Verdict:
        wanted: dict[str, Any] = {
            "surface": self.surface, "textures": self.textures, "fabric": linear_rgb(self.fabric),
            "most_bytes": 6_000_000,
        }  # fmt: skip
        return judge_model(self.data if data is None else data, **{**wanted, **changed})


@pytest.fixture(scope="module")
def badge(tmp_path_factory: pytest.TempPathFactory, surface: Surface) -> Case:
    folder = tmp_path_factory.mktemp("badge")
    return Case(folder, surface, "#1f2a44", {"front": _texture(ROOT / "examples" / "tidewater-badge.png")})


@pytest.mark.parametrize(
    ("design", "fabric", "panel"),
    [
        ("nordlys.png", "#ffffff", "front"),
        ("dunes-photo.jpg", "#161616", "back"),
        ("tidewater-badge.png", "#c8102e", "sleeve_left"),
        (None, "#ffffff", "front"),
    ],
)
def test_an_honest_model_passes(tmp_path: Path, surface: Surface, design: str | None, fabric: str, panel: str) -> None:
    textures = {}
    if design:
        one = _texture(ROOT / "examples" / design, panel)
        if panel.startswith("sleeve"):
            one = replace(one, x_cm=-5.0, width_cm=10.0, height_cm=10.0 * one.height_cm / one.width_cm)
        textures[panel] = one
    verdict = Case(tmp_path, surface, fabric, textures).verdict()
    assert verdict.ok, (verdict.reasons, verdict.measures)


@pytest.mark.parametrize(
    ("design", "colour", "size", "aspect"),
    [
        ("nordlys.png", "navy", 512, "1:1"),
        ("wild-meadow.png", "white", 512, "1:1"),
        ("wild-meadow.png", "heather-grey", 64, "4:1"),
    ],
)
def test_an_honest_model_passes_at_every_size_that_can_be_asked_for(
    tmp_path: Path, surface: Surface, design: str, colour: str, size: int, aspect: str
) -> None:
    """A print's texels are as fine as the pictures need: what is judged may not hang on it."""
    asked = parse_request({"fabric_color": colour, "size": size, "aspect": aspect})
    template = Template.load(TEMPLATE)
    request = normalise(asked, template.placements(asked.preset, asked.placements, 1))
    with Image.open(ROOT / "examples" / design) as opened:
        pixels = np.asarray(opened.convert("RGBA"))
    (texture,) = composed(request, {0: pixels}, template=TEMPLATE, facts=facts_of(TEMPLATE))
    case = Case(tmp_path, surface, request["fabric_color"], {"front": texture})
    assert case.verdict().ok, case.verdict()
    assert case.verdict().measures["front_print_error"] < MOST_PRINT_ERROR / 2
    assert _mirrored(case).code == _moved(case).code == "wrong_print"


def test_a_print_in_the_colour_of_the_cloth_is_no_missing_print(tmp_path: Path, surface: Surface) -> None:
    flat = PanelTexture(
        panel="front", pixels=np.full((40, 30, 4), 255, np.uint8), x_cm=-15, y_cm=6, width_cm=30, height_cm=40
    )
    assert Case(tmp_path, surface, "#ffffff", {"front": flat}).verdict().ok


def _mirrored(case: Case) -> Verdict:
    one = case.textures["front"]
    return case.verdict(textures={"front": replace(one, pixels=np.ascontiguousarray(one.pixels[:, ::-1]))})


def _moved(case: Case) -> Verdict:
    return case.verdict(textures={"front": replace(case.textures["front"], x_cm=case.textures["front"].x_cm + 1)})


def _another(case: Case) -> Verdict:
    return case.verdict(textures={"front": _texture(ROOT / "examples" / "nordlys.png")})


def _edited(case: Case, edit: Callable[[Glb], None]) -> Verdict:
    glb = Glb.parse(case.data)
    edit(glb)
    return case.verdict(glb.pack())


def _without_picture(glb: Glb) -> None:
    for material in glb.document["materials"]:
        material["pbrMetallicRoughness"].pop("baseColorTexture", None)


def _without_inside(glb: Glb) -> None:
    glb.document["meshes"][0]["primitives"].pop()


def _without_sleeve(glb: Glb) -> None:
    del glb.document["meshes"][0]["primitives"][2]


def _miscounted(glb: Glb) -> None:
    for accessor in glb.document["accessors"]:
        accessor["count"] += 1


def _swapped(glb: Glb) -> None:
    """Left sleeve on the right arm: the names are exchanged."""
    names = {"sleeve_left": "sleeve_right", "sleeve_right": "sleeve_left"}
    for material in glb.document["materials"]:
        material["name"] = names.get(material["name"], material["name"])
        if material["name"] == "front":
            material["name"] = "back"
        elif material["name"] == "back":
            material["name"] = "front"


SABOTAGE: dict[str, tuple[Callable[[Case], Verdict], str]] = {
    "print missing": (lambda case: _edited(case, _without_picture), "wrong_colours"),
    "print of nobody's": (lambda case: case.verdict(textures={}), "wrong_print"),
    "print of another job": (_another, "wrong_print"),
    "print mirrored": (_mirrored, "wrong_print"),
    "print a centimetre off": (_moved, "wrong_print"),
    "cloth of another colour": (lambda case: case.verdict(fabric=linear_rgb("#2f3a54")), "wrong_colours"),
    "inside missing": (lambda case: _edited(case, _without_inside), "unreadable"),
    "sleeve missing": (lambda case: _edited(case, _without_sleeve), "wrong_mesh"),
    "front taken for back": (lambda case: _edited(case, _swapped), "wrong_mesh"),
    "counts wrong": (lambda case: _edited(case, _miscounted), "unreadable"),
    "cut short": (lambda case: case.verdict(case.data[: len(case.data) // 2]), "unreadable"),
    "no model at all": (lambda case: case.verdict(b"%PDF-1.7" + case.data[8:]), "unreadable"),
    "garbage inside": (lambda case: case.verdict(case.data[:200_000] + case.data[200_004:]), "unreadable"),
    "too large": (lambda case: case.verdict(most_bytes=1_000_000), "too_large"),
    "in centimetres": (
        lambda case: case.verdict(surface=replace(case.surface, points_cm=case.surface.points_cm * 100)),
        "wrong_mesh",
    ),
    "another garment": (
        lambda case: case.verdict(surface=replace(case.surface, points_cm=case.surface.points_cm * np.float32(1.01))),
        "wrong_mesh",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_spoiled_model_is_refused(badge: Case, name: str) -> None:
    spoil, code = SABOTAGE[name]
    verdict = spoil(badge)
    assert not verdict.ok
    assert verdict.code == code, verdict.reasons


def test_the_file_on_trial_is_what_it_says_it_is(badge: Case) -> None:
    """The verdict reads the container by itself; this pins that both readings agree."""
    length = struct.unpack_from("<I", badge.data, 12)[0]
    document = json.loads(badge.data[20 : 20 + length])
    assert {k: v for k, v in document.items() if k != "buffers"} == {
        k: v for k, v in Glb.parse(badge.data).document.items() if k != "buffers"
    }
