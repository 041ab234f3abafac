"""Light in a file: small, the same bytes for the same light, and close to what was put in, pixel for pixel."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from farm.picture.light_file import packed, unpacked

FACTS = {"schema": 2, "view": "front_0deg"}


def light(channels: int = 0) -> dict[str, NDArray[Any]]:
    """Smooth light on a disc, with one glint at its rim."""
    random = np.random.default_rng(5)
    shape = (120, 90, channels) if channels else (120, 90)
    sigma = (9, 9, 0) if channels else 9
    smooth = {name: gaussian_filter(random.normal(size=shape), sigma) for name in ("specular", "diffuse", "mutual")}
    arrays: dict[str, NDArray[Any]] = {name: np.asarray(one / np.ptp(one), np.float32) for name, one in smooth.items()}
    arrays["specular"] = np.abs(arrays["specular"]) * np.float32(0.05)
    arrays["diffuse"][60, 5] = 40.0
    rows, columns = np.mgrid[:120, :90]
    arrays["alpha"] = np.where(np.hypot(rows - 60, columns - 45) < 42, 255, 0).astype(np.uint8)
    return arrays


@pytest.mark.parametrize("channels", [0, 3])
def test_what_is_read_is_what_was_written_within_half_a_step(channels: int) -> None:
    arrays = light(channels)
    read, facts = unpacked(packed(arrays, FACTS))
    assert facts == FACTS
    np.testing.assert_array_equal(read["alpha"], arrays["alpha"])
    cloth = arrays["alpha"] > 0
    for name, atol in (("diffuse", 0.0006), ("mutual", 0.0022)):
        np.testing.assert_allclose(read[name][cloth], arrays[name][cloth], atol=atol, rtol=0.0005)
    np.testing.assert_allclose(np.sqrt(read["specular"])[cloth], np.sqrt(arrays["specular"])[cloth], atol=0.0003)
    assert read["diffuse"].shape == arrays["diffuse"].shape


def test_a_glint_outside_the_range_keeps_its_own_value() -> None:
    arrays = light()
    read, _ = unpacked(packed(arrays, FACTS))
    assert read["diffuse"][60, 5] == 40.0


def test_other_arrays_travel_as_they_are_and_the_bytes_are_the_same_each_time() -> None:
    arrays = light() | {"panel": np.arange(12, dtype=np.uint8).reshape(3, 4)}
    data = packed(arrays, FACTS)
    assert data == packed(arrays, FACTS)
    np.testing.assert_array_equal(unpacked(data)[0]["panel"], arrays["panel"])


def test_smooth_light_takes_a_quarter_of_its_floats() -> None:
    arrays = light()
    assert len(packed(arrays, FACTS)) < sum(one.astype(np.float16).nbytes for one in arrays.values()) / 4


def test_a_plane_that_is_another_files_is_no_light() -> None:
    whole, broken = packed(light(), FACTS), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as before, zipfile.ZipFile(broken, "w") as after:
        for name in before.namelist():
            after.writestr(name, b"no picture" if name == "diffuse.jxl" else before.read(name))
    with pytest.raises(ValueError, match="plane"):
        unpacked(broken.getvalue())
