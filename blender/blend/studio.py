"""The studio of a shop's own file: its light, its cameras, its cloth, our print. Imports bpy inside functions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from blender.blend.disarm import open_disarmed
from blender.blend.graph import FabricBy, Printed, fabric_sockets
from blender.blend.survey import CAMERA_PREFIX, FRONT, materials, meshes, printed_materials
from blender.output import Window
from blender.places import INSIDE, STEP
from blender.protocol import VIEW_AZIMUTH_DEG, ProtocolError, ViewOrder
from blender.scene import print_image
from blender.studio import Rectangle
from blender.template import Template
from blender.texture import Texels

FILE = "garment.blend"
PANEL = "front"
CAMERA = "farm camera"
_EMPTY: Texels = np.zeros((1, 1, 4), np.float32)


class BlendStudio:
    """A :class:`~blender.studio.Studio` in a file that keeps the convention."""

    panels: tuple[str, ...] = (PANEL,)

    def __init__(self, template: Template) -> None:
        """Open the file, without its scripts, and take its printed materials over.

        Raises:
            ProtocolError: The file is not the one the template was made from.
        """
        facts = template.facts["blend"]
        self._width_cm, self._height_cm = facts["square_cm"]
        self._axis: tuple[float, float] = tuple(facts["axis"])
        camera = template.facts["camera"]
        self._px_per_cm = camera["focal_mm"] / camera["sensor_mm"] / camera["distance_cm"]
        try:
            open_disarmed(template.folder / FILE)
        except RuntimeError as exc:
            raise ProtocolError(f"{template.id}: {FILE} cannot be opened: {' '.join(str(exc).split())}") from exc
        import bpy

        scene = bpy.context.scene
        self._materials = materials(meshes(scene))
        self._printed = printed_materials(meshes(scene))
        if not self._printed:
            raise ProtocolError(f"{template.id}: no material carries the print")
        by, self._fabric = fabric_sockets(self._materials, self._printed)
        self._images = [self._take_over(one, by) for one in self._printed]
        self._own_alpha = by is not FabricBy.COVER
        self._cameras = {view: _lens(scene, view) for view in VIEW_AZIMUTH_DEG}
        self._camera = bpy.data.objects.new(CAMERA, self._cameras[FRONT][0])
        scene.collection.objects.link(self._camera)
        scene.camera = self._camera
        _settle(scene, template)
        self.show_print(PANEL, None, (0.0, 0.0, 1.0, 1.0))

    def _take_over(self, printed: Printed, by: FabricBy) -> tuple[Any, Any]:
        """Put the print's place before the image node and, where the file does not, the fabric behind it.

        Returns:
            The node of the place and the image node.
        """
        tree, image = printed.material.node_tree, printed.node
        place = tree.nodes.new("ShaderNodeMapping")
        place.vector_type = "POINT"
        socket = image.inputs["Vector"]
        if socket.links:
            source = socket.links[0].from_socket
        else:
            source = tree.nodes.new("ShaderNodeUVMap").outputs["UV"]
        tree.links.new(source, place.inputs["Vector"])
        tree.links.new(place.outputs["Vector"], socket)
        image.extension, image.interpolation = "CLIP", "Linear"
        if by is FabricBy.COVER:
            self._fabric.append(_cover(tree, image))
        return place, image

    def show_print(self, panel: str, texels: Texels | None, rectangle_cm: Rectangle) -> None:
        """Show a print on the square, or none."""
        import bpy

        old = self._images[0][1].image
        shown = print_image(panel, _EMPTY if texels is None else texels)
        if self._own_alpha:
            # The file's nodes expect colours that are not multiplied by their alpha; Cycles divides on the way out.
            shown.alpha_mode = "PREMUL"
        left, top, width, height = rectangle_cm
        u, v = left / self._width_cm + 0.5, 1.0 - (top + height) / self._height_cm
        wide, high = width / self._width_cm, height / self._height_cm
        for place, image in self._images:
            image.image = shown
            place.inputs["Location"].default_value = (-u / wide, -v / high, 0.0)
            place.inputs["Scale"].default_value = (1.0 / wide, 1.0 / high, 1.0)
        if old is not None:
            bpy.data.images.remove(old)
        self._tag()

    def dye(self, color: tuple[float, float, float]) -> None:
        """Colour the cloth, linear Rec.709."""
        for socket in self._fabric:
            socket.default_value = (*color, 1.0)
        self._tag()

    def _tag(self) -> None:
        for material in self._materials:
            material.node_tree.update_tag()
            material.update_tag()

    def aim(self, order: ViewOrder) -> None:
        """Place the camera: the file's own for a view; for a frame of a film the front one, turned round the axis."""
        from mathutils import Matrix

        lens, matrix = self._cameras[order.view if order.azimuth_deg is None else FRONT]
        if order.azimuth_deg is not None:
            axis = Matrix.Translation((*self._axis, 0.0))
            matrix = axis @ Matrix.Rotation(float(np.deg2rad(order.azimuth_deg)), 4, "Z") @ axis.inverted() @ matrix
        lens.sensor_fit = "VERTICAL" if order.width_px >= order.height_px else "HORIZONTAL"
        self._camera.data = lens
        self._camera.matrix_world = matrix
        lens.update_tag()
        self._camera.update_tag()

    def window(self, order: ViewOrder) -> Window:
        """The whole picture: a file may hold more than the garment."""
        return 0, 0, order.width_px, order.height_px

    def px_per_cm(self, side_px: int) -> float:
        """The front camera's resolution at the garment's middle."""
        return float(side_px * self._px_per_cm)

    @property
    def boxes_cm(self) -> tuple[Rectangle, ...]:
        """The texture square on the cloth."""
        return ((-self._width_cm / 2, 0.0, self._width_cm, self._height_cm),)

    @contextmanager
    def showing_places(self) -> Iterator[None]:
        """Have the printed cloth shine with its coordinates instead, in the way of :mod:`blender.places`.

        Cloth beside the texture square has the code of a back, and 0, 0 for a place; all else the same code, and 1, 1.
        """
        import bpy

        cycles = bpy.context.scene.cycles
        wanted = {"use_denoising": False, "pixel_filter_type": "BOX", "filter_width": 0.01, "samples": 1}
        wanted["film_exposure"] = 1.0
        kept = {name: getattr(cycles, name) for name in wanted}
        blurred = [lens for lens, _ in self._cameras.values() if lens.dof.use_dof]
        undo = [_paint(material, self._printed) for material in self._materials]
        try:
            for name, value in wanted.items():
                setattr(cycles, name, value)
            for lens in blurred:
                lens.dof.use_dof = False
            self._tag()
            bpy.context.scene.update_tag()
            yield
        finally:
            for put_back in undo:
                put_back()
            for name, value in kept.items():
                setattr(cycles, name, value)
            for lens in blurred:
                lens.dof.use_dof = True
            self._tag()
            bpy.context.scene.update_tag()


def _cover(tree: Any, image: Any) -> Any:
    """Lay a premultiplied print over the fabric's colour before anything of the file's own sees it.

    Returns:
        The socket of the fabric's colour.
    """
    fabric = tree.nodes.new("ShaderNodeRGB")
    left = tree.nodes.new("ShaderNodeMath")
    left.operation = "SUBTRACT"
    left.inputs[0].default_value = 1.0
    over = tree.nodes.new("ShaderNodeVectorMath")
    over.operation = "MULTIPLY_ADD"
    taken = [link.to_socket for link in image.outputs["Color"].links]
    for link in list(image.outputs["Alpha"].links):
        target = link.to_socket
        tree.links.remove(link)
        target.default_value = 1.0
    tree.links.new(image.outputs["Alpha"], left.inputs[1])
    tree.links.new(fabric.outputs[0], over.inputs[0])
    tree.links.new(left.outputs[0], over.inputs[1])
    tree.links.new(image.outputs["Color"], over.inputs[2])
    for target in taken:
        tree.links.new(over.outputs[0], target)
    return fabric.outputs[0]


def _paint(material: Any, printed: list[Printed]) -> Callable[[], None]:
    """Replace a material's surface by flat light; returns what puts it back."""
    tree = material.node_tree
    out = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial" and node.is_active_output)
    surface = out.inputs["Surface"]
    before = surface.links[0].from_socket if surface.links else None
    made: list[Any] = []

    def node(kind: str, **settings: Any) -> Any:
        made.append(tree.nodes.new(kind))
        for key, value in settings.items():
            setattr(made[-1], key, value)
        return made[-1]

    def math(operation: str, first: Any, *constants: float) -> Any:
        made_node = node("ShaderNodeMath", operation=operation)
        tree.links.new(first, made_node.inputs[0])
        for number, constant in enumerate(constants, 1):
            made_node.inputs[number].default_value = constant
        return made_node

    light = node("ShaderNodeEmission")
    mine = next((one for one in printed if one.material == material), None)
    if mine is None:
        light.inputs["Color"].default_value = (1.0, 1.0, INSIDE / STEP, 1.0)
    else:
        # The coordinates as they are before the print's own place.
        source = mine.node.inputs["Vector"].links[0].from_node.inputs["Vector"].links[0].from_socket
        apart, together = node("ShaderNodeSeparateXYZ"), node("ShaderNodeCombineXYZ")
        tree.links.new(source, apart.inputs[0])
        u, v = apart.outputs["X"], apart.outputs["Y"]
        inside = math("MULTIPLY", math("COMPARE", u, 0.5, 0.5).outputs[0])
        tree.links.new(math("COMPARE", v, 0.5, 0.5).outputs[0], inside.inputs[1])
        across, down = math("MULTIPLY", u), math("MULTIPLY", math("MULTIPLY_ADD", v, -1.0, 1.0).outputs[0])
        for part, channel in ((across, "X"), (down, "Y")):
            tree.links.new(inside.outputs[0], part.inputs[1])
            tree.links.new(part.outputs[0], together.inputs[channel])
        code = math("MULTIPLY_ADD", inside.outputs[0], (1 - INSIDE) / STEP, INSIDE / STEP)
        tree.links.new(code.outputs[0], together.inputs["Z"])
        tree.links.new(together.outputs[0], light.inputs["Color"])
    tree.links.new(light.outputs[0], surface)

    def put_back() -> None:
        if before is not None:
            tree.links.new(before, surface)
        for one in made:
            tree.nodes.remove(one)

    return put_back


def _lens(scene: Any, view: str) -> tuple[Any, Any]:
    """Return a view's camera as a lens that fits the shorter side, and where it stands."""
    found = scene.objects[CAMERA_PREFIX + view]
    lens = found.data.copy()
    # A square picture sees one side of the sensor, whichever the file names.
    side_mm = lens.sensor_height if lens.sensor_fit == "VERTICAL" else lens.sensor_width
    lens.sensor_width = lens.sensor_height = side_mm
    return lens, found.matrix_world.copy()


def _settle(scene: Any, template: Template) -> None:
    """Render as the farm renders: paths, transparent ground, plain colours, nothing between light and file."""
    render, view, cycles = scene.render, scene.view_settings, scene.cycles
    render.engine = "CYCLES"
    render.film_transparent = True
    render.use_persistent_data = True
    render.dither_intensity = 0.0
    render.use_motion_blur = render.use_multiview = False
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    # Files that are written: plain pictures, over what lies there, in the colours that are shown.
    render.image_settings.media_type = "IMAGE"
    render.image_settings.color_management = "FOLLOW_SCENE"
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = render.use_render_cache = render.use_texture_cache = False
    scene.display_settings.display_device, scene.display_settings.emulation = "sRGB", "OFF"
    cycles.film_exposure *= 2.0**view.exposure
    view.view_transform, view.look, view.exposure, view.gamma, view.use_curve_mapping = (
        "Standard",
        "None",
        0.0,
        1.0,
        False,
    )
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5
    cycles.time_limit = 0.0
    cycles.shading_system = False
    for name, value in template.facts["cycles"].items():
        setattr(cycles, name, value)
    for number, layer in enumerate(scene.view_layers):
        layer.use = number == 0
        layer.material_override = None
