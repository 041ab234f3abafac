"""A bake from the real Blender, relit and compared with what the real Blender traces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blender.bake import bake_view, separate
from blender.output import write_picture
from blender.places import INSIDE, STEP
from blender.protocol import VIEW_AZIMUTH_DEG, PanelPrint, ViewOrder
from blender.raster import NOWHERE_CM, points_seen, seen_by
from blender.session import Session
from blender.views import Camera
from farm.adapters.panel_places import PanelPlaces
from farm.picture.baked_view import BakedView
from farm.picture.colour_difference import ciede2000, lab_of_srgb
from farm.picture.light_file import packed
from farm.picture.relight import relight_view
from farm.picture.texture import PanelTexture

TEMPLATE = Path(__file__).parents[2] / "templates" / "crew-tee"
SIZE_PX = 160
SAMPLES = 32
PLACE = {"x_cm": -11.0, "y_cm": 10.0, "width_cm": 22.0, "height_cm": 28.0}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(TEMPLATE, device="cpu") as session:
        yield session


@pytest.fixture(scope="module")
def baked(session: Session, tmp_path_factory: pytest.TempPathFactory) -> BakedView:
    shares: list[float] = []
    arrays, facts = bake_view(session, "front_0deg", size_px=SIZE_PX, samples=SAMPLES, on_progress=shares.append)
    assert set(arrays) == {"specular", "diffuse", "mutual", "alpha"}, "a sewn garment's bake is light alone"
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    return BakedView.read(packed(arrays, facts), PanelPlaces(TEMPLATE, tmp_path_factory.mktemp("places")))


def design() -> NDArray[np.uint8]:
    """Saturated squares over the whole rectangle, one of them without ink."""
    pixels = np.zeros((280, 220, 4), np.uint8)
    inks = [(200, 16, 46, 255), (0, 80, 200, 255), (250, 200, 0, 255), (0, 0, 0, 0), (10, 10, 10, 255)]
    for number in range(20):
        row, column = divmod(number, 4)
        pixels[row * 56 : (row + 1) * 56, column * 55 : (column + 1) * 55] = inks[number % 5]
    return pixels


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA"))


@pytest.mark.parametrize("fabric", ["#ffffff", "#1f2a44"])
def test_a_relit_picture_is_the_traced_one(session: Session, baked: BakedView, fabric: str, tmp_path: Path) -> None:
    pixels = design()
    Image.fromarray(pixels).save(tmp_path / "design.png")
    order = ViewOrder(
        template=str(TEMPLATE), view="front_0deg", out=str(tmp_path / "traced.png"),
        prints=(PanelPrint(panel="front", path=str(tmp_path / "design.png"), **PLACE),), fabric_color=fabric,
        width_px=SIZE_PX, height_px=SIZE_PX, samples=SAMPLES, seed=3,
    )  # fmt: skip
    session.render(order)
    texture = PanelTexture(panel="front", pixels=pixels, **PLACE)  # type: ignore[arg-type]
    window, where = relight_view(baked, [texture], fabric, width_px=SIZE_PX, height_px=SIZE_PX)
    write_picture(
        window, where, tmp_path / "relit.png", width_px=SIZE_PX, height_px=SIZE_PX, background=None, format="png"
    )
    traced, relit = read(tmp_path / "traced.png"), read(tmp_path / "relit.png")
    assert np.abs(traced[..., 3].astype(int) - relit[..., 3]).mean() < 1
    cloth = (traced[..., 3] == 255) & (relit[..., 3] == 255)
    apart = ciede2000(lab_of_srgb(traced[cloth][:, :3] / 255), lab_of_srgb(relit[cloth][:, :3] / 255))
    assert apart.mean() < 1.2, "two path traces of so few samples differ by about 0.9"
    bare, _ = relight_view(baked, [], fabric, width_px=SIZE_PX, height_px=SIZE_PX)
    assert np.abs(bare[..., :3].astype(int) - window[..., :3]).max() > 60, "the print is there"


def test_a_picture_that_is_not_square_is_relit_where_it_is_traced(
    session: Session, baked: BakedView, tmp_path: Path
) -> None:
    order = ViewOrder(
        template=str(TEMPLATE), view="front_0deg", out=str(tmp_path / "traced.png"), width_px=151, height_px=120,
        samples=8,
    )  # fmt: skip
    session.render(order)
    window, where = relight_view(baked, [], "#ffffff", width_px=151, height_px=120)
    write_picture(window, where, tmp_path / "relit.png", width_px=151, height_px=120, background=None, format="png")
    traced, relit = read(tmp_path / "traced.png"), read(tmp_path / "relit.png")
    assert traced.shape == relit.shape
    assert np.abs(traced[..., 3].astype(int) - relit[..., 3]).mean() < 1.5


def test_baking_leaves_the_session_as_it_was(session: Session, tmp_path: Path) -> None:
    order = ViewOrder(
        template=str(TEMPLATE), view="left_90deg", out=str(tmp_path / "before.png"), width_px=64, height_px=64,
        samples=4,
    )  # fmt: skip
    session.render(order)
    bake_view(session, "left_90deg", size_px=64, samples=2)
    session.render(ViewOrder.from_json(order.to_json().replace("before", "after")))
    assert (tmp_path / "before.png").read_bytes() == (tmp_path / "after.png").read_bytes()


@pytest.mark.parametrize("view", ["front_0deg", "front_45deg_left", "right_270deg"])
def test_rasterised_places_are_what_rays_meet(session: Session, view: str) -> None:
    order = ViewOrder(template=str(TEMPLATE), view=view, out="", width_px=4 * SIZE_PX, height_px=4 * SIZE_PX)
    met, (left, top, right, bottom) = session.render_places(order)
    template = session.template
    seen = seen_by(
        template.mesh(), Camera.of(template.facts["camera"]), VIEW_AZIMUTH_DEG[view], side_px=4 * SIZE_PX
    )  # fmt: skip
    mesh = template.mesh()
    panel, at_cm = points_seen(
        seen, mesh.faces, mesh.corner_cm, mesh.face_panel, left, top, right - left, bottom - top
    )  # fmt: skip
    cloth = met[..., 3] > 0.5
    assert (cloth == (panel >= 0)).mean() > 0.9999
    outside = cloth & (panel >= 0) & (at_cm[..., 0] > NOWHERE_CM) & (np.rint(met[..., 2] * STEP) != INSIDE)
    assert outside.sum() > 5_000
    own = panel[outside]
    assert (np.rint(met[outside][:, 2] * STEP) == own + 1).mean() > 0.9999
    boxes_cm = np.array(template.boxes_cm)
    apart_cm = np.abs(boxes_cm[own, :2] + met[outside][:, :2] * boxes_cm[own, 2:] - at_cm[outside]).max(axis=1)
    assert np.quantile(apart_cm, 0.999) < 0.005


def test_a_bake_is_small_and_complete(baked: BakedView) -> None:
    assert set(baked.arrays) == {
        "specular", "diffuse", "mutual", "alpha", "panel", "place", "slope", "mixed_panel", "mixed_place", "extents",
    }  # fmt: skip
    assert baked.arrays["diffuse"].ndim == 2, "the studio's light is white: one channel tells all"
    cloth = baked.arrays["alpha"] == 255
    assert 0.3 < float(baked.arrays["diffuse"][cloth].mean()) < 1.5
    assert float(baked.arrays["specular"][cloth].mean()) < 0.1
    assert (baked.arrays["panel"] == 254).sum() == len(baked.arrays["mixed_panel"])


def test_three_greys_tell_the_terms_apart() -> None:
    shape = (6, 5, 1)
    random = np.random.default_rng(2)
    specular, diffuse, mutual = (random.random(shape).astype(np.float32) for _ in range(3))
    greys = [0.0, 0.45, 0.83]
    light = [np.repeat(specular + grey * diffuse + grey**2 * mutual, 3, axis=2) for grey in greys]
    solved = separate(light, greys)
    for name, wanted in (("specular", specular), ("diffuse", diffuse), ("mutual", mutual)):
        np.testing.assert_allclose(solved[name], wanted[..., 0], atol=1e-4)
    tinted = separate([one * np.array([1.0, 0.9, 0.7], np.float32) for one in light], greys)
    assert tinted["diffuse"].shape == (6, 5, 3)
