"""Does a shop's file keep the convention? Every reason against it is told, not only the first.

Imports bpy inside functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blender.blend.graph import (
    IMAGE_NODE,
    FabricBy,
    Printed,
    coordinates,
    fabric_sockets,
    feeds_surface,
    image_nodes,
)
from blender.blend.scale import Floats, PrintedFaces, Scale, measure, printed_faces, uv_layer
from blender.protocol import VIEW_AZIMUTH_DEG

CAMERA_PREFIX = "Camera_"
FRONT = "front_0deg"
MOST_TURNED = 0.5
WORKING_SPACE = "Linear Rec.709"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found in a file that is open.

    Attributes:
        reasons: What speaks against it, a sentence each; empty when it keeps the convention.
        printed: The materials that carry the print.
        fabric_by: How the cloth gets its colour.
        faces: The printed triangles, with the scene's own unit of length.
        scale: The texture square on the cloth as the front camera sees it; None when it sees none of it.
    """

    reasons: tuple[str, ...]
    printed: tuple[Printed, ...]
    fabric_by: FabricBy
    faces: PrintedFaces
    scale: Scale | None


def survey() -> Survey:
    """Look through the open scene."""
    import bpy

    scene = bpy.context.scene
    reasons = [*_cameras(scene)]
    objects = meshes(scene)
    printed = printed_materials(objects)
    reasons += _materials(objects, printed)
    reasons += _external(printed)
    reasons += _light(scene)
    if bpy.data.colorspace.working_space != WORKING_SPACE:
        reasons.append(f"its working colour space is {bpy.data.colorspace.working_space}: set it to {WORKING_SPACE}")
    faces = printed_faces(objects, printed, cm_per_unit=100.0 * scene.unit_settings.scale_length)
    scale = None
    camera = scene.objects.get(CAMERA_PREFIX + FRONT)
    if len(faces.uv) and camera is not None and camera.type == "CAMERA":
        matrix = np.array(camera.matrix_world, np.float64)
        eye_cm = matrix[:3, 3] * 100.0 * scene.unit_settings.scale_length
        inside = ((faces.uv >= 0) & (faces.uv <= 1)).all(axis=(1, 2))
        weight = faces.areas_cm2() * inside * (faces.facing(eye_cm) & nearest_side(faces, eye_cm))
        scale = measure(faces, matrix[:3, 0], matrix[:3, 1], weight)
        reasons += _square(scale)
    return Survey(
        reasons=tuple(reasons),
        printed=tuple(printed),
        fabric_by=fabric_sockets(materials(objects), printed)[0],
        faces=faces,
        scale=scale,
    )


def nearest_side(faces: PrintedFaces, eye_cm: Floats) -> Any:
    """Return which triangles lie on the near half of the garment, (F,) bool: a front is not measured on the back."""
    centres = faces.corners_cm.mean(axis=1)
    depth = np.linalg.norm(centres - eye_cm, axis=1)
    return depth <= (depth.min() + depth.max()) / 2 if len(depth) else depth > 0


def meshes(scene: Any) -> list[Any]:
    """Return the scene's meshes that are rendered, by name."""
    return sorted(
        (one for one in scene.objects if one.type == "MESH" and not one.hide_render), key=lambda one: one.name
    )


def materials(objects: Sequence[Any]) -> list[Any]:
    """Return the materials of these objects, each once, by name."""
    found = {slot.material.name: slot.material for one in objects for slot in one.material_slots if slot.material}
    return [found[name] for name in sorted(found)]


def _cameras(scene: Any) -> Iterator[str]:
    for view in VIEW_AZIMUTH_DEG:
        found = scene.objects.get(CAMERA_PREFIX + view)
        if found is None or found.type != "CAMERA":
            yield f"there is no camera for the view {view}: name one {CAMERA_PREFIX}{view}"
        elif found.data.type not in ("PERSP", "ORTHO"):
            yield f"the camera {found.name} is panoramic: make it perspective or orthographic"


def printed_materials(objects: Sequence[Any]) -> list[Printed]:
    """Return the materials of these objects that carry the print."""
    return [
        Printed(material=material, node=node, uv_map=coordinates(node)[0])
        for material in materials(objects)
        for node in image_nodes(material)
        if feeds_surface(node)
    ]


def _materials(objects: Sequence[Any], printed: Sequence[Printed]) -> Iterator[str]:
    if not printed:
        there = [material.name for material in materials(objects) if image_nodes(material)]
        if there:
            names = ", ".join(repr(name) for name in there)
            yield f"the node {IMAGE_NODE!r} of {names} feeds no base colour: connect its Color to Base Color"
        else:
            yield f"no material of a rendered mesh has an image node called {IMAGE_NODE!r}: the print goes there"
    if len({one.node.image for one in printed}) > 1:
        names = " and ".join(repr(one.material.name) for one in printed)
        yield f"{names} each have a node {IMAGE_NODE!r} with an image of its own: rename those that are not printed"
    for one in printed:
        wrong = coordinates(one.node)[1]
        if wrong:
            yield f"the node {IMAGE_NODE!r} of {one.material.name!r}: {wrong}"
    for thing in objects:
        for one in printed:
            if one.material in [slot.material for slot in thing.material_slots]:
                yield from _uv(thing, one)


def _uv(thing: Any, printed: Printed) -> Iterator[str]:
    # A modifier may make them, so the finished mesh decides.
    import bpy

    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    try:
        if uv_layer(mesh, printed.uv_map) is None:
            named = f" called {printed.uv_map!r}" if printed.uv_map else ""
            yield f"the mesh {thing.name!r} has no UV map{named}: unwrap it"
    finally:
        evaluated.to_mesh_clear()


def _external(printed: Sequence[Printed]) -> Iterator[str]:
    """Yield the files that the scene needs and does not carry; what the print replaces is not among them."""
    import bpy

    for library in bpy.data.libraries:
        yield f"it is linked to another file, {library.filepath}: make everything local"
    replaced = {one.node.image for one in printed if one.node.image is not None}
    for image in sorted(bpy.data.images, key=lambda one: one.name):
        outside = image.source in ("FILE", "SEQUENCE", "MOVIE", "TILED") and image.filepath and not image.packed_file
        if outside and image not in replaced and image.users and not image.library:
            yield f"the image {image.name!r} is not in the file but at {image.filepath}: pack it"
    for name, kind in (("cache_files", "cache"), ("movieclips", "film"), ("sounds", "sound"), ("volumes", "volume")):
        for found in getattr(bpy.data, name):
            if found.filepath and not getattr(found, "packed_file", None):
                yield f"the {kind} {found.name!r} is not in the file but at {found.filepath}"


def _light(scene: Any) -> Iterator[str]:
    lamps = [one for one in scene.objects if one.type == "LIGHT" and not one.hide_render]
    if not lamps and scene.world is None:
        yield "there is no light: neither a lamp nor a world"


def _square(scale: Scale | None) -> Iterator[str]:
    if scale is None:
        yield f"the camera {CAMERA_PREFIX}{FRONT} sees nothing of the texture square: are its UVs between 0 and 1?"
    else:
        if scale.mirrored > MOST_TURNED:
            yield "the print would be mirrored: u must run to the right as the front camera sees it"
        if scale.upside_down > MOST_TURNED:
            yield "the print would be upside down: v must run upwards as the front camera sees it"
