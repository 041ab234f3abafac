"""The 3D model opens in the viewer that our pages use, shows its print in front and on no other side, and is valid."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import DracoPy
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from blender.glb import Glb
from blender.model import write_model
from blender.protocol import ModelOrder, PanelPrint
from tests.playwright_node import node_js
from tests.web.conftest import WEB, Site, missing
from tests.web.designs import CORNERS, patches

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates" / "crew-tee"


@pytest.fixture(scope="module")
def model(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = site.files / "patches.glb"
    prints = (patches(tmp_path_factory.mktemp("print")),)
    write_model(ModelOrder(template=str(TEMPLATE), out=str(out), prints=prints, fabric_color="#f4f4f4"))
    return out


def _turned(page: Page, orbit: str) -> NDArray[np.int16]:
    """What the viewer shows from there, ``(H, W, 3)``."""
    page.evaluate(
        """async (orbit) => {
            const viewer = document.querySelector("model-viewer");
            viewer.cameraOrbit = orbit;
            viewer.jumpCameraToGoal();
            await viewer.updateComplete;
            for (let frame = 0; frame < 4; frame++) await new Promise(requestAnimationFrame);
        }""",
        orbit,
    )
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        return np.asarray(shot.convert("RGB")).astype(np.int16)


def _places(seen: NDArray[np.int16]) -> dict[str, tuple[float, float]]:
    """The middle of each patch that shows, in parts of the picture from its left top corner."""
    places = {}
    for name, colour in CORNERS.items():
        # By hue: light and folds change brightness.
        light = seen / np.maximum(seen.sum(axis=2, keepdims=True), 1)
        near = np.abs(light - np.array(colour) / sum(colour)).max(axis=2) < 0.09
        if near.mean() > 0.004:
            rows, columns = np.nonzero(near)
            places[name] = (float(columns.mean()) / seen.shape[1], float(rows.mean()) / seen.shape[0])
    return places


def test_the_viewer_shows_the_print_upright_in_front_and_nowhere_else(
    browser: Browser, site: Site, model: Path
) -> None:
    page = site.open(browser, "model.html", model.name, width=400, height=450)
    front = _turned(page, "0deg 85deg auto")
    shirt = np.abs(front - np.array([0xE9, 0xEB, 0xEE])).max(axis=2) > 6
    assert 0.15 < shirt.mean() < 0.8, "the shirt fills the picture, and there is a background"
    places = _places(front)
    assert set(places) == set(CORNERS)
    for side in ("top", "bottom"):
        assert places[f"left {side}"][0] < 0.5 < places[f"right {side}"][0], "the print is not mirrored"
    for side in ("left", "right"):
        assert places[f"{side} top"][1] < places[f"{side} bottom"][1], "the print is upright"
    assert _places(_turned(page, "180deg 85deg auto")) == {}, "no print shows through the back"
    # From behind and above one looks at the inside of the front, through the neck.
    assert _places(_turned(page, "180deg 25deg auto")) == {}, "nor on the inside"
    page.close()
    assert site.strangers == []


CUSTOMERS = [("tidewater-badge", "#1f2a44"), ("nordlys", "#ffffff")]
if "FARM_TEST_SCREENSHOTS" not in os.environ:
    CUSTOMERS = CUSTOMERS[:1]  # drawing in software takes its time


@pytest.mark.parametrize(("design", "fabric"), CUSTOMERS)
def test_a_customers_design_opens(
    browser: Browser, site: Site, tmp_path: Path, pictures: Path | None, design: str, fabric: str
) -> None:
    with Image.open(ROOT / "examples" / f"{design}.png") as opened:
        picture = opened.convert("RGBA")
    picture.save(tmp_path / "print.png")
    height_cm = 27.0 * picture.height / picture.width
    printed = PanelPrint(
        panel="front", path=str(tmp_path / "print.png"), x_cm=-13.5, y_cm=7.0, width_cm=27.0, height_cm=height_cm
    )
    out = site.files / f"{design}.glb"
    report = write_model(ModelOrder(template=str(TEMPLATE), out=str(out), prints=(printed,), fabric_color=fabric))
    assert report.size_bytes < 6_000_000
    page = site.open(browser, "model.html", out.name)
    shown = _turned(page, "25deg 80deg auto")
    assert shown.std() > 15
    if pictures is not None:
        page.screenshot(path=pictures / f"model-{design}.png")
    page.close()


def _validated(path: Path) -> dict[str, Any]:
    """The report of Khronos's validator, by the Node.js that Playwright brings."""
    if not (WEB / "node_modules" / "gltf-validator").is_dir():
        missing("no glTF validator")
    program = (
        "const v = require('gltf-validator'), fs = require('fs');"
        "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 0})"
        ".then((report) => console.log(JSON.stringify(report)));"
    )
    answer = subprocess.run(
        [node_js(), "-e", program, str(path)], cwd=WEB, capture_output=True, text=True, timeout=120, check=True
    )
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def test_khronos_validator_finds_no_error_and_no_warning_but_that_of_tangents(model: Path) -> None:
    report = _validated(model)
    assert report["issues"]["numErrors"] == 0
    warned = {issue["code"] for issue in report["issues"]["messages"] if issue["severity"] == 1}
    # Viewers derive tangents by themselves, and alike; in the file they would weigh as much as the mesh.
    assert warned == {"MESH_PRIMITIVE_GENERATED_TANGENT_SPACE"}
    assert report["info"]["drawCallCount"] == 6
    assert report["info"]["extensionsUsed"].count("KHR_draco_mesh_compression") == 1


def test_khronos_validator_finds_the_mesh_itself_right(model: Path, tmp_path: Path) -> None:
    """The validator cannot look into Draco: the same model with its mesh laid open must be valid too."""
    glb = Glb.parse(model.read_bytes())
    glb.document["extensionsUsed"].remove("KHR_draco_mesh_compression")
    del glb.document["extensionsRequired"]
    for primitive in glb.document["meshes"][0]["primitives"]:
        draco = primitive.pop("extensions")["KHR_draco_mesh_compression"]
        mesh = DracoPy.decode(glb.view(draco["bufferView"]))
        arrays = {
            "POSITION": np.asarray(mesh.points, "<f4"), "NORMAL": np.asarray(mesh.normals, "<f4"),
            "COLOR_0": np.asarray(mesh.colors, "u1"), "TEXCOORD_0": np.asarray(mesh.tex_coord, "<f4"),
        }  # fmt: skip
        for name, accessor in primitive["attributes"].items():
            glb.document["accessors"][accessor]["bufferView"] = glb.add_view(arrays[name].tobytes())
        indices = np.asarray(mesh.faces, "<u4").tobytes()
        glb.document["accessors"][primitive["indices"]]["bufferView"] = glb.add_view(indices)
    (tmp_path / "open.glb").write_bytes(glb.pack())
    report = _validated(tmp_path / "open.glb")
    assert report["issues"]["numErrors"] == 0, report["issues"]["messages"][:5]
    assert report["info"]["totalTriangleCount"] > 2 * 60_000
    wrong = {issue["code"] for issue in report["issues"]["messages"] if issue["severity"] == 1}
    assert wrong <= {"MESH_PRIMITIVE_GENERATED_TANGENT_SPACE"}
