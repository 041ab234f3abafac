"""A panel's texture: what composing makes, Blender prints and the verdict looks for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.picture.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelTexture:
    """The print of one panel.

    The albedo of the cloth at a point is ``lerp(fabric, colour, alpha)`` in linear light; outside, plain fabric.

    Attributes:
        pixels: ``(H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top (smallest y).
        x_cm, y_cm: left and top edge on the panel.
        width_cm, height_cm: extents on the panel.
        warnings: what a person should know of the print.
    """

    panel: str
    pixels: NDArray[np.uint8]
    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float
    warnings: tuple[Notice, ...] = ()
