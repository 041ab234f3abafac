"""A job's textures: read once for all its views, read again when the file is another, never written to."""

import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blender.protocol import PanelPrint, place_of
from farm.adapters.memory_store import MemoryStore
from farm.adapters.texture_cache import TextureCache
from farm.render.ports import TextureRef
from farm.render.tasks.print_files import fetched, panel_textures

PIXELS = np.random.default_rng(2).integers(0, 256, (12, 9, 4), dtype=np.uint8)


def _print(path: Path, pixels: np.ndarray = PIXELS) -> PanelPrint:
    Image.fromarray(pixels).save(path, "PNG")
    return PanelPrint(panel="front", path=str(path), x_cm=1.0, y_cm=2.0, width_cm=9.0, height_cm=12.0)


def test_a_texture_is_read_once_while_its_file_is_the_same(tmp_path: Path) -> None:
    printed = _print(tmp_path / "front.png")
    (first,) = panel_textures([printed])
    (again,) = panel_textures([replace(printed)])
    assert again is first
    np.testing.assert_array_equal(first.pixels, PIXELS)
    assert (first.x_cm, first.y_cm, first.width_cm, first.height_cm) == (1.0, 2.0, 9.0, 12.0)
    assert panel_textures([replace(printed, x_cm=3.0)])[0].x_cm == 3.0
    _print(tmp_path / "front.png", 255 - PIXELS)
    os.utime(tmp_path / "front.png", ns=(1, 1))
    np.testing.assert_array_equal(panel_textures([printed])[0].pixels, 255 - PIXELS)


def test_pixels_that_all_views_share_cannot_be_written_to(tmp_path: Path) -> None:
    (texture,) = panel_textures([_print(tmp_path / "front.png")])
    with pytest.raises(ValueError, match="read-only"):
        texture.pixels[0] = 0


def test_an_opaque_file_gets_its_alpha(tmp_path: Path) -> None:
    (texture,) = panel_textures([_print(tmp_path / "opaque.png", np.ascontiguousarray(PIXELS[..., :3]))])
    np.testing.assert_array_equal(texture.pixels[..., :3], PIXELS[..., :3])
    assert (texture.pixels[..., 3] == 255).all()


@pytest.mark.parametrize("spoil", [lambda data: data[: len(data) // 2], lambda data: b"no picture" + data])
def test_a_damaged_file_is_an_error_of_the_files(tmp_path: Path, spoil: object) -> None:
    printed = _print(tmp_path / "front.png")
    path = Path(printed.path)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(OSError, match=r"front\.png"):
        panel_textures([printed])
    path.unlink()
    with pytest.raises(OSError, match=r"front\.png"):
        panel_textures([printed])


def test_a_texture_keeps_its_place_in_every_form_that_it_takes(tmp_path: Path) -> None:
    store = MemoryStore()
    placed = {"panel": "back", "x_cm": -1.5, "y_cm": 2.0, "width_cm": 9.0, "height_cm": 12.0}
    path = _print(tmp_path / "back.png").path
    sha256 = store.put("back.png", Path(path).read_bytes(), content_type="image/png")
    composed = TextureRef(key="back.png", sha256=sha256, **placed)  # type: ignore[arg-type]
    (printed,) = fetched([composed], TextureCache(tmp_path / "kept"), store)
    assert place_of(composed) == place_of(printed) == place_of(panel_textures([printed])[0]) == placed
    assert printed.to_json() == (
        f'{{"panel":"back","path":"{printed.path}","x_cm":-1.5,"y_cm":2.0,"width_cm":9.0,"height_cm":12.0}}'
    ), "what Blender is sent"
    assert list(asdict(composed)) == ["panel", "key", "sha256", "x_cm", "y_cm", "width_cm", "height_cm"], "as journaled"
