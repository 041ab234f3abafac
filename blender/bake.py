"""Bake a view's light transport, so that another print on the same cloth costs a sum instead of a path trace.

For one garment, camera and light only the albedo changes, and what a pixel shows is ``I = S + A·D + A·Ā·M``: S sheen
and specular, D the light that cloth of albedo one would return, M the part of it that came from other cloth, A the
albedo filtered to the pixel, Ā the albedo round about. Three uniform greys tell the three apart.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.places import INSIDE, STEP
from blender.protocol import VIEW_AZIMUTH_DEG, ProtocolError, ViewOrder
from blender.session import TEXELS_PER_PIXEL, Session
from blender.studio import PlacedStudio
from blender.texture import linear_color

SCHEMA = 1
GREYS = ("#000000", "#bcbcbc", "#f5f5f5")
"""Fabrics of the three renders: albedo 0, about one half, and nearly all that cloth returns."""
SEED = 7919
"""Another than orders have, so that a bake's noise is not mistaken for the picture's."""
SIDE = 4
"""Sub-samples along each side of a pixel."""
BENT_PX = 0.04
"""A pixel's sub-samples that lie on the panel as evenly as this are kept as one plane instead of sixteen points."""
UNPRINTED, MIXED, EMPTY = 253, 254, 255
"""Panels of pixels: cloth seen from its back, several panels or a fold in one pixel, no garment."""

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
) -> Arrays:
    """Render the greys and the places of one view, and boil them down.

    Args:
        samples: Paths per pixel of each grey.
        azimuth_deg: Overrides the view's azimuth (frames of a film).
        on_progress: Called with the share that is done, on any thread.

    Returns:
        The arrays of a bake, window-cropped, row 0 at the top; H × W pixels, K of them mixed.

        ``specular``, ``diffuse``, ``mutual``: (H, W) or, where the light has colour, (H, W, 3) float16, linear, not
        multiplied by coverage. ``alpha``: (H, W) uint8. ``panel``: (H, W) uint8, the panel's number, or one of
        :data:`UNPRINTED`, :data:`MIXED`, :data:`EMPTY`. ``place``: (H, W, 2) uint16, the point in the pixel's middle,
        over the panel's extents. ``slope``: (H, W, 4) float16, cm on the panel per sub-sample: x to the right, x down,
        y to the right, y down. ``mixed_panel``: (K, 16) uint8 and ``mixed_place``: (K, 16, 2) uint16, the sub-samples
        of the mixed pixels in reading order. ``extents``: (panels, 4) float64, smallest x and y and the two spans, cm.
        ``facts``: JSON as bytes.

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
    places, fine = session.render_places(order(GREYS[1], SIDE))
    alpha = light[1][..., 3]
    gain = float(session.template.facts["finish"]["albedo_gain"])
    transport = separate([one[..., :3] for one in light], [gain * linear_color(grey)[0] for grey in GREYS])
    per_cm = studio.px_per_cm(size_px)
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
        "texels_per_cm": TEXELS_PER_PIXEL * per_cm,
    }
    return {
        **{name: array.astype(np.float16) for name, array in transport.items()},
        "alpha": np.round(np.clip(alpha, 0, 1) * 255).astype(np.uint8),
        **_condensed(_blocks(places, fine, window), np.array(studio.boxes_cm), BENT_PX / per_cm),
        "facts": np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8),
    }


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


def _blocks(
    places: NDArray[np.float32], fine: tuple[int, int, int, int], window: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Put the sub-samples into the pixels of the window, (H, W, 16, 4); nothing where their own window is smaller."""
    left, top, right, bottom = (SIDE * edge for edge in window)
    whole = np.zeros((bottom - top, right - left, 4), np.float32)
    x0, y0, x1, y1 = max(left, fine[0]), max(top, fine[1]), min(right, fine[2]), min(bottom, fine[3])
    whole[y0 - top : y1 - top, x0 - left : x1 - left] = places[y0 - fine[1] : y1 - fine[1], x0 - fine[0] : x1 - fine[0]]
    height, width = whole.shape[0] // SIDE, whole.shape[1] // SIDE
    return whole.reshape(height, SIDE, width, SIDE, 4).swapaxes(1, 2).reshape(height, width, SIDE * SIDE, 4)


def _condensed(points: NDArray[np.float32], boxes_cm: NDArray[np.float64], bent_cm: float) -> Arrays:
    """Keep one plane for each pixel whose sub-samples lie on one, all sub-samples of the others."""
    panels = len(boxes_cm)
    code = np.rint(points[..., 2] * STEP).astype(np.int16)
    which = np.full(code.shape, EMPTY, np.uint8)
    seen = points[..., 3] > 0.5
    which[seen] = np.clip(code[seen] - 1, 0, panels - 1)
    which[seen & (code == INSIDE)] = UNPRINTED
    own = np.minimum(which, panels - 1)
    at_cm = boxes_cm[own, :2] + points[..., :2] * boxes_cm[own, 2:]
    extents = np.array([_extent(at_cm[which == number]) for number in range(panels)])
    alike = (which == which[..., :1]).all(axis=2)
    printable = alike & (which[..., 0] < panels)
    step = np.arange(SIDE) - (SIDE - 1) / 2
    across, down = np.tile(step, SIDE), np.repeat(step, SIDE)
    norm = float((across**2).sum())
    middle = at_cm.mean(axis=2)
    slope = np.stack(
        [(at_cm * across[:, None]).sum(axis=2) / norm, (at_cm * down[:, None]).sum(axis=2) / norm], axis=-1
    ).astype(np.float16)
    plane = middle[:, :, None] + slope[:, :, None, :, 0] * across[:, None] + slope[:, :, None, :, 1] * down[:, None]
    even = printable & (np.abs(plane - at_cm).max(axis=(2, 3)) <= bent_cm)
    panel = np.where(alike & (even | ~printable), which[..., 0], MIXED).astype(np.uint8)
    mixed = panel == MIXED
    slope[~even] = 0
    place = _quantised(middle, np.minimum(panel, panels - 1), extents)
    place[~even] = 0
    return {
        "panel": panel,
        "place": place,
        "slope": slope.reshape(*panel.shape, 4),
        "mixed_panel": which[mixed],
        "mixed_place": _quantised(at_cm[mixed], own[mixed], extents),
        "extents": extents,
    }


def _extent(at_cm: NDArray[np.float64]) -> list[float]:
    """Smallest x and y that are seen, and the spans."""
    if not len(at_cm):
        return [0.0, 0.0, 1.0, 1.0]
    low, high = at_cm.min(axis=0) - 0.01, at_cm.max(axis=0) + 0.01
    return [*low, *(high - low)]


def _quantised(
    at_cm: NDArray[np.floating[Any]], panel: NDArray[np.uint8], extents: NDArray[np.float64]
) -> NDArray[np.uint16]:
    share = (at_cm - extents[panel, :2]) / extents[panel, 2:]
    return np.round(np.clip(share, 0.0, 1.0) * 65535.0).astype(np.uint16)
