"""Open somebody's file so that nothing in it runs, and take out what could. Imports bpy inside functions.

Python reaches a ``.blend`` as registered text blocks, as drivers, as freestyle and script nodes. None of it
runs when a file is opened without scripts; here it is also removed, so that the copy the farm keeps holds none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many of each were taken out.

    Attributes:
        texts: Text blocks, registered or not.
        drivers: Driven properties; they keep the value they were saved with.
        scripts: Script nodes.
    """

    texts: int
    drivers: int
    scripts: int


def open_disarmed(path: Path) -> Removed:
    """Replace the process's scene by the file's, without running anything, and remove what could run.

    Raises:
        RuntimeError: Blender cannot read the file.
    """
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    return _disarm()


def _disarm() -> Removed:
    import bpy

    drivers = sum(_drop_drivers(owner) for owner in _owners())
    scripts = sum(_drop_scripts(tree) for tree in _trees())
    texts = len(bpy.data.texts)
    for text in list(bpy.data.texts):
        bpy.data.texts.remove(text)
    for scene in bpy.data.scenes:
        # What a render does besides tracing rays: freestyle runs Python, the compositor can write files.
        scene.render.use_freestyle = False
        scene.render.use_compositing = False
        scene.render.use_sequencer = False
        scene.render.use_stamp = False
        scene.compositing_node_group = None
        if scene.sequence_editor is not None:
            scene.sequence_editor_clear()
        for layer in scene.view_layers:
            layer.use_freestyle = False
    return Removed(texts=texts, drivers=drivers, scripts=scripts)


def _owners() -> Iterator[Any]:
    """Everything that can carry a driver: all datablocks, and the node trees inside some of them."""
    import bpy

    for name in dir(bpy.data):
        collection = getattr(bpy.data, name)
        if name.startswith("_") or not isinstance(collection, bpy.types.bpy_prop_collection):
            continue
        for owner in collection:
            yield owner
            tree = getattr(owner, "node_tree", None)
            if tree is not None:
                yield tree
            keys = getattr(owner, "shape_keys", None)
            if keys is not None and not isinstance(keys, bpy.types.bpy_prop_collection):
                yield keys


def _drop_drivers(owner: Any) -> int:
    data = getattr(owner, "animation_data", None)
    if data is None:
        return 0
    found = list(data.drivers)
    for driver in found:
        data.drivers.remove(driver)
    return len(found)


def _trees() -> Iterator[Any]:
    import bpy

    yield from bpy.data.node_groups
    for owner in (*bpy.data.materials, *bpy.data.worlds, *bpy.data.lights):
        if owner.node_tree is not None:
            yield owner.node_tree


def _drop_scripts(tree: Any) -> int:
    found = [node for node in tree.nodes if node.bl_idname == "ShaderNodeScript"]
    for node in found:
        tree.nodes.remove(node)
    return len(found)
