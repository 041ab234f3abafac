"""A baked view as a file: light as lossless pictures of 8 to 10 bits, and what does not fit their range apart.

A ZIP archive. ``facts.json`` tells view, size and the range of each plane; ``NAME.jxl`` is a plane in JPEG XL, ISO
18181 (``NAME.0.jxl`` to ``NAME.2.jxl`` where the light is coloured); ``NAME.npy`` any other array. Light is smooth, so
a plane's range is that of all but a few pixels, at silhouettes: ``NAME.far.npy`` lists those, ``NAME.far_value.npy``
is what they hold. Sheen is kept as its root, since on dark cloth it is all that is seen.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

BITS = {"specular": 9, "diffuse": 10, "mutual": 8}
"""A picture differs by 0.06 to 0.1 of a byte's step in the mean; two bits more cost half as much again."""
EFFORT = 3
"""Of the encoder: from here on a plane takes three times as long to read for a hundredth less."""
FAR_SHARE = 0.0005
"""Of the covered pixels, at each end: those may lie outside the range."""
LIGHT = ("specular", "diffuse", "mutual")
ROOTED = ("specular",)
_WHEN = (1980, 1, 1, 0, 0, 0)

Arrays = Mapping[str, NDArray[Any]]


def packed(arrays: Arrays, facts: Mapping[str, Any]) -> bytes:
    """Write a bake's arrays, see `blender.bake.bake_view`; the same arrays give the same bytes."""
    told: dict[str, Any] = dict(facts)
    told["range"] = {}
    files: dict[str, bytes] = {}
    covered = arrays["alpha"] > 0
    files["alpha.jxl"] = _encoded(arrays["alpha"], 8)
    for name, array in arrays.items():
        if name == "alpha":
            continue
        if name not in LIGHT:
            files[f"{name}.npy"] = _npy(array)
            continue
        planes = array[..., None] if array.ndim == 2 else array
        for number in range(planes.shape[2]):
            key = name if array.ndim == 2 else f"{name}.{number}"
            plane = planes[..., number].astype(np.float32)
            if name in ROOTED:
                plane = np.sqrt(np.maximum(plane, 0))
            low, high = _range(plane[covered])
            top = 2 ** BITS[name] - 1
            steps = np.rint((plane - low) / (high - low) * top)
            far = covered & ((steps < 0) | (steps > top))
            steps = np.where(covered & ~far, steps, np.nan)
            files[f"{key}.jxl"] = _encoded(_filled(steps).astype(_kind(BITS[name])), BITS[name])
            files[f"{key}.far.npy"] = _npy(np.flatnonzero(far).astype(np.uint32))
            files[f"{key}.far_value.npy"] = _npy(plane[far].astype(np.float16))
            told["range"][key] = [low, high, top]
    files = {"facts.json": json.dumps(told, sort_keys=True).encode(), **files}
    return _zipped(files)


def unpacked(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what :func:`packed` wrote: the arrays, light as float32, and the facts.

    Raises:
        ValueError, KeyError, OSError, zipfile.BadZipFile: when it is no such file.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    facts = json.loads(files.pop("facts.json"))
    ranges = facts.pop("range")
    arrays: dict[str, NDArray[Any]] = {"alpha": _decoded(files.pop("alpha.jxl"), np.uint8)}
    planes: dict[str, list[NDArray[np.float32]]] = {}
    for key in sorted(ranges):
        low, high, top = (np.float32(number) for number in ranges[key])
        plane = _decoded(files.pop(f"{key}.jxl"), _kind(int(top).bit_length())).astype(np.float32)
        plane *= (high - low) / top
        plane += low
        plane.reshape(-1)[_array(files.pop(f"{key}.far.npy"))] = _array(files.pop(f"{key}.far_value.npy"))
        name = key.partition(".")[0]
        planes.setdefault(name, []).append(plane**2 if name in ROOTED else plane)
    for name, found in planes.items():
        arrays[name] = found[0] if len(found) == 1 else np.stack(found, axis=2)
    for name, content in files.items():
        arrays[name.removesuffix(".npy")] = _array(content)
    return arrays, facts


def _kind(bits: int) -> type[np.unsignedinteger[Any]]:
    """What holds so many bits."""
    return np.uint8 if bits <= 8 else np.uint16


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    """From which to which value the steps go."""
    if not len(values):
        return 0.0, 1.0
    low, high = (float(edge) for edge in np.quantile(values, (FAR_SHARE, 1 - FAR_SHARE)))
    return low, high if high > low else low + 1.0


def _filled(steps: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Put the last known value of the row where none is known, so that an outline costs nothing."""
    known = ~np.isnan(steps)
    column = np.maximum.accumulate(np.where(known, np.arange(steps.shape[1]), 0), axis=1)
    return np.asarray(np.nan_to_num(np.take_along_axis(steps, column, axis=1)))


def _encoded(plane: NDArray[np.unsignedinteger[Any]], bits: int) -> bytes:
    found = imagecodecs.jpegxl_encode(
        np.ascontiguousarray(plane), lossless=True, effort=EFFORT, bitspersample=bits, numthreads=1
    )  # fmt: skip
    return bytes(found)


def _decoded(data: bytes, kind: type[np.generic]) -> NDArray[Any]:
    try:
        found = np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))
    except (imagecodecs.JpegxlError, RuntimeError, ValueError) as error:
        raise ValueError(f"a plane cannot be decoded: {error}") from error
    if found.dtype != kind or found.ndim != 2:
        raise ValueError(f"a plane is {found.dtype} of {found.ndim} dimensions")
    return found


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


def _array(data: bytes) -> NDArray[Any]:
    return np.asarray(np.lib.format.read_array(io.BytesIO(data), allow_pickle=False))


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            # What JPEG XL has squeezed does not get smaller.
            kind = zipfile.ZIP_STORED if name.endswith(".jxl") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, _WHEN), content, compress_type=kind)
    return out.getvalue()
