"""The turntable plays in a browser, starts before it is whole, keeps its colours, and turns on without a jump."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from blender.protocol import ViewOrder
from blender.session import Session
from blender.turntable import encode
from tests.web.conftest import Site
from tests.web.designs import patches

TEMPLATE = Path(__file__).parents[2] / "templates" / "crew-tee"
WIDTH_PX, HEIGHT_PX, FRAMES, FPS = 160, 200, 16, 8
SIDE = 64


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A turn round the shirt as the farm renders it: portrait, on a background."""
    folder = tmp_path_factory.mktemp("frames")
    prints = (patches(folder),)
    paths = [folder / f"{number:04d}.png" for number in range(FRAMES)]
    with Session(TEMPLATE, device="cpu") as session:
        for number, path in enumerate(paths):
            session.render(
                ViewOrder(
                    template=str(TEMPLATE), view="front_0deg", out=str(path), prints=prints, fabric_color="#1f2a44",
                    background="#e9ebee", width_px=WIDTH_PX, height_px=HEIGHT_PX, samples=2, device="cpu",
                    azimuth_deg=360.0 * number / FRAMES,
                )
            )  # fmt: skip
    return paths


@pytest.fixture(scope="module")
def film(frames: list[Path], site: Site) -> Path:
    out = site.files / "turntable.mp4"
    encode(frames, out, fps=FPS)
    return out


def _shown(page: Page, number: int) -> NDArray[np.int16]:
    pixels = page.evaluate("([number, fps, side]) => frame(number, fps, side)", [number, FPS, SIDE])
    return np.array(pixels, np.int16).reshape(SIDE, SIDE, 4)[..., :3]


def test_the_file_is_what_every_browser_plays(film: Path) -> None:
    data = film.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it plays while it loads"
    avcc = data.index(b"avcC") + 4
    profile, level = data[avcc + 1], data[avcc + 3]
    assert profile in (66, 77, 100), "baseline, main or high: 8 bits, 4:2:0"
    assert level <= 52
    colour = data.index(b"nclx") + 4
    assert data[colour : colour + 6] == bytes((0, 1, 0, 1, 0, 1)), "BT.709 primaries, transfer and matrix"
    assert data[colour + 6] >> 7 == 0, "limited range"
    assert b"/tmp" not in data
    assert str(film.parent).encode() not in data


def test_the_film_plays_in_its_size_and_its_time_goes_on(
    browser: Browser, site: Site, film: Path, pictures: Path | None
) -> None:
    page = site.open(browser, "film.html", film.name, width=480, height=600)
    facts: dict[str, Any] = page.evaluate(
        """async () => {
            const film = document.querySelector("video");
            const begun = film.currentTime;
            await film.play();
            const until = performance.now() + 30000;
            while (film.currentTime <= begun + 0.2 && performance.now() < until) {
                await new Promise(requestAnimationFrame);
            }
            return {ready: film.readyState, moved: film.currentTime - begun, width: film.videoWidth,
                    height: film.videoHeight, length_s: film.duration, paused: film.paused,
                    error: film.error && film.error.message};
        }"""
    )
    assert facts["error"] is None
    assert (facts["width"], facts["height"]) == (WIDTH_PX, HEIGHT_PX)
    assert facts["ready"] >= 3, "HAVE_FUTURE_DATA"
    assert facts["moved"] > 0.2
    assert not facts["paused"]
    assert facts["length_s"] == pytest.approx(FRAMES / FPS, abs=0.5 / FPS)
    if pictures is not None:
        page.screenshot(path=pictures / "film.png")
    page.close()


def test_the_film_shows_the_very_frames_in_their_colours(
    browser: Browser, site: Site, film: Path, frames: list[Path]
) -> None:
    page = site.open(browser, "film.html", film.name)
    for number in (0, FRAMES // 4, FRAMES - 1):
        with Image.open(frames[number]) as frame:
            wanted = np.asarray(frame.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.int16)
        off = np.abs(_shown(page, number) - wanted)
        assert np.median(off) <= 3, f"frame {number}"
        assert off.mean() < 6, f"frame {number}"
    page.close()


def test_the_last_frame_runs_into_the_first_as_any_frame_into_the_next(
    browser: Browser, site: Site, film: Path
) -> None:
    page = site.open(browser, "film.html", film.name)
    shown = [_shown(page, number) for number in range(FRAMES)]
    page.close()
    steps = [float(np.abs(one - other).mean()) for one, other in pairwise(shown)]
    seam = float(np.abs(shown[-1] - shown[0]).mean())
    assert min(steps) > 0.5, "every frame differs from the one before: none is there twice"
    assert seam > 0.5, "nor is the first frame the last"
    assert seam <= max(steps), (seam, steps)
