"""Make docs/gallery/: three designs on four cloths from six sides, close-ups, and the prototype beside what came of it.

Pictures are made at the farm's ``standard`` quality, by the template in the tree; what is there is not made again, so
an interrupted call carries on. What the pictures are worth is written by a person, in docs/gallery/README.md.
"""

import argparse
import io
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from bench.scenes import clouds
from bench.studio import CREW_TEE, ROOT, Scene, Studio, example
from bench.surface import Surface
from blender.protocol import VIEW_AZIMUTH_DEG
from farm.domain.colour import FABRIC_NAMES
from farm.domain.placement import Fit, Placement
from farm.picture.compose import Layer

GALLERY = ROOT / "docs" / "gallery"
GROUND = "#eeeeee"
TILE_PX, CLOSE_PX, CROP_PX = 640, 2048, 720
CLOTHS = ("white", "black", "navy", "heather-grey")
VIEWS = ("front_0deg", "front_45deg_left", "left_90deg", "back_180deg", "front_45deg_right", "right_270deg")
DESIGNS = {
    "nordlys": ("nordlys.png", Placement(y_cm=24, width_cm=24)),
    "wild-meadow": ("wild-meadow.png", Placement(y_cm=25, width_cm=27)),
    "dunes": ("dunes-photo.jpg", Placement(y_cm=23, width_cm=30, height_cm=24, fit=Fit.COVER)),
}
QUALITY = 86


def layer(design: str) -> Layer:
    name, placement = DESIGNS[design]
    return Layer(pixels=np.asarray(example(name)), placement=placement)


def sheets(samples: int) -> Iterator[tuple[str, list[Scene]]]:
    """File name and the six scenes of each sheet."""
    assert set(VIEWS) == set(VIEW_AZIMUTH_DEG)
    for design in DESIGNS:
        for cloth in CLOTHS:
            base = Scene(
                name=f"{design} on {cloth}",
                layers=(layer(design),),
                fabric=FABRIC_NAMES[cloth],
                size_px=TILE_PX,
                samples=samples,
                background=GROUND,
            )
            yield f"{design}-{cloth}.webp", [replace(base, view=view) for view in VIEWS]


def sheet(studio: Studio, scenes: Sequence[Scene]) -> Image.Image:
    """Six pictures, three by two."""
    whole = Image.new("RGB", (3 * TILE_PX, 2 * TILE_PX))
    for i, scene in enumerate(scenes):
        whole.paste(_opened(studio, scene), (i % 3 * TILE_PX, i // 3 * TILE_PX))
    return whole


def close_ups(studio: Studio, samples: int) -> Iterator[tuple[str, Image.Image]]:
    """Crops of 2048 px pictures, pixel for pixel: collar, hem, sleeve and the print's edge."""
    surface, bottom = Surface.of(studio.template), studio.panel("front").bounds.bottom_cm
    sleeve = studio.panel("sleeve_left").bounds
    places = {
        "collar": ("front", 2.0, 2.5),
        "hem": ("front", 9.0, bottom - 5.0),
        "sleeve": ("sleeve_left", sleeve.x_cm + sleeve.width_cm * 0.42, sleeve.bottom_cm - 6.0),
        "print-edge": ("front", 11.0, 14.0),
    }
    for cloth, design in (("white", "nordlys"), ("black", "wild-meadow")):
        scene = Scene(
            name=f"{design} on {cloth}, near",
            layers=(layer(design),),
            fabric=FABRIC_NAMES[cloth],
            size_px=CLOSE_PX,
            samples=samples,
            background=GROUND,
        )
        picture = _opened(studio, scene)
        for name, (panel, x_cm, y_cm) in places.items():
            x_px, y_px = surface.place_px("front_0deg", surface.point_cm(panel, x_cm, y_cm), CLOSE_PX)
            left = min(max(round(x_px - CROP_PX / 2), 0), CLOSE_PX - CROP_PX)
            top = min(max(round(y_px - CROP_PX / 2), 0), CLOSE_PX - CROP_PX)
            yield f"near-{name}-{cloth}.webp", picture.crop((left, top, left + CROP_PX, top + CROP_PX))


def beside_prototype(studio: Studio, samples: int) -> Image.Image:
    """As the prototype was shown: clouds of colour on most of the chest of a white shirt, on light grey."""
    scene = Scene(
        name="as the prototype",
        layers=(Layer(pixels=clouds(7), placement=Placement(y_cm=27, width_cm=30, height_cm=37.5, fit=Fit.COVER)),),
        size_px=1024,
        samples=samples,
        background=GROUND,
    )
    return _opened(studio, scene)


def _opened(studio: Studio, scene: Scene) -> Image.Image:
    with Image.open(io.BytesIO(studio.render(studio.order(scene)))) as opened:
        return opened.convert("RGB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, default=CREW_TEE)
    parser.add_argument("--out", type=Path, default=GALLERY)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--close-samples", type=int, default=32)
    parser.add_argument(
        "--pictures", type=Path, default=ROOT / "out" / "gallery", help="where single pictures are kept"
    )
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long; the next call carries on")
    parser.add_argument("--only", help="only files whose name contains this")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    studio, until = Studio(chosen.pictures, chosen.template), time.monotonic() + chosen.seconds
    made = []

    def keep(name: str, picture: Image.Image) -> None:
        picture.save(chosen.out / name, "WEBP", quality=QUALITY, method=6)
        made.append(chosen.out / name)

    try:
        for name, scenes in sheets(chosen.samples):
            if chosen.only and chosen.only not in name:
                continue
            for scene in scenes:
                if time.monotonic() > until:
                    print(f"{studio.rendered} pictures made; not all yet")
                    return 3
                studio.render(studio.order(scene))
            keep(name, sheet(studio, scenes))
        if not chosen.only or chosen.only in "now.webp":
            keep("now.webp", beside_prototype(studio, chosen.samples))
        if not chosen.only or "near" in chosen.only:
            for name, picture in close_ups(studio, chosen.close_samples):
                keep(name, picture)
    finally:
        studio.close()
    total = sum(path.stat().st_size for path in made)
    print(f"{len(made)} files, {total / 1e6:.1f} MB, in {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
