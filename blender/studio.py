"""What a session needs of the scene it renders, whatever it was made from."""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from blender.output import Window
from blender.protocol import ViewOrder
from blender.texture import Texels

Rectangle = tuple[float, float, float, float]
"""Left, top, width and height on a panel, in cm; y runs down."""


class Studio(Protocol):
    """A garment, its light and its cameras, in the process's only scene."""

    panels: tuple[str, ...]
    """Panels that can carry a print."""

    def show_print(self, panel: str, texels: Texels | None, rectangle_cm: Rectangle) -> None:
        """Show a print on a panel, or none."""
        ...

    def dye(self, color: tuple[float, float, float]) -> None:
        """Colour the cloth, linear Rec.709."""
        ...

    def aim(self, order: ViewOrder) -> None:
        """Place the camera, and the lights if they go with it, for an order's view and shape."""
        ...

    def window(self, order: ViewOrder) -> Window:
        """The part of an order's picture in which the garment can be."""
        ...

    def px_per_cm(self, side_px: int) -> float:
        """The resolution on the cloth of a picture whose shorter side is ``side_px``."""
        ...


@runtime_checkable
class PlacedStudio(Studio, Protocol):
    """A studio that can say which point of which panel a picture shows, and so be baked."""

    boxes_cm: tuple[Rectangle, ...]
    """One for each panel; places are told in parts of it."""

    def showing_places(self) -> AbstractContextManager[None]:
        """Have every panel shine with its own coordinates for the time of the block, see :mod:`blender.places`."""
        ...
