import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from farm.adapters.memory_store import MemoryStore
from farm.errors import ObjectAltered
from farm.render.ports import ComposeTask
from farm.render.tasks.compose_task import compose_textures, rehearse
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.task_log import TaskLog

PANEL = {
    "x_min_cm": -25,
    "x_max_cm": 25,
    "y_min_cm": 0,
    "y_max_cm": 70,
    "print_area": {"x_cm": -15, "y_cm": 6, "width_cm": 30, "height_cm": 40},
    "outline_cm": [[-25, 0], [25, 0], [25, 70], [-25, 70]],
}
CAMERA = {"focal_mm": 100, "sensor_mm": 36, "distance_cm": 230}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "tee"
    folder.mkdir()
    facts = {"panels": {"front": PANEL, "back": PANEL}, "camera": CAMERA}
    (folder / "template.json").write_text(json.dumps(facts))
    return folder


def task(store: MemoryStore, *placements: dict[str, Any]) -> ComposeTask:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), "#c02030").save(out, "PNG")
    sha256 = store.put("t/one/jobs/j/design/0.png", out.getvalue(), content_type="image/png")
    return ComposeTask(
        tenant="one",
        job_id="j",
        token="compose-t",
        request={"placements": list(placements), "fabric_color": "#ffffff", "size": 512},
        designs=({"key": "t/one/jobs/j/design/0.png", "sha256": sha256},),
    )


def place(panel: str, **more: Any) -> dict[str, Any]:
    return {"panel": panel, "x_cm": 0, "y_cm": 20, "width_cm": 20, **more}


def test_one_texture_a_printed_panel_with_its_place_on_the_cloth(template: Path) -> None:
    store, progress = MemoryStore(), Progress()
    composing = task(store, place("front"), place("back"), place("front", y_cm=45, width_cm=5))
    textures = compose_textures(composing, store=store, template=template, progress=progress, log=TaskLog("t"))
    assert [texture.panel for texture in textures] == ["front", "back"]
    front = textures[0]
    assert front.key == "t/one/jobs/j/work/compose-t/front.png"
    with Image.open(io.BytesIO(store.get(front.key, sha256=front.sha256))) as stored:
        pixels = np.asarray(stored)
    assert pixels.shape[2] == 4
    # The middle of the first layer, where it lies on the panel, has the design's very colour.
    row = round((20 - front.y_cm) / front.height_cm * pixels.shape[0])
    column = round((0 - front.x_cm) / front.width_cm * pixels.shape[1])
    assert tuple(pixels[row, column]) == (0xC0, 0x20, 0x30, 255)
    assert progress.ticks >= 3


def test_a_design_with_other_bytes_is_refused(template: Path) -> None:
    store = MemoryStore()
    composing = task(store, place("front"))
    store.put("t/one/jobs/j/design/0.png", b"other", content_type="image/png")
    with pytest.raises(ObjectAltered):
        compose_textures(composing, store=store, template=template, progress=Progress(), log=TaskLog("t"))


def test_a_rehearsal_needs_nothing() -> None:
    rehearse()
