"""How fast relighting is: ``python -m bench.relight_speed [--size 1024]``.

One view is traced and relit on the same cores; then how relighting grows with size and cores, what a bake costs, how
soon `farm preview` answers, and what a turntable costs either way. With ``--only`` a part of it, since each takes its
minutes; bakes stay in the work folder.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from bench.relight_designs import DESIGNS
from bench.relight_error import Studio, baked, order_of
from blender import turntable
from blender.output import write_picture
from blender.protocol import ViewOrder
from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.panel_places import PanelPlaces
from farm.adapters.storage import open_store
from farm.domain.template import Template
from farm.picture.baked_view import BakedView
from farm.picture.relight import print_for, relight_view
from farm.picture.texture import PanelTexture
from farm.render import bakes
from farm.render.baker import FILM_SAMPLES
from farm.render.ports import BakeTask, ObjectStore
from farm.render.tasks.print_files import panel_texture
from farm.render.tasks.relighter import Relighter
from farm.settings import Settings

VIEW = "front_0deg"
PHOTO = next(one for one in DESIGNS if one.name == "photo")
PARTS = ("picture", "growth", "preview", "turntable")
FRAMES, TRIED = 36, 3


def median_s(call: Callable[[], object], times: int) -> float:
    """Median wall seconds of a call; one more goes ahead of them."""
    call()
    took = []
    for _ in range(times):
        began_s = time.perf_counter()
        call()
        took.append(time.perf_counter() - began_s)
    return statistics.median(took)


class Speed:
    """One run: a template, a size, a folder with a bake in it."""

    def __init__(self, template: Template, size_px: int, work: Path, bake_samples: int) -> None:
        self.template = template
        self.size_px = size_px
        self.work = work
        self.bake_samples = bake_samples
        self.cores = len(os.sched_getaffinity(0))
        self.store: ObjectStore = open_store((work / "objects").as_uri(), endpoint_url=None, public_url=None)
        self.studio = Studio(template, float("inf"))
        self.folder = work / "speed"
        self.folder.mkdir(parents=True, exist_ok=True)
        baked(self.studio, self.store, size_px, bake_samples, [VIEW], work)

    def order(self, name: str, samples: int, size_px: int = 0, form: str = "png") -> ViewOrder:
        out = self.folder / f"{name}.{form}"
        return replace(
            order_of(PHOTO, VIEW, self.template, size_px or self.size_px, samples, 1, out),
            format=form,
            background="#ffffff" if form == "jpeg" else None,
        )

    def relighter(self, threads: int) -> Relighter:
        return Relighter(
            store=self.store, shelf=BakeShelf(self.folder / "places"), template=self.template.id,
            template_hash=self.template.hash, folder=self.template.folder, threads=threads,
        )  # fmt: skip

    # --- parts ------------------------------------------------------------------------------------------------------

    def picture(self) -> None:
        """One picture, from the print's file to the picture's, traced and relit."""
        part = self._bake().parts[VIEW]
        print(f"\nbake of one view at {self.size_px} px: {part.seconds:.0f} s, {part.size_bytes / 1e6:.1f} MB\n")
        print("| one picture, print's file to picture's file | s | ÷ relit |\n| --- | ---: | ---: |")
        relighter = self.relighter(self.cores)
        relit = {}
        for form in ("png", "jpeg"):
            order = self.order("relit", self.bake_samples, form=form)
            relit[form] = median_s(lambda order=order: relighter.render(order), 15)  # type: ignore[misc]
            print(f"| relit, {form}, {self.cores} cores | {relit[form]:.3f} | 1 |")
        session = self.studio.session()
        for name, samples in (("standard", 16), ("high", 64)):
            order = self.order(f"traced-{samples}", samples, form="jpeg")
            took_s = median_s(lambda order=order: session.render(order), 1)  # type: ignore[misc]
            print(f"| traced, quality {name}, {samples} samples, jpeg | {took_s:.2f} | {took_s / relit['jpeg']:.0f} |")

    def growth(self) -> None:
        """Shading alone, by size and cores."""
        baked_view = BakeShelf(self.folder / "places").take(self.store, self._bake().parts[VIEW], self.template.folder)
        textures = [panel_texture(one) for one in self.order("growth", 1).prints]
        print("\n| size | cores | print to texels, s | shading, s | to JPEG, s | to PNG, s |\n" + "| ---: " * 6 + "|")
        for size_px in [one for one in (256, 512, 768, 1024) if one <= self.size_px]:
            for threads in sorted({1, self.cores}):
                row = self._growth(baked_view, textures, size_px, threads)
                print(f"| {size_px} | {threads} | " + " | ".join(f"{value:.3f}" for value in row) + " |")

    def _growth(
        self, baked_view: BakedView, textures: Sequence[PanelTexture], size_px: int, threads: int
    ) -> tuple[float, ...]:
        ready = print_for(baked_view, textures, width_px=size_px, height_px=size_px)
        pixels, window = relight_view(baked_view, ready, "#ffffff", width_px=size_px, height_px=size_px)

        def prepare() -> None:
            print_for(baked_view, textures, width_px=size_px, height_px=size_px)

        def shade() -> None:
            relight_view(baked_view, ready, "#ffffff", width_px=size_px, height_px=size_px, threads=threads)

        def write(form: str, background: str | None) -> None:
            write_picture(
                pixels.copy(), window, self.folder / f"growth.{form}", width_px=size_px, height_px=size_px,
                background=background, format=form,
            )  # fmt: skip

        return (
            median_s(prepare, 7),
            median_s(shade, 15),
            median_s(lambda: write("jpeg", "#ffffff"), 7),
            median_s(lambda: write("png", None), 7),
        )

    def preview(self) -> None:
        """`farm preview` as a person meets it, the start of its process included."""
        home = self.work / "home"
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ, "FARM_HOME": str(home), "FARM_STORAGE_URL": (self.work / "objects").as_uri(),
            "FARM_TEMPLATES": str(self.template.folder.parent),
        }  # fmt: skip
        design = str(Path(__file__).parent.parent / "examples" / "nordlys.png")
        farm = [sys.executable, "-m", "farm.cli"]

        def once() -> float:
            began_s = time.perf_counter()
            command = [*farm, "preview", design, "--size", str(self.size_px), "-o", str(self.folder / "preview.jpg")]
            subprocess.run(command, env=environment, check=True, capture_output=True)
            return time.perf_counter() - began_s

        print("\n| `farm preview`, command to picture | s |\n| --- | ---: |")
        print(f"| no farm up, first | {once():.2f} |\n| no farm up, again | {once():.2f} |")
        subprocess.run([*farm, "up"], env=environment, check=True, capture_output=True)
        try:
            print(f"| farm up, first | {once():.2f} |")
            warm = sorted(once() for _ in range(7))
            print(f"| farm up, median of 7 | {warm[3]:.2f} |")
        finally:
            subprocess.run([*farm, "down"], env=environment, check=True, capture_output=True)

    def turntable(self, frames: Sequence[int]) -> None:
        """A film's frames both ways; what cannot be afforded here is extrapolated, and says so."""
        from blender.bake import bake_view
        from farm.picture.light_file import packed

        session = self.studio.session()
        baking, relit, traced = [], [], []
        shelf_size = 0
        files = []
        for frame in frames:
            azimuth_deg = 360.0 * frame / FRAMES
            task = BakeTask(
                template=self.template.id, template_hash=self.template.hash, view=VIEW, azimuth_deg=azimuth_deg,
                size_px=self.size_px, samples=FILM_SAMPLES, token="bench", measure=False,
            )  # fmt: skip
            kept = self.folder / f"{bakes.part_name(VIEW, azimuth_deg)}-{self.size_px}-{self.template.hash[:8]}.light"
            if not kept.exists():
                began_s = time.perf_counter()
                kept.write_bytes(
                    packed(
                        *bake_view(
                            session, VIEW, size_px=task.size_px, samples=task.samples, azimuth_deg=task.azimuth_deg
                        )
                    )
                )
                baking.append(time.perf_counter() - began_s)
            shelf_size += kept.stat().st_size
            files.append((azimuth_deg, kept))
        order = self.order("frame", FILM_SAMPLES)
        textures = [panel_texture(one) for one in order.prints]
        pictures = []
        ready = None
        for azimuth_deg, kept in files:
            began_s = time.perf_counter()
            view = BakedView.read(kept, PanelPlaces(self.template.folder, self.folder / "places"))
            ready = ready or print_for(view, textures, width_px=self.size_px, height_px=self.size_px)
            pixels, window = relight_view(
                view, ready, "#ffffff", width_px=self.size_px, height_px=self.size_px, threads=self.cores
            )
            out = self.folder / f"frame-{azimuth_deg:07.3f}.png"
            write_picture(
                pixels, window, out, width_px=self.size_px, height_px=self.size_px, background="#ffffff", format="png"
            )
            relit.append(time.perf_counter() - began_s)
            pictures.append(out)
        for azimuth_deg, _ in files[:TRIED]:
            began_s = time.perf_counter()
            session.render(replace(order, azimuth_deg=azimuth_deg, background="#ffffff"))
            traced.append(time.perf_counter() - began_s)
        film = self.folder / "turntable.mp4"
        began_s = time.perf_counter()
        turntable.encode(pictures, film, fps=12)
        encode_s = time.perf_counter() - began_s
        count = len(files)
        whole = "" if count == FRAMES else f", from {count}"
        print(f"\n| turntable, {FRAMES} frames at {self.size_px} px, {FILM_SAMPLES} samples | s |\n| --- | ---: |")
        print(f"| traced, from {len(traced)} frames | {statistics.mean(traced) * FRAMES:.0f} |")
        print(f"| relit, bakes read from disk{whole} | {sum(relit) / count * FRAMES:.1f} |")
        print(f"| encoding {count} frames | {encode_s:.1f} |")
        if baking:
            bake_s = statistics.mean(baking) * FRAMES
            print(f"| baking all frames, once per template, from {len(baking)} | {bake_s:.0f} |")
            saved = statistics.mean(traced) * FRAMES - sum(relit) / count * FRAMES
            size_mb = shelf_size / count * FRAMES / 1e6
            print(f"\nThe bake is paid for by {bake_s / saved:.1f} films; it has {size_mb:.0f} MB.")
        print(f"film: {film}, {json.dumps([Image.open(pictures[0]).size, count])}")

    def _bake(self) -> bakes.Bake:
        found = bakes.find(self.store, self.template.id, self.template.hash, self.size_px, [VIEW])
        assert found is not None, "it was baked at the start"
        return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.relight_speed", description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=Path, default=Settings.load().templates_folder / "crew-tee")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--bake-samples", type=int, default=Settings.load().bake_samples)
    parser.add_argument("--work", type=Path, default=Path("out/relight-error"), help="shared with bench.relight_error")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated")
    parser.add_argument("--frames", type=int, default=TRIED, help="of the turntable, evenly round; 36 for all")
    given = parser.parse_args()
    template = Template.load(given.template.absolute())
    work = (given.work / template.hash[:12]).absolute()
    speed = Speed(template, given.size, work, given.bake_samples)
    chosen = given.only or PARTS
    try:
        if "picture" in chosen:
            speed.picture()
        if "growth" in chosen:
            speed.growth()
        if "preview" in chosen:
            speed.preview()
        if "turntable" in chosen:
            step = max(1, FRAMES // given.frames)
            speed.turntable(range(1 if given.frames < FRAMES else 0, FRAMES, step))
    finally:
        speed.studio.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
