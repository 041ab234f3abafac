"""What every picture must show: panel, place on the cloth, coverage, shade and sheen, on 256 pixels square a view."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.places import INSIDE, STEP
from blender.plain_npz import write_npz
from blender.protocol import VIEW_AZIMUTH_DEG, ViewOrder
from blender.session import Session
from blender.studio import PlacedStudio
from blender.template import Kind, Mesh
from blender.views import Camera

SIDE_PX = 256
HALF_GREY, BLACK = "#bcbcbc", "#000000"
SAMPLES = 128
NOWHERE_CM = -1000.0


def cast(mesh: Mesh, camera: Camera, azimuth_deg: float, *, side_px: int) -> dict[str, NDArray[Any]]:
    """Look along every pixel's centre at the mesh.

    Returns:
        ``panel`` (H, W) int8, -1 = nothing; ``x_cm`` and ``y_cm`` (H, W) float32 panel coordinates.
        Where nothing is hit, and on the inside of the garment, where no print shows, both are :data:`NOWHERE_CM`.
    """
    from mathutils import Vector
    from mathutils.bvhtree import BVHTree

    tree = BVHTree.FromPolygons(mesh.points_cm.tolist(), mesh.faces.tolist())
    eye, axes = camera.position_cm(azimuth_deg), camera.axes(azimuth_deg)
    pitch = camera.sensor_mm / camera.focal_mm / side_px
    steps = (np.arange(side_px) + 0.5 - side_px / 2) * pitch
    panel = np.full((side_px, side_px), -1, np.int8)
    place = np.full((side_px, side_px, 2), NOWHERE_CM, np.float32)
    start = Vector(eye)
    for row in range(side_px):
        directions = axes[:, 0] * steps[:, None] - axes[:, 1] * steps[row] - axes[:, 2]
        for column in range(side_px):
            hit, _, face, _ = tree.ray_cast(start, Vector(directions[column]))
            if face is None:
                continue
            panel[row, column] = mesh.face_panel[face]
            a, b, c = mesh.points_cm[mesh.faces[face]].astype(np.float64)
            normal = np.cross(b - a, c - a)
            if normal @ directions[column] > 0:
                continue
            point, area = np.array(hit), float(normal @ normal)
            v = float(np.cross(point - a, c - a) @ normal) / area
            w = float(np.cross(b - a, point - a) @ normal) / area
            place[row, column] = np.array([1 - v - w, v, w]) @ mesh.corner_cm[face]
    return {"panel": panel, "x_cm": place[..., 0], "y_cm": place[..., 1]}


def _places(session: Session, order: ViewOrder) -> dict[str, NDArray[Any]]:
    """Return what :func:`cast` does; a shop's own file has no mesh of ours to look at, so it is rendered."""
    template = session.template
    if template.kind is Kind.SEWN:
        camera = Camera.of(template.facts["camera"])
        return cast(template.mesh(), camera, VIEW_AZIMUTH_DEG[order.view], side_px=order.width_px)
    window, (left, top, right, bottom) = session.render_places(order)
    picture = np.zeros((order.height_px, order.width_px, 4), np.float32)
    picture[top:bottom, left:right] = window
    studio = session.studio
    assert isinstance(studio, PlacedStudio)
    x_cm, y_cm, wide, high = studio.boxes_cm[0]
    code = np.round(picture[..., 2] * STEP)
    printed = (picture[..., 3] > 0.5) & (code == 1)
    # Cloth beside the texture square is cloth, only without print; what is no cloth at all says so in its place.
    bare = (picture[..., 3] > 0.5) & (code == INSIDE) & (picture[..., 0] < 0.5)
    return {
        "panel": np.where(printed | bare, 0, -1).astype(np.int8),
        "x_cm": np.where(printed, x_cm + picture[..., 0] * wide, NOWHERE_CM).astype(np.float32),
        "y_cm": np.where(printed, y_cm + picture[..., 1] * high, NOWHERE_CM).astype(np.float32),
    }


def write_verdict(folder: Path, *, samples: int = SAMPLES) -> None:
    """Write ``verdict.npz`` into a template folder that has everything else.

    ``shade`` is the linear luminance of cloth whose albedo is one half, not multiplied by its coverage; ``sheen`` is
    that of cloth which swallows all light: what its surface adds, whatever its colour.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with Session(folder, device="cpu") as session:
        for view in VIEW_AZIMUTH_DEG:
            order = ViewOrder(
                template=str(folder), view=view, out="", width_px=SIDE_PX, height_px=SIDE_PX, samples=1, device="cpu"
            )
            for name, array in _places(session, order).items():
                arrays[f"{view}/{name}"] = array
            for name, colour in (("shade", HALF_GREY), ("sheen", BLACK)):
                picture = session.render_linear(replace(order, fabric_color=colour, samples=samples))
                arrays[f"{view}/coverage"] = picture[..., 3].astype(np.float16).astype(np.float32)
                luminance = picture[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32)
                arrays[f"{view}/{name}"] = luminance.astype(np.float16).astype(np.float32)
    write_npz(folder / "verdict.npz", arrays)
