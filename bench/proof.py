"""A relit picture beside the path tracer's: ``python -m bench.proof RELIT TRACED [-o SHEET]``.

Measures how far they are apart on the garment, and puts both on one page with their difference, eight times over. Two
path traces that differ in nothing but the seed are apart too: docs/relighting.md says by how much.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.output import over
from farm.picture.colour_difference import ciede2000, lab_of_srgb
from farm.picture.contact_sheet import contact_sheet

TIMES = 8


def on_white(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture on white, ``(H, W, 3) uint8`` sRGB, and where it is all garment."""
    with Image.open(path) as file:
        picture = file.convert("RGBA")
    return np.asarray(over(picture, "#ffffff")), np.asarray(picture)[..., 3] == 255


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proof", description=__doc__.splitlines()[0])
    parser.add_argument("relit", type=Path)
    parser.add_argument("traced", type=Path)
    parser.add_argument("--out", "-o", type=Path, default=Path("relit-beside-traced.png"))
    given = parser.parse_args()
    (relit, one), (traced, other) = on_white(given.relit), on_white(given.traced)
    cloth = one & other
    apart = ciede2000(lab_of_srgb(relit[cloth] / 255), lab_of_srgb(traced[cloth] / 255))
    error = float(((relit[cloth].astype(np.float64) - traced[cloth]) ** 2).mean())
    psnr = "equal" if error == 0 else f"{10 * np.log10(255**2 / error):.1f} dB"
    words = f"ΔE00 {apart.mean():.2f} in the mean, {np.percentile(apart, 99):.2f} at the 99th percentile; PSNR {psnr}"
    difference = np.clip(np.abs(relit.astype(np.int16) - traced) * TIMES, 0, 255).astype(np.uint8)
    sheet = contact_sheet(
        [("relit", given.relit), ("traced by Blender", given.traced), (f"difference, {TIMES} times", 255 - difference)],
        title="Relit beside traced",
        caption=words.replace("ΔE00", "CIEDE2000"),  # the sheet's font has no delta
    )
    given.out.write_bytes(sheet)
    print(f"{given.relit.name}, relit beside traced, on all cloth: {words}")
    print("(about 1 is the least difference that a person sees)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
