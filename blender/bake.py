"""Bake a view's light transport, so that another print on the same cloth costs a sum instead of a path trace.

For one garment, camera and light only the albedo changes, and what a pixel shows is ``I = S + A·D + A·Ā·M``: S sheen
and specular, D the light that cloth of albedo one would return, M the part of it that came from other cloth, A the
albedo filtered to the pixel, Ā the albedo round about. Three uniform greys tell the three apart.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.output import Window
from blender.pixel_places import EMPTY, SIDE, UNPRINTED, condensed
from blender.places import INSIDE, STEP
from blender.protocol import VIEW_AZIMUTH_DEG, ProtocolError, ViewOrder
from blender.session import TEXELS_PER_PIXEL, Session
from blender.studio import PlacedStudio
from blender.template import Kind
from blender.texture import linear_color

SCHEMA = 2
GREYS = ("#000000", "#bcbcbc", "#f5f5f5")
"""Fabrics of the three renders: albedo 0, about one half, and nearly all that cloth returns."""
SEED = 7919
"""Another than orders have, so that a bake's noise is not mistaken for the picture's."""
Arrays = dict[str, NDArray[Any]]


def bake_view(
    session: Session,
    view: str,
    *,
    size_px: int,
    samples: int,
    azimuth_deg: float | None = None,
    threads: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Render the greys of one view, and boil them down.

    Args:
        samples: Paths per pixel of each grey.
        azimuth_deg: Overrides the view's azimuth (frames of a film).
        on_progress: Called with the share that is done, on any thread.

    Returns:
        The arrays of a bake, window-cropped, row 0 at the top, and its facts. ``specular``, ``diffuse``, ``mutual``:
        (H, W) or, where the light has colour, (H, W, 3) float32, linear, not multiplied by coverage. ``alpha``:
        (H, W) uint8. Of a shop's ``.blend`` also its places, as :func:`blender.pixel_places.condensed` gives them;
        those of a sewn garment are rasterised from its mesh, :func:`blender.pixel_places.rasterised`.

    Raises:
        ProtocolError, RenderError: As :meth:`blender.session.Session.render`.
    """
    studio = session.studio
    if not isinstance(studio, PlacedStudio):
        raise ProtocolError(f"{session.template.id} cannot be baked: nothing tells where its panels lie")
    azimuth = VIEW_AZIMUTH_DEG[view] if azimuth_deg is None else azimuth_deg

    def order(fabric: str, scale: int = 1) -> ViewOrder:
        return ViewOrder(
            template=str(session.template.folder), view=view, out="", fabric_color=fabric, width_px=scale * size_px,
            height_px=scale * size_px, samples=samples, seed=SEED, threads=threads, azimuth_deg=azimuth,
        )  # fmt: skip

    def tell(begun: float, share: float) -> Callable[[int, int], None] | None:
        if on_progress is None:
            return None
        return lambda done, of: on_progress(begun + share * done / max(1, of))

    light, window = [], (0, 0, 0, 0)
    for number, grey in enumerate(GREYS):
        pixels, window = session.render_window(order(grey), tell(0.3 * number, 0.3))
        light.append(pixels)
    alpha = light[1][..., 3]
    gain = float(session.template.facts["finish"]["albedo_gain"])
    transport = separate([one[..., :3] for one in light], [gain * linear_color(grey)[0] for grey in GREYS])
    facts = {
        "schema": SCHEMA,
        "template": session.template.facts["hash"],
        "view": view,
        "azimuth_deg": azimuth,
        "size_px": size_px,
        "samples": samples,
        "renderer": session.renderer,
        "window": list(window),
        "panels": list(studio.panels),
        "albedo_gain": gain,
        "texels_per_cm": TEXELS_PER_PIXEL * studio.px_per_cm(size_px),
    }
    arrays: Arrays = {**transport, "alpha": np.round(np.clip(alpha, 0, 1) * 255).astype(np.uint8)}
    if session.template.kind is not Kind.SEWN:
        # Only Blender knows what a shop's modifiers make of its mesh; ours is rasterised where it is needed.
        arrays |= _places(session, studio, order(GREYS[1], SIDE), size_px, window)
    return arrays, facts


def separate(light: list[NDArray[np.float32]], albedos: list[float]) -> dict[str, NDArray[np.float32]]:
    """Solve ``light = S + g·D + g²·M`` for three greys g, the first of them black.

    Args:
        light: three times (H, W, 3), linear.

    Returns:
        ``specular``, ``diffuse``, ``mutual``: (H, W) each, or (H, W, 3) where the light is coloured.
    """
    if not _coloured(light):
        # The denoiser tints grey pixels at random; white light on grey cloth is grey.
        light = [one.mean(axis=2) for one in light]
    black, middle, bright = light
    first, second = (middle - black) / np.float32(albedos[1]), (bright - black) / np.float32(albedos[2])
    mutual = (second - first) / np.float32(albedos[2] - albedos[1])
    solved = {"specular": black, "diffuse": first - albedos[1] * mutual, "mutual": mutual}
    return {name: np.asarray(array, np.float32) for name, array in solved.items()}


def _coloured(light: list[NDArray[np.float32]]) -> bool:
    total = np.sum([one.sum(axis=(0, 1), dtype=np.float64) for one in light], axis=0)
    return bool((total.max() - total.min()) > 0.002 * total.max())


def _places(session: Session, studio: PlacedStudio, order: ViewOrder, size_px: int, window: Window) -> Arrays:
    """Ask Blender which points of the panels the sub-samples show."""
    rendered, fine = session.render_places(order)
    left, top, right, bottom = (SIDE * edge for edge in window)
    # Their own window is smaller where the garment ends.
    whole = np.zeros((bottom - top, right - left, 4), np.float32)
    x0, y0, x1, y1 = max(left, fine[0]), max(top, fine[1]), min(right, fine[2]), min(bottom, fine[3])
    whole[y0 - top : y1 - top, x0 - left : x1 - left] = (
        rendered[y0 - fine[1] : y1 - fine[1], x0 - fine[0] : x1 - fine[0]]
    )  # fmt: skip
    code = np.rint(whole[..., 2] * STEP).astype(np.int16)
    which = np.full(code.shape, EMPTY, np.uint8)
    seen = whole[..., 3] > 0.5
    which[seen] = np.clip(code[seen] - 1, 0, len(studio.boxes_cm) - 1)
    which[seen & (code == INSIDE)] = UNPRINTED
    boxes_cm = np.array(studio.boxes_cm, np.float32)
    own = np.minimum(which, len(boxes_cm) - 1)
    at_cm = boxes_cm[own, :2] + whole[..., :2] * boxes_cm[own, 2:]
    return condensed(which, at_cm, studio.boxes_cm, studio.px_per_cm(size_px))
