"""The 3D model: whole, in metres, the same bytes each time, and small enough; built without Blender."""

from pathlib import Path

import DracoPy
import numpy as np
import pytest
from PIL import Image

from blender.__main__ import main
from blender.glb import Glb
from blender.model import write_model
from blender.protocol import ModelOrder, ModelReport, PanelPrint, ProtocolError
from blender.swatch import RIM_PX, normals, printed
from blender.template import load_template

TEMPLATE = Path(__file__).parents[3] / "templates" / "crew-tee"


def _print(folder: Path) -> PanelPrint:
    path = folder / "front.png"
    Image.new("RGBA", (120, 160), (200, 16, 46, 255)).save(path)
    return PanelPrint(panel="front", path=str(path), x_cm=-15, y_cm=6, width_cm=30, height_cm=40)


def _model(folder: Path, name: str = "model.glb", **order: object) -> tuple[Path, ModelReport]:
    out = folder / name
    report = write_model(ModelOrder.from_json(ModelOrder(template=str(TEMPLATE), out=str(out), **order).to_json()))  # type: ignore[arg-type]
    return out, report


def test_the_model_is_the_garment_in_metres_upright_on_the_ground(tmp_path: Path) -> None:
    out, report = _model(tmp_path, prints=(_print(tmp_path),), fabric_color="#102040")
    assert report.size_bytes == out.stat().st_size < 2_500_000
    assert ModelReport.from_json(report.to_json()) == report
    glb = Glb.parse(out.read_bytes())
    mesh = load_template(TEMPLATE).mesh()
    height_m, width_m, depth_m = (np.ptp(mesh.points_cm[:, axis]) / 100 for axis in (2, 0, 1))
    points = []
    for primitive in glb.document["meshes"][0]["primitives"]:
        draco = DracoPy.decode(glb.view(primitive["extensions"]["KHR_draco_mesh_compression"]["bufferView"]))
        accessors = {name: glb.document["accessors"][index] for name, index in primitive["attributes"].items()}
        assert {one["count"] for one in accessors.values()} == {len(draco.points)}
        np.testing.assert_allclose(accessors["POSITION"]["min"], draco.points.min(axis=0))
        points.append(draco.points)
    extents = np.ptp(np.concatenate(points), axis=0)
    np.testing.assert_allclose(extents, [width_m, height_m, depth_m], atol=0.003)
    assert np.concatenate(points)[:, 1].min() == pytest.approx(0.0, abs=0.002)
    # The front panel is on the side that glTF calls the front.
    front = glb.document["materials"].index(next(m for m in glb.document["materials"] if m["name"] == "front"))
    assert points[front][:, 2].mean() > 0.02


def test_a_print_is_on_the_outside_only_and_the_inside_is_cloth(tmp_path: Path) -> None:
    out, _ = _model(tmp_path, prints=(_print(tmp_path),))
    materials = {material["name"]: material for material in Glb.parse(out.read_bytes()).document["materials"]}
    textured = {name for name, one in materials.items() if "baseColorTexture" in one["pbrMetallicRoughness"]}
    assert textured == {"front"}
    assert set(materials) == {"front", "back", "sleeve_left", "sleeve_right", "collar", "inside"}
    for material in materials.values():
        assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
        assert material["pbrMetallicRoughness"]["roughnessFactor"] > 0.5
        assert {"KHR_materials_sheen", "KHR_materials_specular"} <= set(material["extensions"])


def test_the_same_order_gives_the_same_bytes(tmp_path: Path) -> None:
    first, _ = _model(tmp_path, "a.glb", prints=(_print(tmp_path),))
    second, _ = _model(tmp_path, "b.glb", prints=(_print(tmp_path),))
    assert first.read_bytes() == second.read_bytes()


def test_a_heavy_print_is_made_coarser_until_the_model_fits(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 450, 4), np.uint8)
    noise[..., 3] = 255
    path = tmp_path / "noise.png"
    Image.fromarray(noise).save(path)
    heavy = PanelPrint(panel="front", path=str(path), x_cm=-15, y_cm=6, width_cm=30, height_cm=40)
    _, free = _model(tmp_path, prints=(heavy,))
    out, bound = _model(tmp_path, prints=(heavy,), max_bytes=free.size_bytes - 200_000)
    assert out.stat().st_size <= free.size_bytes - 200_000
    assert bound.texture_px <= free.texture_px
    with pytest.raises(ProtocolError, match="at its coarsest"):
        _model(tmp_path, "c.glb", prints=(heavy,), max_bytes=1_000_000)
    assert not (tmp_path / "c.glb").exists()


def test_a_prints_texture_ends_in_plain_cloth(tmp_path: Path) -> None:
    pixels, (x_cm, y_cm, width_cm, height_cm) = printed(_print(tmp_path), "#102040", 80)
    assert pixels.shape == (80 + 2 * RIM_PX, 60 + 2 * RIM_PX, 3)
    assert (pixels[:RIM_PX] == (0x10, 0x20, 0x40)).all()
    assert (pixels[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] == (200, 16, 46)).all()
    assert x_cm + width_cm / 2 == pytest.approx(0.0)
    assert y_cm == pytest.approx(6 - RIM_PX * 0.5)
    assert height_cm == pytest.approx(40 + RIM_PX)


def test_a_ridge_turns_its_normals_away_from_itself(tmp_path: Path) -> None:
    heights = np.zeros((9, 9), np.uint8)
    heights[:, 4] = 200
    Image.fromarray(heights).save(tmp_path / "ridge.png")
    map_ = normals(tmp_path / "ridge.png", width_cm=9, height_cm=9, depth_cm=1.0).astype(int) - 128
    assert map_[4, 3, 0] < -20 < 20 < map_[4, 5, 0]
    assert abs(map_[4, 4, 0]) <= 1
    Image.fromarray(heights.T).save(tmp_path / "ridge.png")
    map_ = normals(tmp_path / "ridge.png", width_cm=9, height_cm=9, depth_cm=1.0).astype(int) - 128
    assert map_[3, 4, 1] > 20, "above a ridge the cloth faces up, which is green"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    out, _ = _model(tmp_path)
    data = out.read_bytes()
    for broken in (b"", data[:11], data[:-4], b"gltf" + data[4:], data[:20] + b"}" + data[21:]):
        with pytest.raises(ProtocolError):
            Glb.parse(broken)
    with pytest.raises(ProtocolError, match="buffer view"):
        Glb.parse(data).view(999)
    with pytest.raises(ProtocolError, match="folder does not exist"):
        _model(tmp_path / "nowhere")
    with pytest.raises(ProtocolError, match="fabric_color"):
        ModelOrder(template=str(TEMPLATE), out="x", fabric_color="red")


def test_a_model_is_written_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ModelOrder(template=str(TEMPLATE), out=str(tmp_path / "model.glb"))
    (tmp_path / "model.json").write_text(order.to_json())
    assert main(["model", str(tmp_path / "model.json")]) == 0
    assert ModelReport.from_json(capsys.readouterr().out).size_bytes == (tmp_path / "model.glb").stat().st_size
    (tmp_path / "model.json").write_text("{}")
    assert main(["model", str(tmp_path / "model.json")]) == 2
    assert "missing field" in capsys.readouterr().err
