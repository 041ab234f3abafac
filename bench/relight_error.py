"""How far relit pictures are from traced ones: ``python -m bench.relight_error [--size 1024] [--samples 64]``.

Every design is traced and relit on every view and compared; two of them are traced with a second seed too, which is the
floor: what two path traces of the same order differ by. What was rendered stays in the work folder, so that the bench
may be stopped, or limited with ``--seconds``, and goes on from there. Ends with 3 while something is still to be
rendered. Light that came with the template is used where it has the size; else it is baked first.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flip_evaluator import evaluate
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation
from skimage.metrics import structural_similarity

from bench.relight_designs import DESIGNS, Design
from blender.bake import bake_view
from blender.output import over
from blender.protocol import VIEW_AZIMUTH_DEG, PanelPrint, ViewOrder, place_of
from blender.session import Session
from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.panel_places import PanelPlaces
from farm.adapters.shipped_light import ShippedLight
from farm.adapters.storage import open_store
from farm.domain.template import Template
from farm.picture.colour_difference import ciede2000, lab_of_srgb
from farm.picture.relight import printed
from farm.render import bakes
from farm.render.baker import BakeWish, bake
from farm.render.bakes import BakedPart
from farm.render.ports import BakeTask, ObjectStore
from farm.render.tasks.bake_task import bake_part
from farm.render.tasks.compose_task import px_per_cm
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.print_files import panel_texture
from farm.render.tasks.relighter import Relighter
from farm.render.tasks.task_log import TaskLog
from farm.settings import Settings

FLOOR = ("photo", "white on black shirt")
COLUMNS = ("PSNR dB", "SSIM", "FLIP", "print", "garment", "silhouette")
Pixels = NDArray[np.uint8]


class Studio:
    """Blender, opened when first needed, and the clock that says when to stop."""

    def __init__(self, template: Template, until_s: float) -> None:
        self.template = template
        self._until_s = until_s
        self._session: Session | None = None

    def session(self) -> Session:
        """The open session.

        Raises:
            TimeoutError: when the time given is over.
        """
        if time.monotonic() > self._until_s:
            raise TimeoutError
        if self._session is None:
            self._session = Session(self.template.folder, device="cpu")
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def baked(studio: Studio, store: ObjectStore, size_px: int, samples: int, views: Sequence[str], work: Path) -> None:
    """Bake what is not baked yet."""
    template = studio.template
    wish = BakeWish(
        template=template.id, template_hash=template.hash, size_px=size_px, samples=samples, views=tuple(views),
        measure=False,
    )  # fmt: skip

    async def one(task: BakeTask) -> BakedPart:
        def transport(
            task: BakeTask, on_progress: Callable[[float], None]
        ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
            return bake_view(studio.session(), task.view, size_px=task.size_px, samples=task.samples)

        return bake_part(
            task, store=store, bake_view=transport, renderer=_NoRenderer(), facts=template.facts,
            template=template.folder, places=PanelPlaces(template.folder, work / "places"), folder=work,
            progress=Progress(), log=TaskLog("bake"),
        )  # fmt: skip

    async def told(part: BakedPart) -> None:
        print(f"  baked {part.name}: {part.size_bytes / 1e6:.1f} MB, {part.seconds:.0f} s", file=sys.stderr)

    try:
        asyncio.run(bake(wish, work=one, store=store, on_part=told))
    except* TimeoutError:
        raise TimeoutError from None


class _NoRenderer:
    """Nothing is measured while baking here."""

    def render(self, order: ViewOrder, on_progress: Callable[[int, int], None] | None = None) -> Any:
        raise AssertionError("the bake was asked to measure")


def order_of(
    design: Design, view: str, template: Template, size_px: int, samples: int, seed: int, out: Path
) -> ViewOrder:
    """The order of one picture; its prints are written once and kept."""
    folder = out.parent / "prints"
    folder.mkdir(parents=True, exist_ok=True)
    prints = []
    for texture in design.textures(template.folder, px_per_cm(template.facts, size_px)):
        path = folder / f"{design.name}-{texture.panel}-{size_px}.png"
        if not path.exists():
            Image.fromarray(texture.pixels).save(path)
        prints.append(PanelPrint(path=str(path), **place_of(texture)))
    return ViewOrder(
        template=str(template.folder), view=view, out=str(out), prints=tuple(prints), fabric_color=design.fabric,
        width_px=size_px, height_px=size_px, samples=samples, seed=seed, device="cpu",
    )  # fmt: skip


def traced(studio: Studio, order: ViewOrder) -> Path:
    """The path-traced picture, rendered if it is not there."""
    out = Path(order.out)
    if not out.exists():
        report = studio.session().render(order)
        print(f"  traced {out.stem}: {report.total_s - report.open_s:.1f} s", file=sys.stderr)
    return out


def compared(one: Path, other: Path, inside: NDArray[np.bool_]) -> dict[str, float]:
    """All measures between two pictures; the pixels of ``inside`` show the print."""
    a, b = _rgba(one), _rgba(other)
    cloth = (a[..., 3] == 255) & (b[..., 3] == 255)
    edge = binary_dilation(((a[..., 3] > 0) | (b[..., 3] > 0)) & ~cloth)
    on_white = [np.asarray(over(Image.fromarray(picture), "#ffffff")) for picture in (a, b)]
    apart = ciede2000(*(lab_of_srgb(picture / 255) for picture in on_white))
    rows, columns = np.nonzero(a[..., 3] + b[..., 3])
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    inside = inside & cloth
    result = {
        "PSNR dB": _psnr_db(on_white[0][inside], on_white[1][inside]),
        "garment PSNR dB": _psnr_db(on_white[0][cloth], on_white[1][cloth]),
        "SSIM": float(structural_similarity(on_white[0][window], on_white[1][window], channel_axis=2)),  # type: ignore[no-untyped-call]
        "FLIP": float(evaluate(*(picture[window].astype(np.float32) / 255 for picture in on_white), "LDR")[1]),
    }
    for name, mask in (("print", inside), ("garment", cloth), ("silhouette", edge)):
        shown = apart[mask] if mask.any() else np.zeros(1)
        result[name] = float(shown.mean())
        result[f"{name} p99"] = float(np.percentile(shown, 99))
    return result


def _rgba(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA"))


def _psnr_db(one: Pixels, other: Pixels) -> float:
    error = float(((one.astype(np.float64) - other) ** 2).mean()) if one.size else 0.0
    return float("nan") if error == 0 else float(10 * np.log10(255**2 / error))


def cells(row: Mapping[str, float]) -> str:
    """A row of the table."""
    text = f"{row['PSNR dB']:.1f} | {row['garment PSNR dB']:.1f} | {row['SSIM']:.4f} | {row['FLIP']:.4f}"
    for name in ("print", "garment", "silhouette"):
        text += f" | {row[name]:.2f} / {row[f'{name} p99']:.2f}"
    return text


HEAD = (
    "PSNR in the print, dB | PSNR on the garment, dB | SSIM | FLIP | ΔE00 print mean / p99 | "
    "ΔE00 garment mean / p99 | ΔE00 silhouette mean / p99"
)


def table(
    rows: Mapping[tuple[str, str], Mapping[str, float]], floors: Mapping[tuple[str, str], Mapping[str, float]]
) -> str:
    """Markdown: every design and view, the floor below where there is one, and the means over the views."""
    lines = [f"| design | view | {HEAD} |", "| --- " * 9 + "|"]
    for (design, view), row in rows.items():
        lines.append(f"| {design} | {view} | {cells(row)} |")
        if (design, view) in floors:
            lines.append(f"| *{design}: two seeds* | {view} | {cells(floors[design, view])} |")
    for title, source in (("mean of the views", rows), ("floor, mean of the views", floors)):
        for design in dict.fromkeys(name for name, _ in source):
            own = [row for (name, _), row in source.items() if name == design]
            mean = {key: float(np.nanmean([row[key] for row in own])) for key in own[0]}
            lines.append(f"| **{design}** | {title} | {cells(mean)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.relight_error", description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=Path, default=Settings.load().templates_folder / "crew-tee")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--samples", type=int, default=64, help="of the reference; 64 is quality high")
    parser.add_argument("--bake-samples", type=int, default=Settings.load().bake_samples)
    parser.add_argument("--views", default=",".join(VIEW_AZIMUTH_DEG))
    parser.add_argument("--designs", default=",".join(one.name for one in DESIGNS))
    parser.add_argument("--work", type=Path, default=Path("out/relight-error"))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop rendering after so long")
    given = parser.parse_args()
    template = Template.load(given.template)
    views = given.views.split(",")
    work = (given.work / template.hash[:12]).absolute()
    folder = work / f"{given.size}-{given.samples}"
    folder.mkdir(parents=True, exist_ok=True)
    kept = open_store((work / "objects").as_uri(), endpoint_url=None, public_url=None)
    store = ShippedLight(kept, (template.folder.parent,))
    studio = Studio(template, time.monotonic() + given.seconds)
    chosen = [one for one in DESIGNS if one.name in given.designs.split(",")]
    rows: dict[tuple[str, str], dict[str, float]] = {}
    floors: dict[tuple[str, str], dict[str, float]] = {}
    try:
        made = bakes.finished(store, template.id, template.hash)
        for view in views:
            if bakes.serving(made, view, given.size) is None:
                baked(studio, store, given.size, given.bake_samples, [view], work)
        shelf = BakeShelf(work / "places")
        relighter = Relighter(
            store=store, shelf=shelf, template=template.id, template_hash=template.hash, folder=template.folder,
            threads=2,
        )  # fmt: skip
        for design in chosen:
            for view in views:
                order = order_of(
                    design, view, template, given.size, given.samples, 1, folder / f"{design.name}-{view}.png"
                )
                reference = traced(studio, order)
                relit = order_of(
                    design, view, template, given.size, given.samples, 1, folder / f"{design.name}-{view}-relit.png"
                )
                relighter.render(relit)
                _, part = relighter.bake(order)
                inside = printed(
                    shelf.take(store, part, template.folder), [panel_texture(one) for one in order.prints],
                    width_px=given.size, height_px=given.size,
                )  # fmt: skip
                rows[design.name, view] = compared(Path(relit.out), reference, inside)
                if design.name in FLOOR:
                    again = order_of(
                        design, view, template, given.size, given.samples, 2, folder / f"{design.name}-{view}-again.png"
                    )
                    floors[design.name, view] = compared(traced(studio, again), reference, inside)
    except TimeoutError:
        print("the time is over; run it again to go on", file=sys.stderr)
    finally:
        studio.close()
    if rows:
        print(f"{given.size} px, reference {given.samples} samples, bake {given.bake_samples} samples\n")
        print(table(rows, floors))
    wanted = len(chosen) * len(views) + sum(one.name in FLOOR for one in chosen) * len(views)
    return 0 if len(rows) + len(floors) == wanted else 3


if __name__ == "__main__":
    sys.exit(main())
