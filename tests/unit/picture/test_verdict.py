"""The verdict passes honest pictures, however hard, and catches every way a renderer can answer with another one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blender.output import write_picture
from blender.shadow import Shade
from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import Placement
from farm.picture.compose import Layer, compose
from farm.picture.light import LINEAR_OF_BYTE, linear_rgb, to_srgb
from farm.picture.texture import PanelTexture
from farm.picture.verdict import Verdict, ViewMaps, judge
from tests.picture_designs import prints, shirt

WHITE, BLACK, RED = linear_rgb("#ffffff"), linear_rgb("#161616"), linear_rgb("#c8102e")
SHAPE = PanelShape(
    name="front",
    bounds=Rect(x_cm=-27, y_cm=-4, width_cm=54, height_cm=74),
    print_area=Rect(x_cm=-15, y_cm=6, width_cm=30, height_cm=40),
)
SHIRT = shirt.maps()
TEMPLATE = Path(__file__).parents[3] / "templates" / "crew-tee" / "verdict.npz"


def printed(pixels: prints.Pixels, *, width_cm: float = 28.0, y_cm: float = 27.0) -> dict[str, PanelTexture]:
    placed = Layer(pixels=pixels, placement=Placement(y_cm=y_cm, width_cm=width_cm))
    return {"front": compose([placed], panel=SHAPE, fabric=WHITE, px_per_cm=12.0)}


QUADRANTS = printed(prints.quadrants(600, 800))
PHOTO = printed(prints.photo(600, 800))


def seen(textures: dict[str, PanelTexture], fabric: tuple[float, float, float] = WHITE, **fields: Any) -> np.ndarray:
    return shirt.picture(fields.pop("maps", SHIRT), textures, fabric, **fields)


def verdict(
    picture: np.ndarray, textures: dict[str, PanelTexture], fabric: tuple[float, float, float] = WHITE, **fields: Any
) -> Verdict:
    return judge(picture, maps=fields.pop("maps", SHIRT), textures=textures, fabric=fabric, **fields)


@pytest.mark.parametrize("fabric", ["#ffffff", "#161616", "#c8102e"])
@pytest.mark.parametrize("design", ["none", "quadrants", "photo", "white", "black", "red", "invisible", "text"])
def test_honest_pictures_pass_with_the_noise_of_one_sample(fabric: str, design: str) -> None:
    textures = {
        "none": {},
        "quadrants": QUADRANTS,
        "photo": PHOTO,
        "white": printed(prints.flat((255, 255, 255), 300, 400)),
        "black": printed(prints.flat((22, 22, 22), 300, 400)),
        "red": printed(prints.flat((200, 16, 46), 300, 400)),
        "invisible": printed(prints.flat((9, 9, 9), 300, 400, 0)),
        "text": printed(prints.checker(600, 800, 8)),
    }[design]
    cloth = linear_rgb(fabric)
    outcome = verdict(seen(textures, cloth, noise=0.15), textures, cloth)
    assert outcome.ok, (outcome.reasons, outcome.measures)
    assert outcome.code == "ok"
    assert outcome.reasons == ()


def test_only_few_samples_may_be_brighter_as_a_whole() -> None:
    picture = seen({}, RED)
    brighter = picture.copy()
    brighter[..., :3] = np.rint(to_srgb(LINEAR_OF_BYTE[picture[..., :3]] * 1.2) * 255)
    assert verdict(brighter, {}, RED, samples=1).ok
    assert verdict(brighter, {}, RED, samples=16).code == "wrong_colours"
    assert verdict(picture, {}, RED, samples=1).measures["gain"] < 1.02


@pytest.mark.parametrize("colour", ["#ffffff", "#000000", "#224d8f"])
@pytest.mark.parametrize("fabric", ["#ffffff", "#161616"])
def test_honest_pictures_pass_on_any_background(colour: str, fabric: str) -> None:
    behind, cloth = linear_rgb(colour), linear_rgb(fabric)
    outcome = verdict(seen(QUADRANTS, cloth, background=behind, noise=0.1), QUADRANTS, cloth, background=behind)
    assert outcome.ok, (outcome.reasons, outcome.measures)


def test_larger_and_smaller_pictures_are_judged_alike() -> None:
    for side in (64, 100, 512, 600):
        picture = seen(QUADRANTS, maps=shirt.maps(side=side))
        assert verdict(picture, QUADRANTS).ok
        assert verdict(picture, PHOTO).code == "wrong_colours"


def mirrored(textures: dict[str, PanelTexture]) -> dict[str, PanelTexture]:
    return {name: replace(one, pixels=one.pixels[:, ::-1].copy()) for name, one in textures.items()}


def moved(textures: dict[str, PanelTexture], cm: float) -> dict[str, PanelTexture]:
    return {name: replace(one, y_cm=one.y_cm + cm) for name, one in textures.items()}


def recoloured(textures: dict[str, PanelTexture]) -> dict[str, PanelTexture]:
    return {name: replace(one, pixels=one.pixels[..., [2, 1, 0, 3]].copy()) for name, one in textures.items()}


@pytest.mark.parametrize(
    ("shown", "asked"),
    [
        ({}, QUADRANTS),
        (QUADRANTS, {}),
        (PHOTO, QUADRANTS),
        (QUADRANTS, PHOTO),
        (mirrored(QUADRANTS), QUADRANTS),
        (mirrored(PHOTO), PHOTO),
        (moved(PHOTO, 2.0), PHOTO),
        (recoloured(QUADRANTS), QUADRANTS),
        (recoloured(PHOTO), PHOTO),
        ({}, printed(prints.disc((200, 16, 46)), width_cm=9.0, y_cm=12.0)),
        (printed(prints.disc((200, 16, 46)), width_cm=9.0, y_cm=12.0), {}),
        (
            printed(prints.disc((16, 100, 46)), width_cm=9.0, y_cm=12.0),
            printed(prints.disc((200, 16, 46)), width_cm=9.0, y_cm=12.0),
        ),
    ],
)
@pytest.mark.parametrize("fabric", [WHITE, BLACK])
def test_another_print_than_the_jobs_is_caught(shown: Any, asked: Any, fabric: tuple[float, float, float]) -> None:
    outcome = verdict(seen(shown, fabric, noise=0.1), asked, fabric)
    assert not outcome.ok
    assert outcome.code in ("wrong_colours", "wrong_print", "clipped")


def test_a_small_mirrored_print_is_named_as_such() -> None:
    design = prints.flat((20, 30, 90), 300, 300)
    design[40:260, 60:90, :3] = design[40:70, 60:200, :3] = 240
    small = printed(design, width_cm=9.0, y_cm=12.0)
    outcome = verdict(seen(mirrored(small), BLACK), small, BLACK)
    assert "the print is mirrored" in outcome.reasons


@pytest.mark.parametrize(
    ("shown", "asked"),
    [
        ("#ffffff", "#f4633a"),
        ("#161616", "#1f2a44"),
        ("#1f2a44", "#161616"),
        ("#161616", "#21432d"),
        ("#c8102e", "#5b2b42"),
        ("#42464c", "#161616"),
        ("#f0e8d8", "#dcd2be"),
    ],
)
def test_another_fabric_is_caught(shown: str, asked: str) -> None:
    outcome = verdict(seen({}, linear_rgb(shown)), {}, linear_rgb(asked))
    assert not outcome.ok
    assert verdict(seen({}, linear_rgb(asked)), {}, linear_rgb(asked)).ok


def test_another_side_is_caught_even_without_a_print() -> None:
    outcome = verdict(seen({}, maps=shirt.maps(lean=0.6)), {})
    assert outcome.code == "wrong_silhouette"
    behind = linear_rgb("#224d8f")
    assert not verdict(seen({}, maps=shirt.maps(lean=0.6), background=behind), {}, background=behind).ok


def test_blank_black_and_burnt_pictures_are_caught() -> None:
    clear = np.zeros((128, 128, 4), np.uint8)
    assert verdict(clear, {}).code == "blank"
    outline = seen({})
    dark = outline * np.array([0, 0, 0, 1], np.uint8)
    assert verdict(dark, {}).code == "black"
    flat = np.where(outline[..., 3:] > 127, np.array([90, 90, 90, 255]), 0).astype(np.uint8)
    assert verdict(flat, {}).code == "blank"
    full = np.full((128, 128, 4), 255, np.uint8)
    assert verdict(full, {}).code == "wrong_silhouette"
    assert verdict(full, {}, background=WHITE).code == "blank"
    assert verdict(seen({}, RED, exposure=12.0), {}, RED).code == "wrong_colours"
    grey = linear_rgb("#808080")
    assert verdict(seen({}, grey, exposure=4.5), {}, grey).code == "clipped"


def test_noise_is_no_picture() -> None:
    static = np.random.default_rng(0).integers(0, 256, (256, 256, 4), dtype=np.uint8)
    assert not verdict(static, {}).ok
    static[..., 3] = 255
    assert not verdict(static, {}, background=WHITE).ok


def test_a_wrong_or_missing_background_is_caught() -> None:
    blue, white = linear_rgb("#224d8f"), WHITE
    assert verdict(seen(QUADRANTS, background=blue), QUADRANTS, background=white).code == "wrong_background"
    assert verdict(seen(QUADRANTS), QUADRANTS, background=white).code == "wrong_background"
    assert verdict(seen(QUADRANTS, background=blue), QUADRANTS).code == "wrong_silhouette"


def test_without_maps_only_the_plain_checks_are_made() -> None:
    assert judge(seen(PHOTO), maps=None, textures=QUADRANTS, fabric=WHITE).ok
    assert judge(np.zeros((64, 64, 4), np.uint8), maps=None, textures={}, fabric=WHITE).code == "blank"


def test_the_difference_picture_shows_expectation_picture_and_error() -> None:
    picture = seen({})
    outcome = verdict(picture, QUADRANTS)
    assert outcome.difference is not None
    assert outcome.difference.shape == (256, 3 * 256, 4)
    expected, came, error = np.split(outcome.difference, 3, axis=1)
    assert expected[90, 100, 0] > 180
    assert expected[90, 100, 1] < 60
    assert came[90, 100].min() > 200
    assert error[90, 100, 0] > 200
    assert error[20, 20, 0] < 60


def test_a_print_on_a_panel_this_view_does_not_show_is_not_looked_for() -> None:
    back = {"back": replace(QUADRANTS["front"], panel="back")}
    outcome = verdict(seen({}), back)
    assert outcome.ok
    assert "print_error" not in outcome.measures


VIEWS = ("front_0deg", "left_90deg", "right_270deg", "back_180deg", "front_45deg_left", "front_45deg_right")


@pytest.fixture(scope="module")
def crew_tee() -> dict[str, ViewMaps]:
    with np.load(TEMPLATE) as arrays:
        return {view: ViewMaps.of(dict(arrays), view, shirt.PANELS) for view in VIEWS}


def test_the_crew_tees_own_maps_tell_its_views_apart(crew_tee: dict[str, ViewMaps]) -> None:
    for shown in VIEWS:
        picture = seen({}, BLACK, maps=crew_tee[shown], noise=0.1)
        for asked in VIEWS:
            assert verdict(picture, {}, BLACK, maps=crew_tee[asked]).ok == (shown == asked), (shown, asked)


def test_the_crew_tees_front_views_miss_a_print(crew_tee: dict[str, ViewMaps]) -> None:
    for view in VIEWS:
        outcome = verdict(seen({}, maps=crew_tee[view]), PHOTO, maps=crew_tee[view])
        # From a side, a flank hides all but a sliver of a front that lies flat: too little to be looked for.
        looked_for = "print_error" in outcome.measures
        assert looked_for or not view.startswith("front"), (view, outcome.measures)
        assert outcome.ok != looked_for, (view, outcome.measures)


@pytest.mark.parametrize("background", [None, "#eeeeee"])
def test_a_shadow_is_expected_where_it_was_asked_for_and_nowhere_else(background: str | None, tmp_path: Path) -> None:
    ground = None if background is None else linear_rgb(background)
    garment = seen(QUADRANTS)
    side = garment.shape[0]
    below = np.zeros((side, side), np.float32)
    below[round(0.8 * side) :] = np.linspace(0.4, 0.1, side - round(0.8 * side))[:, None]
    out = tmp_path / "view.png"
    write_picture(
        garment.copy(), (0, 0, side, side), out, width_px=side, height_px=side, background=background, format="png",
        shade=Shade(0, 0, below),
    )  # fmt: skip
    picture = np.asarray(Image.open(out).convert("RGBA"))
    asked = verdict(picture, QUADRANTS, background=ground, shadow=below)
    assert asked.ok, (asked.reasons, asked.measures)
    unasked = verdict(picture, QUADRANTS, background=ground)
    assert unasked.code == ("wrong_silhouette" if background is None else "wrong_background")
