"""How long composing takes: ten-megapixel designs into textures of up to 4096 texels, on this machine's cores."""

import argparse
import json
import os
import statistics
import time

import numpy as np

from farm.domain.panel import PanelShape, Rect
from farm.domain.placement import BlendMode, Placement
from farm.picture.compose import Layer, compose

PANEL = PanelShape(
    name="front",
    bounds=Rect(x_cm=-27, y_cm=-4, width_cm=54, height_cm=74),
    print_area=Rect(x_cm=-15, y_cm=6, width_cm=30, height_cm=40),
)
WIDTH_PX, HEIGHT_PX = 2739, 3652


def design(width: int, height: int) -> np.ndarray:
    """A picture with detail everywhere and a soft alpha, so that no shortcut applies."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [127.5 + 127.5 * np.sin(x / a + y / b) for a, b in ((7.0, 31.0), (40.0, 5.0), (90.0, 60.0))]
    alpha = np.clip(300 - np.hypot(x - width / 2, y - height / 2) / height * 400, 0, 255)
    return np.stack([*waves, alpha], axis=-1).astype(np.uint8)


def main() -> None:
    """Print the median of several runs of each case, as a table or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    pixels = design(WIDTH_PX, HEIGHT_PX)
    upright = Placement(y_cm=26, width_cm=30)
    cases = {
        "1:1 into 4k": ([Layer(pixels=pixels, placement=upright)], 200.0),
        "0.98:1 into 4k": ([Layer(pixels=pixels, placement=upright)], 89.5),
        "down to 36 px/cm": ([Layer(pixels=pixels, placement=upright)], 36.0),
        "rotated 7 degrees, 4k": (
            [Layer(pixels=pixels, placement=upright.model_copy(update={"rotation_deg": 7.0}))],
            200.0,
        ),
        "two layers, overlay, 4k": (
            [
                Layer(pixels=pixels, placement=upright),
                Layer(pixels=pixels, placement=upright.model_copy(update={"blend": BlendMode.OVERLAY, "opacity": 0.5})),
            ],
            200.0,
        ),
    }
    results = {}
    for name, (layers, density) in cases.items():
        times = []
        texture = compose(layers, panel=PANEL, fabric=(0.8, 0.1, 0.1), px_per_cm=density, threads=chosen.threads)
        for _ in range(chosen.runs):
            started = time.perf_counter()
            texture = compose(layers, panel=PANEL, fabric=(0.8, 0.1, 0.1), px_per_cm=density, threads=chosen.threads)
            times.append(time.perf_counter() - started)
        height, width = texture.pixels.shape[:2]
        results[name] = {"median_s": round(statistics.median(times), 3), "width_px": width, "height_px": height}
    report = {
        "design_px": [WIDTH_PX, HEIGHT_PX],
        "cores": os.process_cpu_count(),
        "threads": chosen.threads or os.process_cpu_count(),
        "cases": results,
    }
    if chosen.json:
        print(json.dumps(report))
        return
    print(f"design {WIDTH_PX} x {HEIGHT_PX} px, {report['cores']} cores, {report['threads']} threads")
    for name, row in results.items():
        print(f"{name:28} {row['median_s']:7.3f} s   texture {row['width_px']} x {row['height_px']}")


if __name__ == "__main__":
    main()
