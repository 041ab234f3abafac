"""The studio of a garment that was sewn and draped by our own pattern code."""

from contextlib import AbstractContextManager

import numpy as np

from blender import scene
from blender.output import Window
from blender.places import showing_places
from blender.protocol import PANELS, VIEW_AZIMUTH_DEG, ViewOrder
from blender.studio import Rectangle
from blender.template import Template
from blender.texture import Texels
from blender.views import Camera


class SewnStudio:
    """A :class:`~blender.studio.Studio` over :mod:`blender.scene`."""

    panels: tuple[str, ...] = PANELS

    def __init__(self, template: Template) -> None:
        """Build the scene."""
        mesh = template.mesh()
        self._points_cm = np.asarray(mesh.points_cm)
        self._camera = Camera.of(template.facts["camera"])
        scene.build_scene(template, mesh)
        self.boxes_cm: tuple[Rectangle, ...] = template.boxes_cm

    def show_print(self, panel: str, texels: Texels | None, rectangle_cm: Rectangle) -> None:
        """Show a print on a panel, or none."""
        scene.set_print(panel, texels, rectangle_cm)

    def dye(self, color: tuple[float, float, float]) -> None:
        """Colour the cloth, linear Rec.709."""
        scene.set_fabric(color)

    def aim(self, order: ViewOrder) -> None:
        """Place the camera and turn the lights with it."""
        import bpy

        azimuth = azimuth_deg(order)
        scene.turn(self._camera.matrix_m(azimuth), azimuth)
        # The sensor is fitted to the shorter side, so a wide picture shows more studio and never crops the garment.
        bpy.data.objects[scene.CAMERA].data.sensor_fit = (
            "VERTICAL" if order.width_px >= order.height_px else "HORIZONTAL"
        )

    def window(self, order: ViewOrder) -> Window:
        """The part of the picture that the garment's points fall into."""
        return self._camera.window(self._points_cm, azimuth_deg(order), order.width_px, order.height_px)

    def px_per_cm(self, side_px: int) -> float:
        """The resolution at the turntable's axis."""
        return self._camera.px_per_cm(side_px)

    def showing_places(self) -> AbstractContextManager[None]:
        """Have the panels shine with their own coordinates."""
        return showing_places(PANELS, "cm", self.boxes_cm)


def azimuth_deg(order: ViewOrder) -> float:
    """Where the camera stands, counter-clockwise seen from above, 0 = in front of the wearer."""
    return VIEW_AZIMUTH_DEG[order.view] if order.azimuth_deg is None else order.azimuth_deg
