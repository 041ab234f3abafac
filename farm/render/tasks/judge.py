"""The verdict on a picture, as a render task asks for it: file in, judgement out."""

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from blender.plain_png import SIGNATURE
from blender.protocol import VIEW_AZIMUTH_DEG, ViewOrder
from blender.shadow import shade_of
from farm.errors import TemplateBroken
from farm.picture.light import linear_rgb
from farm.picture.texture import PanelTexture
from farm.picture.verdict import ViewMaps, judge
from farm.render.tasks.print_files import panel_textures
from farm.render.tasks.view_task import Judge, Judgement

MOST_BYTES_OFF = 12
"""A lossy format's own noise in plain background."""
MOST_STRAY = 0.001
KEPT_MAPS = 12
"""Views whose maps a process keeps: a worker judges one picture after another of the same."""


def judge_with(template: Path, prints: Sequence[PanelTexture] | None = None) -> Judge:
    """A judge of pictures of that template, by its ``verdict.npz``.

    It knows the six views. A film's frames are judged by them where the turntable passes one, which is where a print of
    another job or another cloth would show; of the frames between only blank and black ones are told.

    Args:
        prints: the textures, where they are at hand and need not be read from the order's files.
    """

    def decide(data: bytes, order: ViewOrder) -> Judgement:
        try:
            picture, size, form = _decoded(data)
            margin = _margin(picture)
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
            return Judgement(reason=f"it does not decode: {error}")
        if size != (order.width_px, order.height_px) or form != order.format:
            return Judgement(reason=f"it is a {form} of {size[0]} x {size[1]} pixels, not what was ordered")
        if stray := _stray(margin, order.background):
            return Judgement(reason=f"wrong_silhouette: {stray:.1%} of the margin beside the garment is not background")
        shade, view = shade_of(order), _view(order)
        verdict = judge(
            _middle(picture),
            maps=None if view is None else _maps(template, view, _stamp(template)),
            textures=_textures(order) if prints is None else {one.panel: one for one in prints},
            fabric=linear_rgb(order.fabric_color),
            background=linear_rgb(order.background) if order.background else None,
            shadow=None if shade is None else _middle(shade.whole(order.width_px, order.height_px)),
            samples=order.samples,
        )
        if verdict.ok:
            return Judgement(figures=verdict.measures)
        return Judgement(
            reason=f"{verdict.code}: {'; '.join(verdict.reasons)}",
            figures=verdict.measures,
            difference=None if verdict.difference is None else _png(verdict.difference),
        )

    return decide


def _middle[T: np.generic](picture: NDArray[T]) -> NDArray[T]:
    """The square in the middle: a camera's shorter side always sees the same, the longer one only more background."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _margin(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What `_middle` leaves out but for a pixel of rounding, ``(N, 3 or 4)``."""
    height, width = picture.shape[:2]
    side = min(height, width) + 2
    if side >= max(height, width):
        return picture[:0, 0]
    outside = np.ones((height, width), np.bool_)
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    outside[top : top + side, left : left + side] = False
    return picture[outside]


def _stray(margin: NDArray[np.uint8], background: str | None) -> float:
    """Part of the margin that is not background; 0 when next to nothing is."""
    if not margin.size:
        return 0.0
    if background is None:
        if margin.shape[1] == 3:
            return 1.0
        stray = margin[:, 3] > 8
    else:
        ground = np.array([int(background[i : i + 2], 16) for i in (1, 3, 5)], np.int16)
        stray = np.abs(margin[:, :3].astype(np.int16) - ground).max(axis=1) > MOST_BYTES_OFF
    share = float(stray.mean())
    return share if share > MOST_STRAY else 0.0


def _view(order: ViewOrder) -> str | None:
    """The view that an order's camera stands at, if it is one."""
    if order.azimuth_deg is None:
        return order.view
    angle = order.azimuth_deg % 360
    return next((view for view, known in VIEW_AZIMUTH_DEG.items() if abs(known - angle) < 1e-6), None)


def _decoded(data: bytes) -> tuple[NDArray[np.uint8], tuple[int, int], str]:
    """Pixels ``(H, W, 4) uint8``, sRGB, straight alpha, or ``(H, W, 3)``; width and height; the format's name."""
    if data.startswith(SIGNATURE):
        try:
            found = np.asarray(imagecodecs.png_decode(data))  # a quarter of the time
        except (imagecodecs.PngError, RuntimeError, ValueError) as error:
            raise OSError(f"PNG: {error}") from error
        if found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] in (3, 4):
            return found, (found.shape[1], found.shape[0]), "png"
    with Image.open(io.BytesIO(data)) as picture:
        pixels = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGBA")
        return np.asarray(pixels), picture.size, str(picture.format).lower()


def _stamp(template: Path) -> int:
    """Tells a template that was built again in its place."""
    try:
        return (template / "verdict.npz").stat().st_mtime_ns
    except OSError as error:
        raise TemplateBroken(template=template.name, reason=f"verdict.npz: {error}") from error


@lru_cache(maxsize=KEPT_MAPS)
def _maps(template: Path, view: str, _stamp: int) -> ViewMaps:
    try:
        order = json.loads((template / "template.json").read_text("utf-8"))["panel_order"]
        with np.load(template / "verdict.npz", allow_pickle=False) as arrays:
            return ViewMaps.of(arrays, view, tuple(order))
    except (OSError, ValueError, KeyError) as error:
        raise TemplateBroken(template=template.name, reason=f"verdict.npz: {type(error).__name__}: {error}") from error


def _textures(order: ViewOrder) -> dict[str, PanelTexture]:
    return {one.panel: one for one in panel_textures(order.prints)}


def _png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
