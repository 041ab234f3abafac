"""The soft shadow under a garment: how much of the sky it hides from a floor, seen by the camera. Knows no Blender."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from blender.protocol import VIEW_AZIMUTH_DEG, ProtocolError, ViewOrder
from blender.template import load_template
from blender.views import Camera

GAP_CM = 1.0
"""The garment hangs this much above the floor."""
CELL_CM = 1.0
REACH_CM = 40.0
"""How far the floor is looked at around the garment; beyond, there is no shadow."""
DIRECTIONS = 160
DARKEST = 0.42
"""Share of the ground's encoded value that the deepest shadow takes away."""
FAINT = 0.10
"""What is less than this share of the sky is left to the light: an even veil would tint the whole ground."""
FADE = 0.02
"""Share of the picture's side over which a shadow ends before the picture does, so that nothing looks cut off."""
_KEPT = 4
_KEPT_VIEWS = 6
"""Writing and judging a picture ask for the same shadow, and so do the next product's pictures."""


@dataclass(frozen=True, slots=True)
class Shade:
    """A shadow as a picture sees it.

    Attributes:
        left, top: Pixel of the whole picture where the array begins.
        density: (h, w) float32, 0..1: the share of the ground's sRGB value that is taken away. Encoded values, because
            that is what viewers mix a transparent picture with: so it looks the same there and on a named ground.
    """

    left: int
    top: int
    density: NDArray[np.float32]

    def whole(self, width_px: int, height_px: int) -> NDArray[np.float32]:
        """Return the density over the whole picture, (H, W) float32."""
        full = np.zeros((height_px, width_px), np.float32)
        height, width = self.density.shape
        full[self.top : self.top + height, self.left : self.left + width] = self.density
        return full


@dataclass(frozen=True, slots=True)
class FloorShadow:
    """The shadow on the floor, whatever side it is seen from.

    Attributes:
        density: (N, M) float32, rows along y, columns along x.
        x_cm, y_cm: Middle of the first cell.
        floor_cm: Height of the floor.
        camera: That looks at it.
    """

    density: NDArray[np.float32]
    x_cm: float
    y_cm: float
    floor_cm: float
    camera: Camera

    def seen(self, azimuth_deg: float, width_px: int, height_px: int) -> Shade:
        """Return what a picture shows of it, had the garment been taken away."""
        rows, columns = np.nonzero(self.density > 0)
        corners = np.array(
            [
                (self.x_cm + x * CELL_CM, self.y_cm + y * CELL_CM, self.floor_cm)
                for y in (rows.min() - 1, rows.max() + 1)
                for x in (columns.min() - 1, columns.max() + 1)
            ]
        )
        left, top, right, bottom = self.camera.window(corners, azimuth_deg, width_px, height_px)
        side = min(width_px, height_px)
        pitch = self.camera.sensor_mm / self.camera.focal_mm / side
        across = (np.arange(left, right) + 0.5 - width_px / 2) * pitch
        up = (height_px / 2 - np.arange(top, bottom) - 0.5) * pitch
        eye, axes = self.camera.position_cm(azimuth_deg), self.camera.axes(azimuth_deg)
        rays = across[None, :, None] * axes[:, 0] + up[:, None, None] * axes[:, 1] - axes[:, 2]
        down = np.minimum(rays[..., 2], -1e-6)
        far = (self.floor_cm - eye[2]) / down
        place = np.stack(
            [
                (eye[1] + far * rays[..., 1] - self.y_cm) / CELL_CM,
                (eye[0] + far * rays[..., 0] - self.x_cm) / CELL_CM,
            ]
        )
        density = ndimage.map_coordinates(self.density, place, order=1, mode="constant", cval=0.0)
        # Inside the square that every shape of picture shows; what is beside it stays plain ground.
        from_middle = np.maximum(
            np.abs(np.arange(left, right) + 0.5 - width_px / 2)[None, :],
            np.abs(np.arange(top, bottom) + 0.5 - height_px / 2)[:, None],
        )
        density *= np.clip((side / 2 - from_middle) / (FADE * side), 0, 1)
        return Shade(left, top, density.astype(np.float32))


def floor_shadow(points_cm: NDArray[np.floating[Any]], camera: Camera) -> FloorShadow:
    """Find how much of a soft sky each place of the floor loses to the garment.

    The sky is brightest overhead. Each of its directions casts the garment's points onto the floor; their mean is the
    shadow, darkest under the hem, gone within a few hand's breadths.
    """
    points = np.asarray(points_cm, np.float64)
    floor = float(points[:, 2].min()) - GAP_CM
    low = np.floor(points[:, :2].min(axis=0) - REACH_CM)
    cells = np.ceil((points[:, :2].max(axis=0) + REACH_CM - low) / CELL_CM).astype(int)
    total = np.zeros((cells[1], cells[0]))
    weights = 0.0
    for number in range(DIRECTIONS):
        # Evenly over the upper hemisphere but for its lowest part, which would throw shadows out of the picture.
        up = 1.0 - 0.45 * (number + 0.5) / DIRECTIONS
        turn = number * math.pi * (3 - math.sqrt(5))
        slope = math.sqrt(1 - up * up) / up
        shift = (points[:, 2:] - floor) * slope * np.array([math.cos(turn), math.sin(turn)])
        places = ((points[:, :2] + shift - low) / CELL_CM).astype(int)
        inside = ((places >= 0) & (places < cells)).all(axis=1)
        hit = np.zeros_like(total)
        hit[places[inside, 1], places[inside, 0]] = 1.0
        weight = up**4
        # Points are a little sparser than cells.
        total += weight * ndimage.grey_closing(hit, size=(3, 3))
        weights += weight
    density = ndimage.gaussian_filter(total / weights, 1.0 / CELL_CM)
    away = ndimage.distance_transform_edt(np.pad(np.ones_like(density), 1))[1:-1, 1:-1] * CELL_CM
    density = np.clip((density - FAINT) / (density.max() - FAINT), 0, None) * np.clip(away / 10.0, 0, 1)
    return FloorShadow(
        density=(DARKEST * density).astype(np.float32),
        x_cm=float(low[0]) + CELL_CM / 2,
        y_cm=float(low[1]) + CELL_CM / 2,
        floor_cm=floor,
        camera=camera,
    )


@functools.lru_cache(maxsize=_KEPT)
def _kept(folder: Path, written_ns: int) -> FloorShadow:
    template = load_template(folder)
    if "mesh.npz" not in template.facts["files"]:
        raise ProtocolError(f"template {template.id} has no mesh of ours, so it casts no shadow: ask for shadow none")
    return floor_shadow(template.mesh().points_cm, Camera.of(template.facts["camera"]))


def shade_of(order: ViewOrder) -> Shade | None:
    """Return the shadow that an order's picture must carry, or none.

    Raises:
        ProtocolError: The template has no mesh to cast one.
    """
    if order.shadow == "none":
        return None
    folder = Path(order.template)
    try:
        written_ns = (folder / "template.json").stat().st_mtime_ns
    except OSError as exc:
        raise ProtocolError(f"template {folder}: {exc.strerror or exc}: template.json") from exc
    azimuth = VIEW_AZIMUTH_DEG[order.view] if order.azimuth_deg is None else order.azimuth_deg
    return _seen(folder.resolve(), written_ns, azimuth, order.width_px, order.height_px)


@functools.lru_cache(maxsize=_KEPT_VIEWS)
def _seen(folder: Path, written_ns: int, azimuth_deg: float, width_px: int, height_px: int) -> Shade:
    shade = _kept(folder, written_ns).seen(azimuth_deg, width_px, height_px)
    shade.density.setflags(write=False)
    return shade
