"""A shop's own .blend: what keeps the convention becomes a garment, the rest is told why, and nothing of it runs."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blender.blend.adopt import AdoptOrder, Refused, adopt
from blender.blend.disarm import open_disarmed
from blender.blend.survey import survey
from blender.protocol import VIEW_AZIMUTH_DEG, PanelPrint, ProtocolError, ViewOrder
from blender.session import Session
from blender.template import Template, load_template
from farm.domain.template import Template as FarmTemplate
from farm.render.tasks.judge import judge_with
from tests.blender.shop_file import HEIGHT_CM, WIDTH_CM, armed, make

SIDE_PX = 128
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module", params=["", "node", "mix"], ids=["cover", "node", "mix"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The tube as a template; its cloth is coloured in each of the three ways."""
    folder = tmp_path_factory.mktemp("shop") / "tube"
    folder.mkdir()
    file = make(folder.parent / "tube.blend", fabric=request.param)
    adopt(AdoptOrder(file=str(file), folder=str(folder), samples=16))
    return load_template(folder, verify=True)


def _design(path: Path) -> Path:
    """Left half red, right half blue, a see-through top quarter."""
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[10:, :20], pixels[10:, 20:] = (220, 20, 30, 255), (20, 40, 220, 255)
    Image.fromarray(pixels).save(path)
    return path


def _order(template: Template, tmp_path: Path, **changes: Any) -> ViewOrder:
    order: dict[str, Any] = {
        "template": str(template.folder), "view": "front_0deg", "out": str(tmp_path / "view.png"), "width_px": SIDE_PX,
        "height_px": SIDE_PX, "samples": 4, "device": "cpu",
    }  # fmt: skip
    return ViewOrder(**(order | changes))


def _print(tmp_path: Path, **changes: Any) -> PanelPrint:
    box = {"x_cm": -8.0, "y_cm": 20.0, "width_cm": 16.0, "height_cm": 16.0}
    return PanelPrint(panel="front", path=str(_design(tmp_path / "design.png")), **(box | changes))


def _seen(session: Session, order: ViewOrder) -> Pixels:
    session.render(order)
    with Image.open(order.out) as picture:
        return np.asarray(picture.convert("RGBA"))


def test_the_square_is_measured_and_the_farm_reads_the_rest(template: Template) -> None:
    measured = template.facts["blend"]
    assert measured["square_cm"] == pytest.approx([WIDTH_CM / 2, HEIGHT_CM], rel=0.002)
    assert measured["spread"] < 0.01
    panel = FarmTemplate.load(template.folder).panels
    assert [(str(name), shape.bounds.height_cm) for name, shape in panel.items()] == [("front", HEIGHT_CM)]
    presets = FarmTemplate.load(template.folder).presets
    area = template.panels["front"]["print_area"]
    assert presets["chest-large"].width_cm == pytest.approx(0.75 * area["width_cm"], abs=0.002)
    assert "back-large" not in presets  # its back lies outside the texture square


def test_every_view_passes_the_verdict_with_and_without_print(template: Template, tmp_path: Path) -> None:
    judge = judge_with(template.folder)
    with Session(template.folder, device="cpu") as session:
        for view in VIEW_AZIMUTH_DEG:
            for fabric, prints in (("#1d2a4d", (_print(tmp_path),)), ("#ffffff", (_print(tmp_path),)), ("#b3202a", ())):
                order = _order(template, tmp_path, view=view, fabric_color=fabric, prints=prints)
                session.render(order)
                judgement = judge(Path(order.out).read_bytes(), order)
                assert judgement.reason == "", (view, fabric, judgement.figures)


def test_the_verdict_tells_a_missing_print_and_another_side(template: Template, tmp_path: Path) -> None:
    judge = judge_with(template.folder)
    with Session(template.folder, device="cpu") as session:
        order = _order(template, tmp_path, prints=(_print(tmp_path),))
        session.render(_order(template, tmp_path))
        assert judge(Path(order.out).read_bytes(), order).reason
        session.render(_order(template, tmp_path, view="front_45deg_left", prints=(_print(tmp_path),)))
        assert judge(Path(order.out).read_bytes(), order).reason


def test_the_print_lies_where_it_was_asked_for_and_the_next_order_shows_its_own(
    template: Template, tmp_path: Path
) -> None:
    with Session(template.folder, device="cpu") as session:
        seen = _seen(session, _order(template, tmp_path, prints=(_print(tmp_path),), fabric_color="#20a040"))
        # 2.6 m from the axis with 85 mm: the nearest cloth is 9.5 cm nearer, and its middle is the picture's.
        px_per_cm = SIDE_PX * 85 / 36 / (260.4 - 9.5)
        middle = SIDE_PX / 2

        def at(x_cm: float, y_cm: float) -> list[int]:
            colour = seen[round(middle + (y_cm - HEIGHT_CM / 2) * px_per_cm), round(middle + x_cm * px_per_cm)]
            return [int(value) for value in colour[:3]]

        assert np.argmax(at(-4, 30)) == 0
        assert np.argmax(at(4, 30)) == 2
        for x_cm, y_cm in ((0.0, 21.5), (0.0, 40.0), (-4.0, 15.0)):
            assert np.argmax(at(x_cm, y_cm)) == 1, (x_cm, y_cm)
        again = _seen(session, _order(template, tmp_path, fabric_color="#a02080"))
        assert np.argmin(again[SIDE_PX // 2, SIDE_PX // 2 - 4, :3]) == 1


def test_a_film_turns_the_front_camera_round_the_garment(template: Template, tmp_path: Path) -> None:
    with Session(template.folder, device="cpu") as session:
        prints = (_print(tmp_path),)
        frames = [
            _seen(session, _order(template, tmp_path, prints=prints, azimuth_deg=degrees)).astype(int)
            for degrees in (0.0, 90.0)
        ]
        stills = [
            _seen(session, _order(template, tmp_path, prints=prints, view=view)).astype(int)
            for view in ("front_0deg", "left_90deg", "right_270deg")
        ]
    assert np.abs(frames[0] - stills[0]).mean() < 1.5
    assert np.abs(frames[1] - stills[1]).mean() < np.abs(frames[1] - stills[2]).mean()


def test_a_panel_that_the_file_has_not_is_refused(template: Template, tmp_path: Path) -> None:
    lost = PanelPrint(panel="back", path=str(_design(tmp_path / "a.png")), x_cm=0, y_cm=0, width_cm=5, height_cm=5)
    with (
        Session(template.folder, device="cpu") as session,
        pytest.raises(ProtocolError, match="no panel 'back'"),
    ):
        session.render(_order(template, tmp_path, prints=(lost,)))


def test_nothing_in_the_file_ever_runs(tmp_path: Path) -> None:
    traces = {name: tmp_path / f"{name}.trace" for name in ("text", "driver", "handler")}
    file = make(tmp_path / "armed.blend", armed(traces))
    # The file does what it says where scripts are allowed; else this test would prove nothing.
    program = f"import bpy; bpy.ops.wm.open_mainfile(filepath={str(file)!r}, use_scripts=True)"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert [name for name, trace in traces.items() if trace.exists()] == list(traces)
    for trace in traces.values():
        trace.unlink()

    folder = tmp_path / "armed"
    folder.mkdir()
    facts = adopt(AdoptOrder(file=str(file), folder=str(folder), samples=1))
    assert facts["blend"]["removed"] == {"texts": 2, "drivers": 1, "scripts": 0}
    with Session(folder, device="cpu") as session:
        session.render(_order(load_template(folder), tmp_path))
    assert [name for name, trace in traces.items() if trace.exists()] == []
    removed = open_disarmed(folder / "garment.blend")
    assert (removed.texts, removed.drivers) == (0, 0)


def _without_camera(scene: Any) -> None:
    scene.objects["Camera_left_90deg"].name = "Camera_left"


def _panoramic(scene: Any) -> None:
    scene.objects["Camera_back_180deg"].data.type = "PANO"


def _without_uv(scene: Any) -> None:
    layers = scene.objects["Shirt"].data.uv_layers
    layers.remove(layers[0])


def _image(scene: Any) -> Any:
    return scene.objects["Shirt"].data.materials[0].node_tree.nodes["Image Texture"]


def _other_name(scene: Any) -> None:
    _image(scene).name = "Artwork"


def _unconnected(scene: Any) -> None:
    tree = _image(scene).id_data
    tree.links.remove(_image(scene).outputs["Color"].links[0])


def _into_roughness(scene: Any) -> None:
    tree = _image(scene).id_data
    target = _image(scene).outputs["Color"].links[0].to_node.inputs["Roughness"]
    tree.links.remove(_image(scene).outputs["Color"].links[0])
    tree.links.new(_image(scene).outputs["Color"], target)


def _generated(scene: Any) -> None:
    tree = _image(scene).id_data
    tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"], _image(scene).inputs["Vector"])


def _moved(scene: Any) -> None:
    tree = _image(scene).id_data
    tree.links.new(tree.nodes.new("ShaderNodeMapping").outputs[0], _image(scene).inputs["Vector"])


def _mirrored(scene: Any) -> None:
    for place in scene.objects["Shirt"].data.uv_layers[0].uv:
        place.vector = (1 - place.vector[0], place.vector[1])


def _upside_down(scene: Any) -> None:
    for place in scene.objects["Shirt"].data.uv_layers[0].uv:
        place.vector = (place.vector[0], 1 - place.vector[1])


def _elsewhere(scene: Any) -> None:
    for place in scene.objects["Shirt"].data.uv_layers[0].uv:
        place.vector = (place.vector[0] + 5, place.vector[1])


def _outside_image(scene: Any) -> None:
    import bpy

    tree = scene.world.node_tree
    node = tree.nodes.new("ShaderNodeTexEnvironment")
    node.image = bpy.data.images.new("studio.exr", 4, 4)
    node.image.source, node.image.filepath = "FILE", "//studio.exr"
    tree.links.new(node.outputs[0], tree.nodes["Background"].inputs[0])


def _dark(scene: Any) -> None:
    scene.world = None
    for thing in list(scene.objects):
        if thing.type == "LIGHT":
            thing.hide_render = True


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without_camera, "no camera for the view left_90deg: name one Camera_left_90deg"),
        (_panoramic, "Camera_back_180deg is panoramic"),
        (_without_uv, "'Shirt' has no UV map"),
        (_other_name, "has an image node called 'Image Texture'"),
        (_unconnected, "'Cloth' feeds no base colour"),
        (_into_roughness, "'Cloth' feeds no base colour"),
        (_generated, "coordinates are Generated, not UV"),
        (_moved, "coordinates come through 'Mapping'"),
        (_mirrored, "would be mirrored"),
        (_upside_down, "would be upside down"),
        (_elsewhere, "sees nothing of the texture square"),
        (_outside_image, "'studio.exr' is not in the file but at //studio.exr: pack it"),
        (_dark, "no light"),
    ],
)
def test_what_breaks_the_convention_is_named(tmp_path: Path, change: Callable[[Any], None], reason: str) -> None:
    open_disarmed(make(tmp_path / "shirt.blend", change))
    found = survey().reasons
    assert len(found) == 1, found
    assert reason in found[0]


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    def change(scene: Any) -> None:
        _without_camera(scene)
        _without_uv(scene)
        _outside_image(scene)

    with pytest.raises(Refused) as refused:
        adopt(AdoptOrder(file=str(make(tmp_path / "shirt.blend", change)), folder=str(tmp_path)))
    assert len(refused.value.reasons) == 3


def test_a_link_to_another_file_is_refused(tmp_path: Path) -> None:
    import bpy

    make(tmp_path / "library.blend")

    def change(_: Any) -> None:
        with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
            wanted.materials = ["Cloth"]
        bpy.context.scene.objects["Shirt"].data.materials.append(wanted.materials[0])

    open_disarmed(make(tmp_path / "shirt.blend", change))
    assert any("linked to another file" in reason for reason in survey().reasons)


@pytest.mark.parametrize("width_cm", [None, 45.0])
def test_a_file_in_other_units_needs_its_width_told(tmp_path: Path, width_cm: float | None) -> None:
    def change(scene: Any) -> None:
        scene.unit_settings.scale_length = 100.0

    folder = tmp_path / "tube"
    folder.mkdir()
    file = make(tmp_path / "shirt.blend", change)
    order = AdoptOrder(file=str(file), folder=str(folder), print_width_cm=width_cm, samples=1)
    if width_cm is None:
        with pytest.raises(Refused, match="--print-width-cm"):
            adopt(order)
        return
    facts = adopt(order)
    assert facts["blend"]["square_cm"] == pytest.approx([45.0, 45.0 * HEIGHT_CM / WIDTH_CM * 2], rel=0.002)


def test_how_the_file_is_set_to_render_does_not_matter(tmp_path: Path) -> None:
    def change(scene: Any) -> None:
        render = scene.render
        render.engine = "BLENDER_WORKBENCH"
        render.resolution_percentage, render.filter_size, render.dither_intensity = 30, 8.0, 2.0
        render.image_settings.media_type = "VIDEO"
        render.use_file_extension = render.use_overwrite = False
        render.use_motion_blur = render.use_freestyle = render.use_compositing = True
        render.film_transparent = False
        scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", -0.5
        scene.view_layers.new("second")
        scene.cycles.filter_width, scene.cycles.use_adaptive_sampling, scene.cycles.time_limit = 6.0, True, 0.01

    folder = tmp_path / "tube"
    folder.mkdir()
    adopt(AdoptOrder(file=str(make(tmp_path / "odd.blend", change)), folder=str(folder), samples=8))
    template = load_template(folder)
    order = _order(template, tmp_path, prints=(_print(tmp_path),), fabric_color="#1d2a4d")
    with Session(folder, device="cpu") as session:
        session.render(order)
    judgement = judge_with(folder)(Path(order.out).read_bytes(), order)
    assert judgement.reason == "", judgement.figures


def test_the_child_answers_with_reasons_or_facts(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text(json.dumps({"file": str(tmp_path / "order.json"), "folder": str(tmp_path)}))
    answer = subprocess.run(
        [sys.executable, "-m", "blender", "adopt", str(tmp_path / "order.json")],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(answer.stdout) == {"refused": ["it is no .blend file"]}
