"""The convention's place in a material: the node ``Image Texture``, what it feeds, and where the fabric's colour is.

Imports bpy inside functions; nodes and sockets are bpy's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

IMAGE_NODE, FABRIC_NODE = "Image Texture", "Fabric"
_SURFACES = {"ShaderNodeBsdfPrincipled": "Base Color", "ShaderNodeBsdfDiffuse": "Color"}
_COORDINATES = ("ShaderNodeUVMap", "ShaderNodeTexCoord", "NodeReroute")


class FabricBy(StrEnum):
    """How the cloth gets its colour."""

    NODE = "node"
    """An RGB node named ``Fabric``; the file mixes print and fabric itself."""
    MIX = "mix"
    """The constant colour of the mix node that the image and its alpha go into."""
    COVER = "cover"
    """Neither: the print is laid over the colour before it enters the file's own nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A material that carries the print.

    Attributes:
        material: The material.
        node: Its node ``Image Texture``.
        uv_map: Name of the texture coordinates it uses; empty: the mesh's own active ones.
    """

    material: Any
    node: Any
    uv_map: str


def image_nodes(material: Any) -> list[Any]:
    """Return the material's nodes that are called ``Image Texture`` and are one."""
    tree = material.node_tree
    nodes = tree.nodes if tree is not None else ()
    return [node for node in nodes if node.bl_idname == "ShaderNodeTexImage" and IMAGE_NODE in (node.name, node.label)]


def feeds_surface(node: Any) -> bool:
    """Whether a node's colour reaches the base colour of a surface that is shown."""
    return any(
        _SURFACES.get(reached.node.bl_idname) == reached.name and _is_shown(reached.node)
        for reached in _downstream(node.outputs["Color"])
    )


def _downstream(output: Any) -> Iterator[Any]:
    """Yield every input that an output reaches, through other nodes' outputs."""
    seen: set[str] = set()
    ahead = [output]
    while ahead:
        for link in ahead.pop().links:
            yield link.to_socket
            if link.to_node.name not in seen and link.to_node.bl_idname not in _SURFACES:
                seen.add(link.to_node.name)
                ahead.extend(link.to_node.outputs)


def _is_shown(node: Any) -> bool:
    seen = {node.name}
    ahead = [node]
    while ahead:
        for output in ahead.pop().outputs:
            for link in output.links:
                if link.to_node.bl_idname == "ShaderNodeOutputMaterial" and link.to_node.is_active_output:
                    return True
                if link.to_node.name not in seen:
                    seen.add(link.to_node.name)
                    ahead.append(link.to_node)
    return False


def coordinates(node: Any) -> tuple[str, str]:
    """Return the name of the texture coordinates that an image node uses, and what is wrong with them, if anything."""
    if node.projection != "FLAT":
        return "", f"its projection is {node.projection.lower()}, not flat"
    socket = node.inputs["Vector"]
    while socket.links:
        link = socket.links[0]
        source = link.from_node
        if source.bl_idname not in _COORDINATES:
            return "", f"its coordinates come through {source.name!r}: connect the UV map directly"
        if source.bl_idname == "ShaderNodeUVMap":
            return source.uv_map, ""
        if source.bl_idname == "ShaderNodeTexCoord":
            return "", "" if link.from_socket.name == "UV" else f"its coordinates are {link.from_socket.name}, not UV"
        socket = source.inputs[0]
    return "", ""


def fabric_sockets(materials: list[Any], printed: list[Printed]) -> tuple[FabricBy, list[Any]]:
    """Return how the cloth is coloured, and the sockets whose value is the colour; none to ``COVER``."""
    named = [
        node.outputs[0]
        for material in materials
        if material.node_tree is not None
        for node in material.node_tree.nodes
        if node.bl_idname == "ShaderNodeRGB" and FABRIC_NODE in (node.name, node.label)
    ]
    if named:
        return FabricBy.NODE, named
    mixed = [socket for one in printed for socket in _mixed_with(one.node)]
    return (FabricBy.MIX, mixed) if len(mixed) >= len(printed) else (FabricBy.COVER, [])


def _mixed_with(image: Any) -> list[Any]:
    """Return the constant colours that an image is mixed with by its own alpha."""
    found = []
    for link in image.outputs["Color"].links:
        node = link.to_node
        if node.bl_idname not in ("ShaderNodeMix", "ShaderNodeMixRGB") or node.blend_type != "MIX":
            continue
        colours = [socket for socket in node.inputs if socket.type == "RGBA" and socket.enabled]
        factor = next((socket for socket in node.inputs if socket.type == "VALUE" and socket.enabled), None)
        by_alpha = factor is not None and any(
            (one.from_node.name, one.from_socket.name) == (image.name, "Alpha") for one in factor.links
        )
        if by_alpha and len(colours) == 2 and link.to_socket == colours[1] and not colours[0].links:
            found.append(colours[0])
    return found
