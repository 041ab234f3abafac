"""Real pictures from a warm Blender: each shows its own order, and nothing of the one before."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blender.protocol import PanelPrint, ProtocolError, ViewOrder, ViewReport
from blender.session import RenderError, Session
from blender.template import load_template

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates" / "crew-tee"
SIDE_PX = 128


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(TEMPLATE, device="cpu") as opened:
        yield opened


def _order(tmp_path: Path, **changes: Any) -> ViewOrder:
    order = ViewOrder(
        template=str(TEMPLATE), view="front_0deg", out=str(tmp_path / "view.png"), width_px=SIDE_PX, height_px=SIDE_PX,
        samples=2, device="cpu",
    )  # fmt: skip
    return dataclasses.replace(order, **changes)


def _ink(tmp_path: Path, color: tuple[int, int, int], *, panel: str = "front", size: int = 8) -> PanelPrint:
    path = tmp_path / f"{'-'.join(map(str, color))}-{size}.png"
    Image.new("RGBA", (size, size), (*color, 255)).save(path)
    return PanelPrint(panel=panel, path=str(path), x_cm=-10, y_cm=10, width_cm=20, height_cm=25)


def _pixels(report: ViewReport, mode: str = "RGBA") -> NDArray[np.int16]:
    with Image.open(report.out) as picture:
        return np.asarray(picture.convert(mode)).astype(np.int16)


def _places(view: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return panel number and panel centimetres at the centre of each of 128 x 128 pixels."""
    with np.load(TEMPLATE / "verdict.npz", allow_pickle=False) as verdict:
        panel, x, y = (verdict[f"{view}/{name}"][1::2, 1::2] for name in ("panel", "x_cm", "y_cm"))
    return panel, x, y


def _zones(panel_name: str, view: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the pixels well inside and well outside :func:`_ink`'s rectangle on a panel."""
    panel, x, y = _places(view)
    mine = panel == load_template(TEMPLATE).facts["panel_order"].index(panel_name)
    inside = mine & (np.abs(x) < 8.5) & (y > 11.5) & (y < 33.5)
    outside = mine & (x > -100) & ((np.abs(x) > 11.5) | (y < 8.5) | (y > 36.5))
    return inside, outside


def _redness(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    return pixels[..., 0] - pixels[..., 1:3].max(axis=-1)


@pytest.mark.parametrize(("panel", "view"), [("front", "front_0deg"), ("back", "back_180deg")])
def test_print_lies_where_it_was_ordered(session: Session, tmp_path: Path, panel: str, view: str) -> None:
    report = session.render(_order(tmp_path, view=view, prints=(_ink(tmp_path, (220, 0, 30), panel=panel),)))
    redness, (inside, outside) = _redness(_pixels(report)), _zones(panel, view)
    assert inside.sum() > 400
    assert (redness[inside] > 100).mean() > 0.97
    assert (redness[outside] < 40).mean() > 0.97


def test_print_is_upright_and_not_mirrored(session: Session, tmp_path: Path) -> None:
    quarters = np.zeros((2, 2, 4), np.uint8)
    quarters[..., 3] = 255
    quarters[0, 0, 0], quarters[0, 1, 1], quarters[1, 0, 2] = 255, 255, 255
    Image.fromarray(quarters).resize((64, 64), Image.Resampling.NEAREST).save(tmp_path / "quarters.png")
    ink = dataclasses.replace(_ink(tmp_path, (0, 0, 0)), path=str(tmp_path / "quarters.png"))
    pixels = _pixels(session.render(_order(tmp_path, prints=(ink,))))
    panel, x, y = _places("front_0deg")
    for left, upper, channel in ((True, True, 0), (False, True, 1), (True, False, 2)):
        zone = (panel == 0) & (np.abs(x) > 2) & (np.abs(x) < 8) & ((x < 0) == left)
        zone &= (np.abs(y - 22.5) > 2) & (np.abs(y - 22.5) < 9) & ((y < 22.5) == upper)
        assert np.argmax(pixels[zone][:, :3].mean(axis=0)) == channel


def test_warm_session_shows_the_second_order(session: Session, tmp_path: Path) -> None:
    first = _order(tmp_path, prints=(_ink(tmp_path, (220, 0, 30)),))
    red = _pixels(session.render(first))
    second = dataclasses.replace(
        first, prints=(_ink(tmp_path, (10, 20, 220), size=8),), fabric_color="#101010", samples=1
    )
    blue = _pixels(session.render(second))
    bare = _pixels(session.render(dataclasses.replace(first, prints=())))
    again = _pixels(session.render(first))
    inside, outside = _zones("front", "front_0deg")
    assert np.median(blue[inside][:, 2] - blue[inside][:, 0]) > 100
    assert np.median(blue[outside][:, :3]) < 90
    assert np.median(bare[inside][:, :3].min(axis=1)) > 190
    assert np.abs(again - red).max() <= 1


def test_a_finer_order_in_between_changes_nothing(session: Session, tmp_path: Path) -> None:
    coarse = _order(tmp_path, samples=1)
    before = _pixels(session.render(coarse))
    session.render(_order(tmp_path, samples=8))
    assert (_pixels(session.render(coarse)) == before).all()


def test_overwritten_print_file_is_seen(session: Session, tmp_path: Path) -> None:
    ink = _ink(tmp_path, (220, 0, 30))
    session.render(_order(tmp_path, prints=(ink,)))
    Image.new("RGBA", (8, 8), (0, 160, 40, 255)).save(ink.path)
    os.utime(ink.path, ns=(1, 1))
    pixels = _pixels(session.render(_order(tmp_path, prints=(ink,))))
    inside, _ = _zones("front", "front_0deg")
    assert np.median(pixels[inside][:, 1] - pixels[inside][:, 0]) > 80


def test_every_view_is_seen_from_its_own_side(session: Session, tmp_path: Path) -> None:
    """Sleeves in two colours: the wearer's left must be on the right of the front picture."""
    left = _ink(tmp_path, (220, 0, 30), panel="sleeve_left")
    right = _ink(tmp_path, (0, 160, 40), panel="sleeve_right")
    prints = tuple(dataclasses.replace(ink, x_cm=-20, y_cm=0, width_cm=40) for ink in (left, right))

    def reds_and_greens(view: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        pixels = _pixels(session.render(_order(tmp_path, view=view, prints=prints, samples=1)))
        return _redness(pixels) > 80, (pixels[..., 1] - pixels[..., 0]) > 60

    for view, red_is_right in (("front_0deg", True), ("back_180deg", False)):
        red, green = reds_and_greens(view)
        assert (np.nonzero(red)[1].mean() > np.nonzero(green)[1].mean()) == red_is_right
    for view, more_red in (("left_90deg", True), ("right_270deg", False)):
        red, green = reds_and_greens(view)
        assert max(red.sum(), green.sum()) > 500
        assert (red.sum() > 20 * green.sum()) if more_red else (green.sum() > 20 * red.sum())


def test_azimuth_overrides_the_view(session: Session, tmp_path: Path) -> None:
    turned = _pixels(session.render(_order(tmp_path, azimuth_deg=90.0)))
    left = _pixels(session.render(_order(tmp_path, view="left_90deg")))
    between = _pixels(session.render(_order(tmp_path, azimuth_deg=45.0)))
    assert np.array_equal(turned, left)
    assert np.abs(between - left).max() > 100


def test_white_ink_on_white_cloth_is_not_seen(session: Session, tmp_path: Path) -> None:
    bare = _pixels(session.render(_order(tmp_path)))
    inked = _pixels(session.render(_order(tmp_path, prints=(_ink(tmp_path, (255, 255, 255)),))))
    assert np.abs(inked - bare).max() <= 2


def test_white_cloth_is_white_and_black_cloth_keeps_its_folds(session: Session, tmp_path: Path) -> None:
    inside, _ = _zones("front", "front_0deg")
    white = _pixels(session.render(_order(tmp_path)))[inside][:, :3].mean(axis=1)
    black = _pixels(session.render(_order(tmp_path, fabric_color="#000000")))
    solid = black[black[..., 3] == 255][:, :3].mean(axis=1)
    assert np.median(white) >= 235
    assert (white > 253).mean() < 0.1
    assert np.percentile(solid, 95) - np.percentile(solid, 5) > 8
    assert np.median(solid) < 40


def test_every_side_is_lit_alike(session: Session, tmp_path: Path) -> None:
    front = _pixels(session.render(_order(tmp_path)))
    back = _pixels(session.render(_order(tmp_path, view="back_180deg")))
    levels = [float(np.median(each[each[..., 3] == 255][:, :3])) for each in (front, back)]
    assert abs(levels[0] - levels[1]) < 12
    assert min(levels) > 215


def test_transparent_picture_has_clean_straight_alpha(session: Session, tmp_path: Path) -> None:
    pixels = _pixels(session.render(_order(tmp_path)))
    alpha = pixels[..., 3]
    assert alpha[:8].max() == 0
    assert alpha[SIDE_PX // 2, SIDE_PX // 2] == 255
    assert (pixels[alpha == 0] == 0).all()
    rim = pixels[(alpha > 40) & (alpha < 215)]
    assert len(rim) > 50
    assert np.median(rim[:, :3]) > 150


def test_background_is_exact(session: Session, tmp_path: Path) -> None:
    bare = _pixels(session.render(_order(tmp_path)))
    with Image.open(session.render(_order(tmp_path, background="#EEEEEE")).out) as picture:
        assert picture.mode == "RGB"
        filled = np.asarray(picture)
    assert (filled[bare[..., 3] == 0] == 0xEE).all()
    solid = bare[..., 3] == 255
    assert (filled[solid] == bare[solid][:, :3]).all()


@pytest.mark.parametrize(("name", "transparent"), [("png", True), ("webp", True), ("jpeg", False)])
def test_formats(session: Session, tmp_path: Path, name: str, transparent: bool) -> None:
    out = tmp_path / f"view.{name}"
    session.render(_order(tmp_path, format=name, out=str(out), width_px=96, height_px=64, samples=1))
    with Image.open(out) as picture:
        assert (picture.format or "").lower() == name
        assert picture.size == (96, 64)
        assert (picture.mode == "RGBA") == transparent
        corner = picture.convert("RGBA").getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert corner[3] == (0 if transparent else 255)
    assert transparent or min(corner) >= 253


def test_progress_and_report(session: Session, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = session.render(_order(tmp_path, samples=4, threads=1), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)
    assert seen == sorted(seen)
    assert (report.device, report.samples, report.threads) == ("cpu", 4, 1)
    assert report.renderer.startswith("cycles 5.2")
    assert 0 < report.render_s < report.total_s
    assert 200_000_000 < report.peak_rss_bytes < 2_000_000_000


def test_orders_that_do_not_fit_are_refused(session: Session, tmp_path: Path) -> None:
    lost = dataclasses.replace(_ink(tmp_path, (1, 2, 3)), path=str(tmp_path / "none.png"))
    for order, message in (
        (_order(tmp_path, template=str(tmp_path)), "has .* open"),
        (_order(tmp_path, out=str(tmp_path / "no" / "view.png")), "does not exist"),
        (_order(tmp_path, prints=(lost,)), "none.png"),
    ):
        with pytest.raises(ProtocolError, match=message):
            session.render(order)


def test_absent_gpu_is_its_own_error() -> None:
    if not Path("/dev/dri").exists() and not Path("/dev/nvidia0").exists():
        with pytest.raises(RenderError, match="no oneapi device"):
            Session(TEMPLATE, device="oneapi")


def _run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "blender", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"TMPDIR": str(temporary)},
    )  # fmt: skip


def test_command_line_renders_and_leaves_nothing_behind(tmp_path: Path) -> None:
    order = _order(tmp_path, prints=(_ink(tmp_path, (220, 0, 30)),), width_px=64, height_px=64, samples=1)
    (tmp_path / "view.json").write_text(order.to_json())
    run = _run(tmp_path, str(tmp_path / "view.json"))
    assert run.returncode == 0, run.stderr
    report = ViewReport.from_json(run.stdout)
    assert report.out == order.out
    assert _pixels(report).shape == (64, 64, 4)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view": "top"}, "unknown view 'top'"),
        ({"prints": [{"panel": "pocket", "path": "a", "x_cm": 0, "y_cm": 0, "width_cm": 1, "height_cm": 1}]}, "pocket"),
        ({"template": "nowhere"}, "nowhere"),
        (None, "view.json"),
    ],
    ids=["view", "panel", "template", "file"],
)
def test_command_line_refuses_bad_input(tmp_path: Path, change: dict[str, Any] | None, message: str) -> None:
    if change is not None:
        fields = json.loads(_order(tmp_path).to_json()) | change
        (tmp_path / "view.json").write_text(json.dumps(fields))
    run = _run(tmp_path, str(tmp_path / "view.json"))
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert message in run.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(("width_px", "height_px"), [(175, 175), (181, 240), (233, 119)])
def test_the_window_fits_at_odd_sizes(session: Session, tmp_path: Path, width_px: int, height_px: int) -> None:
    for view in ("front_0deg", "right_270deg"):
        report = session.render(_order(tmp_path, view=view, width_px=width_px, height_px=height_px, samples=1))
        assert _pixels(report).shape == (height_px, width_px, 4)
