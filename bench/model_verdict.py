"""The model verdict's confusion table: honest models of the examples in colours and sizes, and seven false kinds.

All are composed, built and judged as the farm does it. A false one counts where its print differs visibly from the
wanted one, by the rule of `bench.sabotage`, which looks at the two prints and not at the verdict.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.sabotage import VISIBLE_LEVELS, VISIBLE_SHARE
from bench.studio import CREW_TEE
from blender.model import write_model
from blender.protocol import PANELS, ModelOrder, PanelPrint
from blender.template import load_template
from farm.domain.request import parse_request
from farm.domain.template import Template
from farm.picture.decode import DecodeLimits, decode
from farm.picture.light import linear_rgb
from farm.picture.model_verdict import MOST_PRINT_ERROR, Surface, judge_model
from farm.picture.texture import PanelTexture
from farm.picture.verdict import Verdict
from farm.render.prepare import normalise
from farm.render.tasks.compose_task import composed, facts_of
from farm.render.tasks.model_task import MAX_BYTES

EXAMPLES = Path(__file__).parents[1] / "examples"
DESIGNS = ("nordlys.png", "wild-meadow.png", "tidewater-badge.png", "dunes-photo.jpg")
COLOURS = ("white", "black", "navy", "red", "heather-grey")
SIZES = ("64 4:1", "64 1:1", "100 1:1", "256 1:1", "400 1:1", "512 1:1", "640 1:1", "1024 1:1", "2048 1:1", "4096 1:1")
"""Longer side and proportion: prints from half a texel a centimetre to all that a design has."""
_COMPARED_PX_PER_CM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a model is asked to show."""

    name: str
    fabric: str
    print: PanelTexture


class Tailor:
    """Composes, builds and judges on one template."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = Template.load(CREW_TEE)
        opened = load_template(CREW_TEE)
        mesh = opened.mesh()
        self._surface = Surface(
            panel_order=PANELS,
            points_cm=mesh.points_cm,
            faces=mesh.faces,
            panel=mesh.face_panel,
            corner_cm=mesh.corner_cm,
            gain=float(opened.facts["finish"]["albedo_gain"]),
        )

    def job(self, design: str, colour: str, size: str) -> Job:
        side, aspect = size.split()
        asked = parse_request({"fabric_color": colour, "size": int(side), "aspect": aspect, "model": True})
        request = normalise(asked, self._template.placements(asked.preset, asked.placements, 1))
        pixels = decode((EXAMPLES / design).read_bytes(), limits=DecodeLimits()).pixels
        (texture,) = composed(request, {0: pixels}, template=CREW_TEE, facts=facts_of(CREW_TEE))
        return Job(name=f"{design}, {colour}, {size}", fabric=request["fabric_color"], print=texture)

    def built(self, fabric: str, texture: PanelTexture | None) -> bytes:
        prints = []
        if texture is not None:
            path = self._folder / "print.png"
            Image.fromarray(texture.pixels).save(path, compress_level=1)
            place = {name: getattr(texture, name) for name in ("x_cm", "y_cm", "width_cm", "height_cm")}
            prints.append(PanelPrint(panel=texture.panel, path=str(path), **place))
        out = self._folder / "model.glb"
        write_model(
            ModelOrder(
                template=str(CREW_TEE), out=str(out), prints=tuple(prints), fabric_color=fabric, max_bytes=MAX_BYTES
            )
        )
        return out.read_bytes()

    def judged(self, job: Job, data: bytes) -> Verdict:
        return judge_model(
            data,
            surface=self._surface,
            textures={job.print.panel: job.print},
            fabric=linear_rgb(job.fabric),
            most_bytes=MAX_BYTES,
        )


def false_ones(job: Job, other: Job) -> Iterator[tuple[str, str, PanelTexture | None]]:
    """Kind, fabric and print of models that are not what was asked for."""
    own = job.print
    yield "missing print", job.fabric, None
    yield "another job's print", job.fabric, other.print
    yield "mirrored", job.fabric, replace(own, pixels=np.ascontiguousarray(own.pixels[:, ::-1]))
    yield "a centimetre aside", job.fabric, replace(own, x_cm=own.x_cm + 1)
    yield "a centimetre low", job.fabric, replace(own, y_cm=own.y_cm + 1)
    yield "wrong colour", job.fabric, replace(own, pixels=np.ascontiguousarray(own.pixels[..., [1, 2, 0, 3]]))
    yield "wrong fabric", "#21432d", own


def counts(job: Job, fabric: str, texture: PanelTexture | None) -> bool:
    """Whether it differs visibly."""
    one, other = _on_cloth(job.fabric, job.print), _on_cloth(fabric, texture)
    return float((np.abs(one - other).max(axis=2) >= VISIBLE_LEVELS).mean()) >= VISIBLE_SHARE


def _on_cloth(fabric: str, texture: PanelTexture | None) -> NDArray[np.float32]:
    """The front, 60 cm wide and 80 high, from its collar's middle, sRGB."""
    cloth = Image.new("RGBA", (60 * _COMPARED_PX_PER_CM, 80 * _COMPARED_PX_PER_CM), fabric)
    if texture is not None:
        side = (texture.width_cm * _COMPARED_PX_PER_CM, texture.height_cm * _COMPARED_PX_PER_CM)
        small = Image.fromarray(texture.pixels).resize((round(side[0]), round(side[1])), Image.Resampling.BOX)
        place = ((texture.x_cm + 30) * _COMPARED_PX_PER_CM, texture.y_cm * _COMPARED_PX_PER_CM)
        cloth.alpha_composite(small, (round(place[0]), round(place[1])))
    return np.asarray(cloth.convert("RGB"), np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="such as '512 1:1'")
    parser.add_argument("--colours", nargs="+", default=COLOURS)
    parser.add_argument("--every", type=int, default=6, help="make false ones of every so manieth")
    chosen = parser.parse_args()
    tally: Counter[tuple[str, str]] = Counter()
    refused, missed, worst, least = [], [], (0.0, ""), (9.9, "")
    with tempfile.TemporaryDirectory() as folder:
        tailor = Tailor(Path(folder))
        for number, (size, colour, design) in enumerate(product(chosen.sizes, chosen.colours, DESIGNS)):
            job = tailor.job(design, colour, size)
            verdict = tailor.judged(job, tailor.built(job.fabric, job.print))
            worst = max(worst, (verdict.measures.get("front_print_error", 0.0), job.name))
            tally["honest", verdict.code] += 1
            if not verdict.ok:
                refused.append(f"refused: {job.name}: {verdict.reasons} {verdict.measures}")
            if number % chosen.every:
                continue
            other = tailor.job(DESIGNS[(DESIGNS.index(design) + 1) % len(DESIGNS)], colour, size)
            for kind, fabric, texture in false_ones(job, other):
                if not counts(job, fabric, texture):
                    tally[kind, "not counted"] += 1
                    continue
                verdict = tailor.judged(job, tailor.built(fabric, texture))
                tally[kind, verdict.code] += 1
                if verdict.ok:
                    missed.append(f"missed: {kind}: {job.name}: {verdict.measures}")
                if verdict.code == "wrong_print" and "front_print_error" in verdict.measures:
                    least = min(least, (verdict.measures["front_print_error"], f"{kind}, {job.name}"))
    print("| models | verdict | count |\n| --- | --- | --- |")
    for (kind, code), count in sorted(tally.items()):
        print(f"| {kind} | {code} | {count} |")
    print(
        f"\nlimit {MOST_PRINT_ERROR}; worst honest {worst[0]:.4f} ({worst[1]}); least false {least[0]:.4f} ({least[1]})"
    )
    print("\n".join(refused + missed))
    return 1 if refused or missed else 0


if __name__ == "__main__":
    sys.exit(main())
