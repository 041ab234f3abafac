"""The studio: garment, one material per panel, lights that turn with the camera. Imports bpy inside functions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.protocol import PANELS
from blender.template import Mesh, Template
from blender.texture import Texels

CAMERA, GARMENT, WORLD, SPIN = "camera", "garment", "world", "spin"
PRINT_IMAGE, PRINT_PLACE, FABRIC = "print image", "print place", "fabric"
_EMPTY: Texels = np.zeros((1, 1, 4), np.float32)


def build_scene(template: Template, mesh: Mesh) -> None:
    """Fill the process's only scene with the template's garment, materials, lights and camera."""
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    garment = _garment(mesh)
    scene.collection.objects.link(garment)
    for panel in PANELS:
        garment.data.materials.append(_material(template, panel))
    camera = bpy.data.objects.new(CAMERA, bpy.data.cameras.new(CAMERA))
    camera.data.lens = template.facts["camera"]["focal_mm"]
    camera.data.sensor_width = camera.data.sensor_height = template.facts["camera"]["sensor_mm"]
    camera.data.clip_start, camera.data.clip_end = 0.1, 50.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    _world(template.facts["lights"])
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.render.use_persistent_data = True
    scene.render.dither_intensity = 0.0
    scene.render.use_compositing = False
    scene.render.use_sequencer = False
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    cycles = scene.cycles
    for name, value in template.facts["cycles"].items():
        setattr(cycles, name, value)


def _garment(mesh: Mesh) -> Any:
    """Return a mesh object, in metres, with panel centimetres as its UV map, smooth, one material slot per panel."""
    import bpy

    data = bpy.data.meshes.new(GARMENT)
    faces = len(mesh.faces)
    data.vertices.add(len(mesh.points_cm))
    data.vertices.foreach_set("co", (mesh.points_cm / np.float32(100)).reshape(-1))
    data.loops.add(3 * faces)
    data.loops.foreach_set("vertex_index", np.ascontiguousarray(mesh.faces.reshape(-1)))
    data.polygons.add(faces)
    data.polygons.foreach_set("loop_start", np.arange(0, 3 * faces, 3, dtype=np.int32))
    data.polygons.foreach_set("material_index", mesh.face_panel.astype(np.int32))
    data.uv_layers.new(name="cm").uv.foreach_set("vector", np.ascontiguousarray(mesh.corner_cm.reshape(-1)))
    data.update(calc_edges=True)
    data.shade_smooth()
    return bpy.data.objects.new(GARMENT, data)


def _height_image(template: Template, name: str) -> Any:
    """Load an 8-bit height map as non-colour data, once."""
    import bpy

    if name in bpy.data.images:
        return bpy.data.images[name]
    with Image.open(template.folder / name) as stored:
        heights = np.asarray(stored.convert("L"))
    image = bpy.data.images.new(name, width=heights.shape[1], height=heights.shape[0], alpha=False)
    image.colorspace_settings.name = "Non-Color"
    texels = np.ones((*heights.shape, 4), np.float32)
    texels[..., :3] = (heights[::-1] * np.float32(1 / 255))[..., None]
    image.pixels.foreach_set(texels.reshape(-1))
    image.update()
    image.pack()
    return image


def print_image(panel: str, texels: Texels) -> Any:
    """Return a new image datablock holding a print (row 0 at the top; Blender's own row 0 is the bottom)."""
    import bpy

    height, width = texels.shape[:2]
    image = bpy.data.images.new(f"print {panel}", width=width, height=height, alpha=True, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    image.pixels.foreach_set(np.ascontiguousarray(texels[::-1]).reshape(-1))
    image.update()
    image.update_tag()
    return image


def _material(template: Template, panel: str) -> Any:
    """Return a panel's cloth: fabric under a print, relief, sheen; the print shows on the outside only."""
    import bpy

    finish: Mapping[str, Any] = template.facts["finish"]
    material = bpy.data.materials.new(panel)
    material.use_backface_culling = False
    tree = material.node_tree
    tree.nodes.clear()

    def node(kind: str, name: str = "", **settings: Any) -> Any:
        made = tree.nodes.new(kind)
        made.name = name or made.name
        for key, value in settings.items():
            setattr(made, key, value)
        return made

    def link(source: Any, target: Any) -> None:
        tree.links.new(source, target)

    cm = node("ShaderNodeUVMap", uv_map="cm")
    place = node("ShaderNodeMapping", PRINT_PLACE, vector_type="POINT")
    picture = node("ShaderNodeTexImage", PRINT_IMAGE, extension="CLIP", interpolation="Linear")
    picture.image = print_image(panel, _EMPTY)
    link(cm.outputs["UV"], place.inputs["Vector"])
    link(place.outputs["Vector"], picture.inputs["Vector"])
    # Front faces only: shown = 1 - backfacing; albedo = fabric * (1 - alpha * shown) + premultiplied * shown.
    geometry = node("ShaderNodeNewGeometry")
    shown = node("ShaderNodeMath", operation="SUBTRACT")
    shown.inputs[0].default_value = 1.0
    link(geometry.outputs["Backfacing"], shown.inputs[1])
    cover = node("ShaderNodeMath", operation="MULTIPLY")
    link(picture.outputs["Alpha"], cover.inputs[0])
    link(shown.outputs[0], cover.inputs[1])
    left = node("ShaderNodeMath", operation="SUBTRACT")
    left.inputs[0].default_value = 1.0
    link(cover.outputs[0], left.inputs[1])
    ink = node("ShaderNodeVectorMath", operation="SCALE")
    link(picture.outputs["Color"], ink.inputs[0])
    link(shown.outputs[0], ink.inputs["Scale"])
    fabric = node("ShaderNodeRGB", FABRIC)
    albedo = node("ShaderNodeVectorMath", operation="MULTIPLY_ADD")
    link(fabric.outputs[0], albedo.inputs[0])
    link(left.outputs[0], albedo.inputs[1])
    link(ink.outputs[0], albedo.inputs[2])

    relief = node("ShaderNodeTexImage", extension="EXTEND", interpolation="Linear")
    relief.image = _height_image(template, "relief_sleeve.png" if panel.startswith("sleeve") else f"relief_{panel}.png")
    on_relief = node("ShaderNodeMapping", vector_type="POINT")
    extent = template.panels[panel]["relief"]
    _set_rectangle(on_relief, extent["x_cm"], extent["y_cm"], extent["width_cm"], extent["height_cm"])
    link(cm.outputs["UV"], on_relief.inputs["Vector"])
    link(on_relief.outputs["Vector"], relief.inputs["Vector"])
    bump = node("ShaderNodeBump")
    bump.inputs["Strength"].default_value = finish["bump_strength"]
    bump.inputs["Distance"].default_value = finish["relief_height_cm"] / 100.0
    link(relief.outputs["Color"], bump.inputs["Height"])
    knit = template.facts.get("knit")
    if knit is not None:
        stitches = node("ShaderNodeTexImage", extension="REPEAT", interpolation="Linear")
        stitches.image = _height_image(template, knit["file"])
        on_stitches = node("ShaderNodeMapping", vector_type="POINT")
        _set_rectangle(on_stitches, 0.0, 0.0, knit["tile_cm"], knit["tile_cm"])
        link(cm.outputs["UV"], on_stitches.inputs["Vector"])
        link(on_stitches.outputs["Vector"], stitches.inputs["Vector"])
        fine = node("ShaderNodeBump")
        fine.inputs["Strength"].default_value = finish["bump_strength"]
        fine.inputs["Distance"].default_value = knit["height_cm"] / 100.0
        link(stitches.outputs["Color"], fine.inputs["Height"])
        link(fine.outputs["Normal"], bump.inputs["Normal"])

    cloth = node("ShaderNodeBsdfPrincipled")
    for socket, value in finish["principled"].items():
        cloth.inputs[socket].default_value = value
    link(albedo.outputs[0], cloth.inputs["Base Color"])
    link(bump.outputs["Normal"], cloth.inputs["Normal"])
    out = node("ShaderNodeOutputMaterial")
    link(cloth.outputs[0], out.inputs["Surface"])
    return material


def _set_rectangle(mapping: Any, x_cm: float, y_cm: float, width_cm: float, height_cm: float) -> None:
    """Map panel centimetres (y down) to 0..1 over a rectangle (y up)."""
    mapping.inputs["Location"].default_value = (-x_cm / width_cm, 1.0 + y_cm / height_cm, 0.0)
    mapping.inputs["Scale"].default_value = (1.0 / width_cm, -1.0 / height_cm, 1.0)


def set_print(panel: str, texels: Texels | None, rectangle_cm: tuple[float, float, float, float]) -> None:
    """Show a print on a panel, or none.

    A new datablock replaces the old one every time: a persistent render session keeps showing an image whose
    pixels changed in place unless everything that uses it is told.
    """
    import bpy

    material = bpy.data.materials[panel]
    nodes = material.node_tree.nodes
    old = nodes[PRINT_IMAGE].image
    nodes[PRINT_IMAGE].image = print_image(panel, _EMPTY if texels is None else texels)
    if old is not None:
        bpy.data.images.remove(old)
    _set_rectangle(nodes[PRINT_PLACE], *rectangle_cm)
    material.node_tree.update_tag()
    material.update_tag()


def set_fabric(color: tuple[float, float, float]) -> None:
    """Colour every panel's cloth, linear Rec.709."""
    import bpy

    for panel in PANELS:
        material = bpy.data.materials[panel]
        material.node_tree.nodes[FABRIC].outputs[0].default_value = (*color, 1.0)
        material.node_tree.update_tag()
        material.update_tag()


def sky(lights: Mapping[str, Any], *, height_px: int = 64) -> Texels:
    """Return the studio's light as seen from the garment: soft lamps on a ring, a floor and a ceiling.

    Broad lamps are found by the cloth's own scattered rays, so no ray is ever spent on looking for a lamp, and
    sixteen samples are quiet.

    Returns:
        (H, 2H, 4) float32 linear radiance in Blender's equirectangular layout, row 0 at the top.
    """
    elevation = np.pi * (0.5 - (np.arange(height_px) + 0.5) / height_px)
    azimuth = -2 * np.pi * ((np.arange(2 * height_px) + 0.5) / (2 * height_px) - 0.5)
    around, up = np.meshgrid(azimuth, elevation)
    toward = np.stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)], axis=-1)
    radiance = lights["floor"] + (lights["ceiling"] - lights["floor"]) * (0.5 + 0.5 * toward[..., 2])
    for lamp in lights["lamps"].values():
        centre = np.array(lamp["toward"], np.float64)
        radiance += lamp["radiance"] * np.exp(lamp["sharpness"] * (toward @ (centre / np.linalg.norm(centre)) - 1.0))
    return np.concatenate([np.repeat(radiance[..., None], 3, axis=2), np.ones((*radiance.shape, 1))], axis=2).astype(
        np.float32
    )


def _world(lights: Mapping[str, Any]) -> None:
    import bpy

    world = bpy.data.worlds.new(WORLD)
    bpy.context.scene.world = world
    tree = world.node_tree
    direction = tree.nodes.new("ShaderNodeTexCoord")
    spin = tree.nodes.new("ShaderNodeMapping")
    spin.name, spin.vector_type = SPIN, "POINT"
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = print_image("sky", sky(lights))
    tree.links.new(direction.outputs["Generated"], spin.inputs["Vector"])
    tree.links.new(spin.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], tree.nodes["Background"].inputs["Color"])
    world.cycles.sampling_method = "NONE"


def turn(matrix_m: NDArray[np.float64], azimuth_deg: float) -> None:
    """Place the camera and turn the lights with it, so that every side is lit as the front is."""
    import bpy
    from mathutils import Matrix

    camera, world = bpy.data.objects[CAMERA], bpy.data.worlds[WORLD]
    camera.matrix_world = Matrix(matrix_m.tolist())
    camera.update_tag()
    world.node_tree.nodes[SPIN].inputs["Rotation"].default_value = (0.0, 0.0, -float(np.deg2rad(azimuth_deg)))
    world.node_tree.update_tag()
    world.update_tag()
