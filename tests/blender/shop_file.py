"""A shop's file, as its artist would make it: a shirt-like tube, six cameras, an image node, lamps. Imports bpy."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

AZIMUTH_DEG = {
    "front_0deg": 0.0, "left_90deg": 90.0, "right_270deg": 270.0, "back_180deg": 180.0, "front_45deg_left": 45.0,
    "front_45deg_right": 315.0,
}  # fmt: skip
WIDTH_CM, HEIGHT_CM = 60.0, 70.0
"""The whole way round, and the height; the texture square is half of the one and all of the other."""
WRITES = """
import pathlib
pathlib.Path({path!r}).write_text("ran")
"""


def make(path: Path, change: Callable[[Any], None] | None = None, *, fabric: str = "") -> Path:
    """Save a file that keeps the convention, changed as a test likes.

    Args:
        path: Where to save it.
        change: Called with the scene before it is saved.
        fabric: ``node``: an RGB node ``Fabric`` mixed with the image by its alpha; ``mix``: a mix node's own colour.
    """
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    body = bpy.data.objects.new("Shirt", _tube())
    scene.collection.objects.link(body)
    body.data.materials.append(_cloth(fabric))
    for view, azimuth in AZIMUTH_DEG.items():
        _camera(scene, f"Camera_{view}", math.radians(azimuth))
    world = bpy.data.worlds.new("World")
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.7, 0.7, 0.7, 1)
    scene.world = world
    for azimuth in (-40.0, 50.0, 170.0):
        lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "AREA"))
        lamp.data.energy, lamp.data.size = 8.0, 1.5
        _stand(lamp, math.radians(azimuth), 2.0, 1.0)
        scene.collection.objects.link(lamp)
    if change is not None:
        bpy.context.view_layer.update()
        change(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
    return path


def _tube() -> Any:
    """An oval tube; its front half lies on the texture square, its back half beside it."""
    import bpy

    columns, rows = 48, 24
    mesh = bpy.data.meshes.new("Shirt")
    points, faces, uv = [], [], []
    for row in range(rows + 1):
        for column in range(columns + 1):
            # From the left edge of the front as the viewer sees it, to the right, then round the back.
            turn = math.pi * (2 * column / columns - 0.5) - math.pi / 2
            radius = WIDTH_CM / 100 / (2 * math.pi)
            points.append((radius * math.cos(turn), radius * math.sin(turn), HEIGHT_CM / 100 * (row / rows - 0.5)))
    for row in range(rows):
        for column in range(columns):
            first = row * (columns + 1) + column
            corners = (first, first + 1, first + columns + 2, first + columns + 1)
            faces.append(corners)
            uv += [(2 * (corner % (columns + 1)) / columns, corner // (columns + 1) / rows) for corner in corners]
    mesh.from_pydata(points, [], faces)
    layer = mesh.uv_layers.new(name="UVMap")
    for loop, place in enumerate(uv):
        layer.uv[loop].vector = place
    mesh.shade_smooth()
    return mesh


def _cloth(fabric: str) -> Any:
    import bpy

    material = bpy.data.materials.new("Cloth")
    tree = material.node_tree
    cloth = next((node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled"), None)
    if cloth is None:
        cloth = tree.nodes.new("ShaderNodeBsdfPrincipled")
        tree.links.new(cloth.outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    cloth.inputs["Roughness"].default_value = 0.9
    cloth.inputs["Specular IOR Level"].default_value = 0.1
    image = tree.nodes.new("ShaderNodeTexImage")
    image.image = bpy.data.images.new("sample design", 8, 8)
    if not fabric:
        tree.links.new(image.outputs["Color"], cloth.inputs["Base Color"])
        return material
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    sockets = {socket.identifier: socket for socket in mix.inputs}
    tree.links.new(image.outputs["Alpha"], sockets["Factor_Float"])
    tree.links.new(image.outputs["Color"], sockets["B_Color"])
    sockets["A_Color"].default_value = (0.2, 0.5, 0.2, 1)
    if fabric == "node":
        node = tree.nodes.new("ShaderNodeRGB")
        node.name = "Fabric"
        tree.links.new(node.outputs[0], sockets["A_Color"])
    result = next(socket for socket in mix.outputs if socket.identifier == "Result_Color")
    tree.links.new(result, cloth.inputs["Base Color"])
    return material


def _camera(scene: Any, name: str, azimuth: float) -> None:
    import bpy

    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.data.lens = 85.0
    _stand(camera, azimuth, 2.6, 0.15)
    scene.collection.objects.link(camera)


def _stand(thing: Any, azimuth: float, distance: float, height: float) -> None:
    """Place something on a circle round the shirt, looking at it."""
    from mathutils import Vector

    thing.location = (distance * math.sin(azimuth), -distance * math.cos(azimuth), height)
    thing.rotation_euler = (-Vector(thing.location)).to_track_quat("-Z", "Y").to_euler()


def armed(traces: Mapping[str, Path]) -> Callable[[Any], None]:
    """Return a change that puts Python into a file in three ways; each leaves its trace when it runs."""

    def change(scene: Any) -> None:
        import bpy

        text = bpy.data.texts.new("rig_ui.py")
        text.write(WRITES.format(path=str(traces["text"])))
        text.use_module = True
        handler = bpy.data.texts.new("handler.py")
        handler.write(
            "import bpy\nfrom bpy.app.handlers import persistent\n\n@persistent\ndef loaded(*_):"
            + WRITES.format(path=str(traces["handler"])).replace("\n", "\n    ")
            + "\nbpy.app.handlers.load_post.append(loaded)\nbpy.app.handlers.depsgraph_update_post.append(loaded)\n"
            + "bpy.app.handlers.render_pre.append(loaded)\n"
        )
        handler.use_module = True
        body = scene.objects["Shirt"]
        curve = body.driver_add("location", 0)
        curve.driver.type = "SCRIPTED"
        curve.driver.expression = f"__import__('pathlib').Path({str(traces['driver'])!r}).write_text('ran') * 0"

    return change
