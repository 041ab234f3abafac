"""Which point of which panel a picture shows: an emission render, one ray through each pixel's centre. Imports bpy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Box = tuple[float, float, float, float]

INSIDE = 63
"""What the third channel says, in place of the panel's number plus one, of cloth seen from its back."""
STEP = 64
"""The third channel counts in parts of this, so that all channels stay within 0..1."""
_SETTINGS = {"pixel_filter_type": "BOX", "filter_width": 0.01, "use_denoising": False, "samples": 1}


@contextmanager
def showing_places(materials: Sequence[str], uv_map: str, boxes_cm: Sequence[Box]) -> Iterator[None]:
    """Have every panel's material shine with the panel's coordinates instead of its cloth, for the time of the block.

    The channels of a render are then x and y over the panel's box, its number plus one, or :data:`INSIDE`, over
    :data:`STEP`, and 1 where there is garment.

    Args:
        materials: Their names, in the order of the panels.
        uv_map: That holds the panels' centimetres.
        boxes_cm: Left, top, width and height of each panel.
    """
    import bpy

    cycles = bpy.context.scene.cycles
    kept = {name: getattr(cycles, name) for name in _SETTINGS}
    undo = [
        _shine(bpy.data.materials[name], number, uv_map, box)
        for number, (name, box) in enumerate(zip(materials, boxes_cm, strict=True))
    ]
    for name, value in _SETTINGS.items():
        setattr(cycles, name, value)
    bpy.context.scene.update_tag()
    try:
        yield
    finally:
        for put_back in undo:
            put_back()
        for name, value in kept.items():
            setattr(cycles, name, value)
        bpy.context.scene.update_tag()


def _shine(material: Any, number: int, uv_map: str, box: Box) -> Callable[[], None]:
    """Put an emission in the place of the material's surface; the result puts the surface back."""
    tree = material.node_tree
    out = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial" and node.is_active_output)
    cloth = out.inputs["Surface"].links[0].from_socket
    made: list[Any] = []

    def node(kind: str, **settings: Any) -> Any:
        made.append(tree.nodes.new(kind))
        for key, value in settings.items():
            setattr(made[-1], key, value)
        return made[-1]

    cm = node("ShaderNodeUVMap", uv_map=uv_map)
    place = node("ShaderNodeMapping", vector_type="POINT")
    left, top, width, height = box
    place.inputs["Location"].default_value = (-left / width, -top / height, 0.0)
    place.inputs["Scale"].default_value = (1.0 / width, 1.0 / height, 1.0)
    apart, together = node("ShaderNodeSeparateXYZ"), node("ShaderNodeCombineXYZ")
    geometry = node("ShaderNodeNewGeometry")
    which = node("ShaderNodeMath", operation="MULTIPLY_ADD")
    which.inputs[1].default_value, which.inputs[2].default_value = (INSIDE - number - 1) / STEP, (number + 1) / STEP
    light = node("ShaderNodeEmission")
    tree.links.new(cm.outputs["UV"], place.inputs["Vector"])
    tree.links.new(place.outputs["Vector"], apart.inputs["Vector"])
    tree.links.new(geometry.outputs["Backfacing"], which.inputs[0])
    tree.links.new(apart.outputs["X"], together.inputs["X"])
    tree.links.new(apart.outputs["Y"], together.inputs["Y"])
    tree.links.new(which.outputs[0], together.inputs["Z"])
    tree.links.new(together.outputs[0], light.inputs["Color"])
    tree.links.new(light.outputs[0], out.inputs["Surface"])
    material.update_tag()

    def put_back() -> None:
        tree.links.new(cloth, out.inputs["Surface"])
        for one in made:
            tree.nodes.remove(one)
        material.update_tag()

    return put_back
