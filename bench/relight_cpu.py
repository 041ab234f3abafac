"""What a relit picture costs one core: ``python -m bench.relight_cpu [--light FOLDER] [--view front_0deg]``.

CPU milliseconds of each phase, medians of seven, for JPEG and PNG at 512 and 1024 px: opening a view's light, bringing
the print to texels, shading, writing the file, judging it. Light comes with the template, or from the folder
``--light`` (an object store's, with ``bakes/`` in it).
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.relight_designs import DESIGNS
from bench.relight_error import order_of
from blender.output import write_picture
from blender.protocol import ViewOrder
from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.memory_store import MemoryStore
from farm.adapters.shipped_light import ShippedLight
from farm.adapters.storage import open_store
from farm.domain.template import Template
from farm.picture.baked_view import BakedView
from farm.picture.relight import Print, print_for, relight_view
from farm.picture.texture import PanelTexture
from farm.picture.transport import Window
from farm.render import bakes
from farm.render.ports import ObjectStore
from farm.render.tasks.judge import judge_with
from farm.render.tasks.print_files import panel_texture
from farm.settings import Settings

TIMES = 7
SIZES_PX = (512, 1024)
BACKGROUNDS = {"jpeg": "#ffffff", "png": None}
HEAD = (
    "px",
    "file",
    "open a view (once)",
    "print to texels (once)",
    "shade",
    "write",
    "verdict",
    "shade, write, verdict",
)


def cpu_ms(call: Callable[[], object], times: int = TIMES) -> float:
    """Median CPU milliseconds of a call; one more goes ahead of them."""
    call()
    took = []
    for _ in range(times):
        began_s = time.process_time()
        call()
        took.append((time.process_time() - began_s) * 1000)
    return statistics.median(took)


class Picture:
    """One order, phase by phase."""

    def __init__(
        self, order: ViewOrder, textures: Sequence[PanelTexture], store: ObjectStore, bake: bakes.Bake, work: Path
    ) -> None:
        self.order, self.textures = order, textures
        self.store, self.part, self.folder = store, bake.parts[order.view], Path(order.template)
        self.places = work / "places"
        self.width_px, self.height_px = order.width_px, order.height_px
        self.baked = self.open()
        self.ready = self.texels()
        self.shaded = self.shade()
        self.write()
        self.data = Path(order.out).read_bytes()
        self.judge = judge_with(self.folder, textures)
        assert not self.judge(self.data, order).reason

    def open(self) -> BakedView:
        """A view's light, as a worker meets it for the first time; its places lie on the node's disk."""
        baked = BakeShelf(self.places).take(self.store, self.part, self.folder)
        baked.at(self.width_px, self.height_px)
        return baked

    def texels(self) -> Print:
        return print_for(self.baked, self.textures, width_px=self.width_px, height_px=self.height_px)

    def shade(self) -> tuple[NDArray[np.uint8], Window]:
        return relight_view(
            self.baked, self.ready, self.order.fabric_color, width_px=self.width_px, height_px=self.height_px
        )

    def write(self) -> None:
        pixels, window = self.shaded
        write_picture(
            pixels.copy(), window, Path(self.order.out), width_px=self.width_px, height_px=self.height_px,
            background=self.order.background, format=self.order.format,
        )  # fmt: skip

    def phases(self) -> list[float]:
        """CPU milliseconds, as in `HEAD`."""
        calls = (self.open, self.texels, self.shade, self.write, lambda: self.judge(self.data, self.order))
        took = [cpu_ms(call) for call in calls]
        return [*took, sum(took[2:])]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.relight_cpu", description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=Path, default=Settings.load().templates_folder / "crew-tee")
    parser.add_argument("--light", type=Path)
    parser.add_argument("--view", default="front_0deg")
    parser.add_argument("--design", default="photo", choices=[one.name for one in DESIGNS])
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    template = Template.load(given.template.absolute())
    kept: ObjectStore = MemoryStore()
    if given.light:
        kept = open_store(given.light.absolute().as_uri(), endpoint_url=None, public_url=None)
    store = ShippedLight(kept, (template.folder.parent,))
    design = next(one for one in DESIGNS if one.name == given.design)
    print("| " + " | ".join(HEAD) + " |\n" + "| ---: | --- " + "| ---: " * (len(HEAD) - 2) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for size_px in SIZES_PX:
            bake = bakes.find(store, template.id, template.hash, size_px, [given.view])
            if bake is None:
                print(f"no light of {template.id} for {size_px} px", file=sys.stderr)
                return 1
            for form, background in BACKGROUNDS.items():
                out = Path(folder) / f"relit.{form}"
                order = order_of(design, given.view, template, size_px, 64, 1, out)
                order = replace(order, format=form, background=background)
                textures = [panel_texture(one) for one in order.prints]
                picture = Picture(order, textures, store, bake, Path(folder))
                print(f"| {size_px} | {form} | " + " | ".join(f"{value:.1f}" for value in picture.phases()) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
