"""Same request, same picture? Compared byte by byte on the CPU, and in decibels where bytes differ.

In one session (once more at once, and after other orders), in two processes, and with one thread against two; with
``--build`` also the template, built anew and compared file by file with the one in the tree.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from bench.scenes import clouds
from bench.studio import CREW_TEE, ROOT, Scene, Studio, example
from farm.domain.placement import Panel, Placement
from farm.picture.compose import Layer
from farm.picture.light import LINEAR_OF_BYTE


def scenes(size_px: int, samples: int) -> list[Scene]:
    """Three pictures that share nothing."""
    nordlys = Layer(pixels=np.asarray(example("nordlys.png")), placement=Placement(y_cm=26, width_cm=24))
    badge = Layer(
        pixels=np.asarray(example("tidewater-badge.png")),
        placement=Placement(panel=Panel.BACK, y_cm=14, width_cm=12, rotation_deg=8),
    )
    cloud = Layer(pixels=clouds(3), placement=Placement(y_cm=25, width_cm=28))
    return [
        Scene(name="nordlys on white, front", layers=(nordlys,), size_px=size_px, samples=samples),
        Scene(
            name="badge on navy, back",
            layers=(badge,),
            fabric="#1f2a44",
            view="back_180deg",
            size_px=size_px,
            samples=samples,
        ),
        Scene(
            name="clouds on black, three-quarter, jpeg on grey",
            layers=(cloud,),
            fabric="#161616",
            view="front_45deg_left",
            size_px=size_px,
            samples=samples,
            background="#eeeeee",
            format="jpeg",
        ),
    ]


def compared(one: bytes, other: bytes) -> str:
    """``same bytes``, or how far apart."""
    if one == other:
        return "same bytes"
    first, second = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(np.float64) for data in (one, other)
    )
    error = float(((first - second) ** 2).mean())
    most = int(np.abs(first - second).max())
    return "same pixels" if error == 0 else f"PSNR {10 * np.log10(255**2 / error):.1f} dB, most {most} of 255"


def noise_floor(one: bytes, other: bytes) -> float:
    """PSNR of two pictures that differ in nothing but the seed, dB: what a difference is to be seen against."""
    light = [LINEAR_OF_BYTE[np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))] for data in (one, other)]
    return float(-10 * np.log10(np.mean((light[0] - light[1]) ** 2)))


def in_a_process(studio: Studio, scene: Scene, threads: int) -> bytes:
    """The same order by ``python -m blender``, in a process of its own."""
    order = replace(studio.order(scene), threads=threads)
    order = replace(order, out=str(studio.folder / f"alone.{scene.format}"))
    told = studio.folder / "order.json"
    told.write_text(order.to_json())
    subprocess.run([sys.executable, "-m", "blender", str(told)], check=True, capture_output=True, cwd=ROOT)
    return Path(order.out).read_bytes()


def measure(studio: Studio, wanted: list[Scene], *, processes: bool = True) -> list[tuple[str, str, str]]:
    """Rows of scene, comparison, outcome."""
    rows = []
    first = {scene.name: studio.render(studio.order(scene), afresh=True) for scene in wanted}
    for scene in wanted:
        rows.append((scene.name, "after two other orders", compared(first[scene.name], _again(studio, scene))))
        rows.append((scene.name, "at once again", compared(first[scene.name], _again(studio, scene))))
        for threads in (1, 2):
            one = replace(studio.order(scene), threads=threads)
            outcome = compared(first[scene.name], studio.render(one, afresh=True))
            rows.append((scene.name, f"with {threads} threads", outcome))
    if processes:
        for scene in wanted:
            outcome = compared(first[scene.name], in_a_process(studio, scene, studio.threads))
            rows.append((scene.name, "in another process", outcome))
    return rows


def _again(studio: Studio, scene: Scene) -> bytes:
    return studio.render(studio.order(scene), afresh=True)


def built_again(template: Path) -> list[tuple[str, str, str]]:
    """Build the template into a temporary folder and compare it with the one in the tree."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / template.name
        target.mkdir()
        measures = template / "garment.toml"
        if measures.is_file():
            (target / measures.name).write_bytes(measures.read_bytes())
        subprocess.run([sys.executable, "-m", "blender", "build", str(target)], check=True, cwd=ROOT)
        rows = []
        for path in sorted(template.iterdir()):
            other = target / path.name
            digests = [hashlib.sha256(one.read_bytes()).hexdigest() if one.is_file() else "" for one in (path, other)]
            rows.append((path.name, "built again", "same bytes" if digests[0] == digests[1] else "DIFFERS"))
        return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, default=CREW_TEE)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--build", action="store_true", help="build the template anew too (minutes)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder), chosen.template)
        try:
            wanted = scenes(chosen.size, chosen.samples)
            rows = measure(studio, wanted)
            seeds = [studio.render(studio.order(replace(wanted[0], seed=seed))) for seed in (0, 1)]
            floor = noise_floor(*seeds)
        finally:
            studio.close()
    if chosen.build:
        rows += built_again(chosen.template)
    print("| what | compared | outcome |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(f"\nAnother seed: {floor:.1f} dB.")
    return 0 if all(outcome == "same bytes" for _, _, outcome in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
