"""What a quality costs and what it is worth: seconds and CPU seconds of a warm view, and PSNR against 1,024 samples.

One process, one garment, one design on white; the view is rendered once before anything is timed. PSNR is told for the
cloth (pixels wholly garment in the reference), in sRGB bytes: the background is exact and would only flatter.
"""

import argparse
import io
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.studio import CREW_TEE, Scene, Studio, example, quiet
from blender.protocol import ViewOrder
from blender.session import Session
from farm.domain.placement import Placement
from farm.domain.request import Quality
from farm.picture.compose import Layer


def pixels(data: bytes) -> NDArray[np.uint8]:
    """The picture, ``(H, W, 4) uint8``."""
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGBA"))


def psnr_db(one: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Peak signal to noise on the cloth, in dB."""
    cloth = (reference[..., 3] == 255) & (one[..., 3] == 255)
    error = (one[cloth][:, :3].astype(np.float64) - reference[cloth][:, :3]) ** 2
    return float(10 * np.log10(255**2 / error.mean()))


def opened_s(template: Path) -> tuple[float, float]:
    """Seconds to open the garment in a process that has Blender, the first time and once more."""
    took = []
    for _ in range(2):
        begin = time.perf_counter()
        with quiet():
            Session(template, device="cpu", threads=0).close()
        took.append(time.perf_counter() - begin)
    return took[0], took[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, default=CREW_TEE)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--view", default="front_0deg")
    parser.add_argument("--runs", type=int, default=3, help="the median of so many is told")
    parser.add_argument("--reference", type=int, default=1024, help="samples of the reference; 0 leaves PSNR out")
    parser.add_argument("--pictures", type=Path, help="keep the reference here and make it once")
    chosen = parser.parse_args()
    import bpy  # noqa: F401 - its own start is no part of opening a garment

    first, again = opened_s(chosen.template)
    print(f"garment opened in a warm process: {first:.2f} s the first time, {again:.2f} s once more\n", flush=True)
    scene = Scene(
        name="nordlys",
        layers=(Layer(pixels=np.asarray(example("nordlys.png")), placement=Placement(y_cm=24, width_cm=24)),),
        size_px=chosen.size,
        view=chosen.view,
    )
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(chosen.pictures or Path(folder), chosen.template)

        def order(samples: int) -> ViewOrder:
            return studio.order(replace(scene, samples=samples))

        studio.render(order(1), afresh=True)
        reference = pixels(studio.render(order(chosen.reference))) if chosen.reference else None
        print("| quality | samples | s | CPU s | PSNR, dB |\n| --- | --- | --- | --- | --- |")
        for quality in Quality:
            walls, cores, asked, data = [], [], order(quality.samples), b""
            for _ in range(chosen.runs):
                begin, cpu = time.perf_counter(), time.process_time()
                data = studio.render(asked, afresh=True)
                walls.append(time.perf_counter() - begin)
                cores.append(time.process_time() - cpu)
            worth = "" if reference is None else f"{psnr_db(pixels(data), reference):.1f}"
            wall_s, cpu_s = statistics.median(walls), statistics.median(cores)
            print(f"| {quality.value} | {quality.samples} | {wall_s:.1f} | {cpu_s:.1f} | {worth} |", flush=True)
        studio.close()


if __name__ == "__main__":
    main()
