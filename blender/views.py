"""The six cameras: one distance, height and focal length, six places on a circle."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

RISE = 0.06
"""How far the lens stands above what it looks at, over its distance: a little from above, as people look at clothes."""
TURN_STEP_DEG = 7.5
"""How finely a turn is searched for the garment's largest outline; every view's azimuth is among the steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What all views share.

    Attributes:
        distance_cm: From the axis of the turntable.
        height_cm: Of the lens, in the garment's axes.
        look_at_cm: Height it looks at, on the axis.
        axis_y_cm: Where the axis stands, in the garment's depth.
        focal_mm: Focal length.
        sensor_mm: Side of the square sensor that the picture's shorter side sees.
    """

    distance_cm: float
    height_cm: float
    look_at_cm: float
    axis_y_cm: float
    focal_mm: float
    sensor_mm: float

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Camera":
        """Read the ``camera`` object of a ``template.json``."""
        return cls(
            distance_cm=facts["distance_cm"],
            height_cm=facts["height_cm"],
            look_at_cm=facts["look_at_cm"][2],
            axis_y_cm=facts["look_at_cm"][1],
            focal_mm=facts["focal_mm"],
            sensor_mm=facts["sensor_mm"],
        )

    def facts(self) -> dict[str, Any]:
        """Return the ``camera`` object of a ``template.json``."""
        return {
            "distance_cm": self.distance_cm,
            "height_cm": self.height_cm,
            "focal_mm": self.focal_mm,
            "sensor_mm": self.sensor_mm,
            "look_at_cm": [0.0, self.axis_y_cm, self.look_at_cm],
        }

    def position_cm(self, azimuth_deg: float) -> NDArray[np.float64]:
        """Return where the lens is, (3,)."""
        angle = math.radians(azimuth_deg)
        return np.array(
            [
                self.distance_cm * math.sin(angle),
                self.axis_y_cm - self.distance_cm * math.cos(angle),
                self.height_cm,
            ]
        )

    def axes(self, azimuth_deg: float) -> NDArray[np.float64]:
        """Return the camera's right, up and backward unit vectors as columns, (3, 3)."""
        back = self.position_cm(azimuth_deg) - (0.0, self.axis_y_cm, self.look_at_cm)
        back /= np.linalg.norm(back)
        right = np.cross((0.0, 0.0, 1.0), back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back], axis=1)

    def matrix_m(self, azimuth_deg: float) -> NDArray[np.float64]:
        """Return the camera-to-world matrix in metres, (4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes(azimuth_deg)
        matrix[:3, 3] = self.position_cm(azimuth_deg) / 100.0
        return matrix

    def project(self, points_cm: NDArray[np.floating[Any]], azimuth_deg: float) -> NDArray[np.float64]:
        """Return where points land in a square picture, (N, 2) in 0..1, y down, and their depth in cm as (N, 3)."""
        local = (np.asarray(points_cm, np.float64) - self.position_cm(azimuth_deg)) @ self.axes(azimuth_deg)
        depth = -local[:, 2]
        scale = self.focal_mm / self.sensor_mm / depth
        return np.stack([0.5 + local[:, 0] * scale, 0.5 - local[:, 1] * scale, depth], axis=1)

    def window(
        self, points_cm: NDArray[np.floating[Any]], azimuth_deg: float, width_px: int, height_px: int
    ) -> tuple[int, int, int, int]:
        """Return the pixels that can show the points, with a margin: left, top, right, bottom (exclusive)."""
        side = min(width_px, height_px)
        seen = (self.project(points_cm, azimuth_deg)[:, :2] - 0.5) * side + (width_px / 2, height_px / 2)
        margin = 3
        low = np.clip(np.floor(seen.min(axis=0)).astype(int) - margin, 0, (width_px - 1, height_px - 1))
        high = np.clip(np.ceil(seen.max(axis=0)).astype(int) + margin, low + 1, (width_px, height_px))
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def px_per_cm(self, side_px: int) -> float:
        """Return the picture's resolution at the distance of the axis."""
        return side_px * self.focal_mm / self.sensor_mm / self.distance_cm


def frame(points_cm: NDArray[np.floating[Any]], *, focal_mm: float = 100.0, fill: float = 0.885) -> Camera:
    """Place the camera so that the garment is as large as it may be from every side, and in the middle.

    One camera serves the six views and the film, so the side that comes nearest to the lens decides: there the garment
    fills ``fill`` of the picture. The largest margins above and below, over a whole turn, are equal.
    """
    points = np.asarray(points_cm, np.float64)
    points = points[ConvexHull(points).vertices]
    low, high = points.min(axis=0), points.max(axis=0)
    axis_y_cm = float((low[1] + high[1]) / 2)
    look_at, distance = float((low[2] + high[2]) / 2), 300.0

    def camera() -> Camera:
        return Camera(
            distance_cm=round(distance, 3), height_cm=round(look_at + RISE * distance, 3),
            look_at_cm=round(look_at, 3), axis_y_cm=round(axis_y_cm, 3), focal_mm=focal_mm, sensor_mm=36.0,
        )  # fmt: skip

    for _ in range(40):
        turn = [camera().project(points, azimuth)[:, :2] for azimuth in np.arange(0.0, 360.0, TURN_STEP_DEG)]
        size = max(float(np.ptp(seen, axis=0).max()) for seen in turn)
        top, bottom = min(seen[:, 1].min() for seen in turn), max(seen[:, 1].max() for seen in turn)
        look_at -= float((top + bottom) / 2 - 0.5) * distance * 36.0 / focal_mm
        distance *= size / fill
    return camera()
