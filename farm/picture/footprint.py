"""Footprint: the rectangle of cloth a design really covers, once its shape has met the placement's box."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from farm.domain.panel import PanelShape
from farm.domain.placement import Fit, Placement
from farm.errors import LowResolution, PrintOffCloth
from farm.picture.notice import Notice

CM_PER_INCH = 2.54
GOOD_DPI = 150.0
_TOLERANCE_CM = 0.05
"""Half a millimetre is less than a press can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Where a design lies on its panel.

    Attributes:
        x_cm, y_cm: the centre.
        width_cm, height_cm: before rotation.
        rotation_deg: clockwise as the viewer sees the panel laid flat.
        left_px, top_px, right_px, bottom_px: the part of the design that is printed (all of it, but for ``cover``).
    """

    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float
    rotation_deg: float
    left_px: float
    top_px: float
    right_px: float
    bottom_px: float

    @classmethod
    def of(cls, placement: Placement, width_px: int, height_px: int) -> Self:
        """The footprint of a design of ``width_px`` by ``height_px``."""
        box_width = placement.width_cm
        box_height = placement.height_cm or box_width * height_px / width_px
        across, down = box_width / width_px, box_height / height_px
        if placement.fit is Fit.COVER:
            scale = max(across, down)
            used_width, used_height = box_width / scale, box_height / scale
        else:
            scale = min(across, down)
            used_width, used_height = float(width_px), float(height_px)
        return cls(
            x_cm=placement.x_cm,
            y_cm=placement.y_cm,
            width_cm=used_width * scale,
            height_cm=used_height * scale,
            rotation_deg=placement.rotation_deg % 360,
            left_px=(width_px - used_width) / 2,
            top_px=(height_px - used_height) / 2,
            right_px=(width_px + used_width) / 2,
            bottom_px=(height_px + used_height) / 2,
        )

    @property
    def px_per_cm(self) -> float:
        """The design's own density on the cloth."""
        return (self.right_px - self.left_px) / self.width_cm

    @property
    def dpi(self) -> float:
        return self.px_per_cm * CM_PER_INCH

    def covers(self, x_cm: float, y_cm: float) -> bool:
        """Whether a point of the panel lies in the printed rectangle."""
        cos, sin = math.cos(math.radians(self.rotation_deg)), math.sin(math.radians(self.rotation_deg))
        across, down = x_cm - self.x_cm, y_cm - self.y_cm
        return (
            abs(across * cos + down * sin) <= self.width_cm / 2 and abs(down * cos - across * sin) <= self.height_cm / 2
        )

    def corners_cm(self) -> tuple[tuple[float, float], ...]:
        """The four corners on the panel, clockwise from the design's top left."""
        return tuple(self.point_cm(u, v) for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)))

    def point_cm(self, u: float, v: float) -> tuple[float, float]:
        """The panel point of ``u, v`` in 0..1 across and down the printed design."""
        across, down = (u - 0.5) * self.width_cm, (v - 0.5) * self.height_cm
        cos, sin = math.cos(math.radians(self.rotation_deg)), math.sin(math.radians(self.rotation_deg))
        return self.x_cm + across * cos - down * sin, self.y_cm + across * sin + down * cos


def shows(footprint: Footprint, panel: PanelShape) -> bool:
    """Whether any of the print lies on the cloth."""
    if panel.contains(footprint.x_cm, footprint.y_cm):  # as nearly every print's middle
        return True
    return _shows(footprint, panel, on_cloth(footprint, panel))


def _shows(footprint: Footprint, panel: PanelShape, covered: NDArray[np.bool_]) -> bool:
    if covered.any():
        return True
    # Cloth may come in between two points of the grid: then a corner of its outline lies in the print.
    return any(footprint.covers(x, y) for x, y in panel.outline_cm)


def on_cloth(footprint: Footprint, panel: PanelShape) -> NDArray[np.bool_]:
    """Which points of a grid over the print lie on the cloth: `PanelShape.contains`, of all at once."""
    steps = [i / 16 for i in range(17)]
    grid = [footprint.point_cm(u, v) for u in steps for v in steps]
    if not panel.outline_cm:
        return np.array([panel.contains(x, y) for x, y in grid])
    across, down = np.array(grid).T[..., np.newaxis]
    x, y = np.array(panel.outline_cm).T
    before_x, before_y = np.roll(x, 1), np.roll(y, 1)
    passed = (y > down) != (before_y > down)
    rise = np.where(before_y == y, 1.0, before_y - y)  # where they are equal, nothing is passed
    left = across < (before_x - x) * (down - y) / rise + x
    return np.asarray(np.count_nonzero(passed & left, axis=1) % 2 == 1)


def check_visible(footprints: Sequence[tuple[Footprint, PanelShape]]) -> None:
    """Refuse prints of which none would show: pictures of a bare garment are nothing that anybody asks for.

    Args:
        footprints: of all layers of a request.

    Raises:
        PrintOffCloth: naming every layer.
    """
    if not footprints or any(shows(footprint, panel) for footprint, panel in footprints):
        return
    reasons = [
        f"{footprint.width_cm:.1f} x {footprint.height_cm:.1f} cm around x {footprint.x_cm:g}, y {footprint.y_cm:g} cm "
        f"lies beside the {panel.words}, which goes from x {panel.bounds.x_cm:.0f} to {panel.bounds.right_cm:.0f} "
        f"and y {panel.bounds.y_cm:.0f} to {panel.bounds.bottom_cm:.0f} cm"
        for footprint, panel in footprints
    ]
    pointed = [{"pointer": f"/placements/{number}", "reason": reason} for number, reason in enumerate(reasons)]
    raise PrintOffCloth(reason=reasons[0], errors=pointed)


def inspect(footprint: Footprint, panel: PanelShape, *, floor_dpi: float = 0.0) -> tuple[Notice, ...]:
    """What a person should know before this is printed.

    Raises:
        LowResolution: under ``floor_dpi``, which the operator sets.
    """
    if footprint.dpi < floor_dpi:
        raise LowResolution(dpi=footprint.dpi, floor_dpi=floor_dpi)
    notices: list[Notice] = []
    if footprint.dpi < GOOD_DPI:
        message = f"The print on the {panel.words} has {footprint.dpi:.0f} DPI; under {GOOD_DPI:.0f} it looks soft."
        notices.append(Notice(code="print_low_dpi", message=message))
    corners = footprint.corners_cm()
    area = panel.print_area
    if area is None:
        message = f"The {panel.words} has no print area; check with the printer that this place can be printed."
        notices.append(Notice(code="print_leaves_area", message=message))
    else:
        over = max(max(area.x_cm - x, x - area.right_cm, area.y_cm - y, y - area.bottom_cm) for x, y in corners)
        if over > _TOLERANCE_CM:
            message = f"The print leaves the print area of the {panel.words} by {over:.1f} cm."
            notices.append(Notice(code="print_leaves_area", message=message))
    covered = on_cloth(footprint, panel)
    if not _shows(footprint, panel, covered):
        notices.append(
            Notice(code="print_off_panel", message=f"The print lies beside the {panel.words}: nothing shows.")
        )
    elif not covered.all():
        message = f"The print crosses the edge of the {panel.words}: what lies beyond the seam is cut off."
        notices.append(Notice(code="print_crosses_seam", message=message))
    return tuple(notices)
